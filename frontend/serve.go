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

// grace is how long requests under way may go on when the command ends.
const grace = 30 * time.Second

// serve serves an engine by the faces that are asked for, says how to use them, and ends with ctx.
func (c *command) serve(
	ctx context.Context, e *engine.Engine, o access.Options, stdout io.Writer,
) (err error) {
	failed := make(chan error, 2)
	ossAt, stopOSS, err := c.start(c.oss, oss.New(e, &oss.Options{Access: o}), failed)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stopOSS()) }()
	s3At, stopS3, err := c.start(c.s3, s3.New(e, &s3.Options{Access: o}), failed)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stopS3()) }()
	fmt.Fprint(stdout, sessions(ossAt, s3At, c.keys))
	select {
	case <-ctx.Done():
		return nil
	case err := <-failed:
		return err
	}
}

// start serves a face on an address, if that is not empty, and gives how to stop it. What it ends
// with by itself goes to failed.
func (c *command) start(
	addr string, face http.Handler, failed chan<- error,
) (at string, stop func() error, err error) {
	if addr == "" {
		return "", func() error { return nil }, nil
	}
	l, err := c.listen(addr)
	if err != nil {
		return "", nil, err
	}
	server := wire.NewServer(face, c.idle)
	go func() {
		if err := server.Serve(l); err != http.ErrServerClosed {
			failed <- err
		}
	}()
	return l.Addr().String(), func() error {
		ctx, cancel := context.WithTimeout(context.Background(), grace)
		defer cancel()
		if err := server.Shutdown(ctx); err != nil {
			return errors.Join(fmt.Errorf("requests were cut off: %w", err), server.Close())
		}
		return nil
	}, nil
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
