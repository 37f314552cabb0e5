package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"time"
)

const (
	startTimeout = 60 * time.Second
	stopTimeout  = 30 * time.Second
	pollEvery    = 50 * time.Millisecond
)

// A server is a running MinIO server, with credentials of its own.
type server struct {
	address        string
	user, password string
	end            func()        // asks the process to end, and makes it if it does not
	ended          chan struct{} // closed when the process has ended
	err            error         // how it ended, and
	log            bytes.Buffer  // what it said, to be read after that
}

// startServer starts binary with its data and home in dir, and waits until it is ready.
func startServer(ctx context.Context, binary, dir string) (_ *server, err error) {
	s := &server{user: "rivals", password: rand.Text(), ended: make(chan struct{})}
	if s.address, err = freeAddress(); err != nil {
		return nil, err
	}
	running, end := context.WithCancel(context.WithoutCancel(ctx))
	s.end = end
	process := exec.CommandContext(running, binary, "server", "drive", "--address", s.address)
	process.Cancel = func() error { return process.Process.Signal(os.Interrupt) }
	process.WaitDelay = stopTimeout
	process.Dir, process.Env = dir, s.environment(dir)
	process.Stdout, process.Stderr = &s.log, &s.log
	if err := process.Start(); err != nil {
		end()
		return nil, err
	}
	go func() {
		s.err = process.Wait()
		close(s.ended)
	}()
	if err := s.waitReady(ctx); err != nil {
		return nil, fmt.Errorf("MinIO is not ready: %w\n%s", errors.Join(err, s.stop()), &s.log)
	}
	return s, nil
}

// environment is all that the server gets: nothing of this process's that would configure it. With
// the key it encrypts whoever asks for SSE-S3, without a KMS and without TLS.
func (s *server) environment(dir string) []string {
	key := make([]byte, 32)
	rand.Read(key) // never fails
	return []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + dir,
		"MINIO_ROOT_USER=" + s.user, "MINIO_ROOT_PASSWORD=" + s.password,
		"MINIO_KMS_SECRET_KEY=rivals:" + base64.StdEncoding.EncodeToString(key),
		"MINIO_BROWSER=off", "MINIO_UPDATE=off",
	}
}

// freeAddress returns an address of the loopback interface that nobody listens on.
func freeAddress() (string, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return listener.Addr().String(), listener.Close()
}

// waitReady polls until the server says that it is ready.
func (s *server) waitReady(ctx context.Context) error {
	late := fmt.Errorf("it is not after %v", startTimeout)
	ctx, cancel := context.WithTimeoutCause(ctx, startTimeout, late)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet,
		"http://"+s.address+"/minio/health/cluster", nil)
	if err != nil {
		return err
	}
	for {
		res, err := http.DefaultClient.Do(req)
		if err == nil {
			res.Body.Close()
			if res.StatusCode == http.StatusOK {
				return nil
			}
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-s.ended:
			return errors.New("it has ended")
		case <-time.After(pollEvery):
		}
	}
}

// stop ends the server. It fails when that had ended by itself.
func (s *server) stop() error {
	select {
	case <-s.ended:
		s.end()
		return s.err
	default:
	}
	s.end()
	<-s.ended
	return nil // an exit status tells nothing then
}
