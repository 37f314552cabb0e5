package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/gabion-storage/gabion/engine"
	"github.com/gabion-storage/gabion/frontend/access"
	"github.com/gabion-storage/gabion/frontend/internal/wire"
	"github.com/gabion-storage/gabion/frontend/oss"
	"github.com/gabion-storage/gabion/frontend/s3"
)

// grace is how long requests under way, of all faces, may go on when the command ends.
const grace = 30 * time.Second

// serve serves an engine by the faces that are asked for, and says how to use them. It ends with ctx, or
// with the error that comes from over.
func (c *command) serve(
	ctx context.Context, e *engine.Engine, o access.Options, stdout io.Writer, over <-chan error,
) (err error) {
	var servers []*http.Server
	defer func() { err = errors.Join(err, stop(servers)) }()
	failed := make(chan error, 2)
	start := func(addr string, face http.Handler) (at string, err error) {
		if addr == "" {
			return "", nil
		}
		l, err := c.listen(addr)
		if err != nil {
			return "", err
		}
		server := wire.NewServer(face, c.idle)
		servers = append(servers, server)
		go func() {
			if err := server.Serve(l); err != http.ErrServerClosed {
				failed <- err
			}
		}()
		return l.Addr().String(), nil
	}
	ossAt, err := start(c.oss, oss.New(e, &oss.Options{Access: o}))
	if err != nil {
		return err
	}
	s3At, err := start(c.s3, s3.New(e, &s3.Options{Access: o}))
	if err != nil {
		return err
	}
	fmt.Fprint(stdout, sessions(ossAt, s3At, c.keys))
	select {
	case <-ctx.Done():
		return nil
	case err := <-failed:
		return err
	case err := <-over:
		return err
	}
}

// stop stops servers all at once: while one waited for the other it would take new requests.
func stop(servers []*http.Server) (err error) {
	ctx, cancel := context.WithTimeout(context.Background(), grace)
	defer cancel()
	stopped := make(chan error)
	for _, server := range servers {
		go func() {
			err := server.Shutdown(ctx)
			if err != nil {
				err = errors.Join(fmt.Errorf("requests were cut off: %w", err), server.Close())
			}
			stopped <- err
		}()
	}
	for range servers {
		err = errors.Join(err, <-stopped)
	}
	return err
}

// listen listens on an address, of this machine alone if it has no host.
func (c *command) listen(addr string) (net.Listener, error) {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, err
	}
	if host == "" {
		host = "127.0.0.1"
	}
	l, err := net.Listen("tcp", net.JoinHostPort(host, port))
	if err == nil && c.connections > 0 {
		l = wire.LimitConnections(l, c.connections)
	}
	return l, err
}
