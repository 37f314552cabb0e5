package main

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

const (
	startTimeout = 60 * time.Second
	stopTimeout  = 30 * time.Second
	pollEvery    = 50 * time.Millisecond
	logTail      = 2000 // bytes of the log that an error tells
)

// A server is a running MinIO server, with credentials of its own.
type server struct {
	address        string
	user, password string
	dir            string // of the drive
	log            string // file
	process        *exec.Cmd
	ended          chan struct{} // closed when the process has ended
	err            error         // how it ended, to be read after that
}

// startServer starts binary with its data, log and home in dir, and waits until it is ready.
func startServer(ctx context.Context, binary, dir string) (_ *server, err error) {
	s := &server{user: "rivals", password: rand.Text(), ended: make(chan struct{})}
	s.dir, s.log = filepath.Join(dir, "drive"), filepath.Join(dir, "log")
	if s.address, err = freeAddress(); err != nil {
		return nil, err
	}
	log, err := os.Create(s.log)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, log.Close()) }() // the process has its own
	s.process = exec.Command(binary, "server", s.dir, "--address", s.address)
	s.process.Dir, s.process.Stdout, s.process.Stderr = dir, log, log
	s.process.Env = s.environment(dir)
	if err := s.process.Start(); err != nil {
		return nil, err
	}
	go func() {
		s.err = s.process.Wait()
		close(s.ended)
	}()
	if err := s.waitReady(ctx); err != nil {
		text := s.tail()
		return nil, fmt.Errorf("MinIO is not ready: %w\n%s", errors.Join(err, s.stop()), text)
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
	ctx, cancel := context.WithTimeoutCause(ctx, startTimeout, fmt.Errorf("it is not after %v", startTimeout))
	defer cancel()
	for !s.ready(ctx) {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-s.ended:
			return errors.New("it has ended")
		case <-time.After(pollEvery):
		}
	}
	return nil
}

// emptyTrash removes what the server has deleted, which it moves away and removes later.
func (s *server) emptyTrash() error {
	trash := filepath.Join(s.dir, ".minio.sys", "tmp", ".trash")
	deleted, err := os.ReadDir(trash)
	for _, entry := range deleted {
		err = errors.Join(err, os.RemoveAll(filepath.Join(trash, entry.Name())))
	}
	return err
}

func (s *server) ready(ctx context.Context) bool {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+s.address+"/minio/health/cluster", nil)
	if err != nil {
		return false
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return false
	}
	res.Body.Close()
	return res.StatusCode == http.StatusOK
}

// stop asks the server to end, and makes it if it does not.
func (s *server) stop() error {
	select {
	case <-s.ended:
		return s.err // by itself, which it should not
	default:
	}
	if err := s.process.Process.Signal(os.Interrupt); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	select {
	case <-s.ended:
		return nil // an exit status tells nothing then
	case <-time.After(stopTimeout):
	}
	err := s.process.Process.Kill()
	<-s.ended
	return errors.Join(errors.New("MinIO did not stop when asked to, and was killed"), err)
}

// tail returns the end of the log.
func (s *server) tail() string {
	f, err := os.Open(s.log)
	if err != nil {
		return err.Error()
	}
	defer f.Close()
	if info, err := f.Stat(); err == nil && info.Size() > logTail {
		if _, err := f.Seek(-logTail, io.SeekEnd); err != nil {
			return err.Error()
		}
	}
	text, err := io.ReadAll(f)
	if err != nil {
		return err.Error()
	}
	return string(text)
}
