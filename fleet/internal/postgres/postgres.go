//go:build unix

// Package postgres starts servers of PostgreSQL for tests: each in a directory of its own, on a
// Unix socket, removed after the test.
package postgres

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// patience is how long a server may take to start.
const patience = 30 * time.Second

// A Server is a server that runs, or was killed.
type Server struct {
	t    testing.TB
	dir  string // its home: the data, the socket and the log
	data string
	bin  string // of its programs
	as   *syscall.Credential

	process *exec.Cmd
	exited  chan struct{}
}

// Start starts a new server, with settings such as fsync=off. It skips the test, and says why,
// where there is no PostgreSQL.
func Start(t testing.TB, settings ...string) *Server {
	t.Helper()
	s := New(t)
	s.Init(filepath.Join(s.dir, "data"))
	s.Run(settings...)
	return s
}

// New makes the home of a server.
func New(t testing.TB) *Server {
	t.Helper()
	bin, err := programs()
	if err != nil {
		t.Skip(err)
	}
	s := &Server{t: t, bin: bin}
	if s.dir, err = os.MkdirTemp("", "gabion-postgres-"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		s.Kill()
		if t.Failed() {
			log, _ := os.ReadFile(filepath.Join(s.dir, "log"))
			t.Logf("the server's log ends with\n%s", log[max(0, len(log)-4000):])
		}
		if err := os.RemoveAll(s.dir); err != nil {
			t.Error(err)
		}
	})
	if os.Getuid() == 0 { // which the server refuses to be
		if s.as, err = postgresUser(); err != nil {
			t.Skip(err)
		}
	}
	s.Own(s.dir)
	return s
}

// programs finds the directory of the server's programs.
func programs() (string, error) {
	if path, err := exec.LookPath("initdb"); err == nil {
		if path, err = filepath.EvalSymlinks(path); err == nil {
			return filepath.Dir(path), nil
		}
	}
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if err != nil || len(found) == 0 {
		return "", errors.New("needs PostgreSQL: there is no initdb in PATH or /usr/lib/postgresql")
	}
	return filepath.Dir(slices.Max(found)), nil
}

func postgresUser() (*syscall.Credential, error) {
	u, err := user.Lookup("postgres")
	if err != nil {
		return nil, fmt.Errorf("needs PostgreSQL, which does not run as root: %w", err)
	}
	uid, err := strconv.ParseUint(u.Uid, 10, 32)
	if err != nil {
		return nil, err
	}
	gid, err := strconv.ParseUint(u.Gid, 10, 32)
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, err
}

// Own gives a directory to the server's user.
func (s *Server) Own(dir string) {
	s.t.Helper()
	if s.as != nil {
		if err := os.Chown(dir, int(s.as.Uid), int(s.as.Gid)); err != nil {
			s.t.Fatal(err)
		}
	}
}

// Dir is the home of the server, which belongs to its user.
func (s *Server) Dir() string { return s.dir }

// Init makes an empty cluster. Its log of writes is beside it, whatever disk the data is on.
func (s *Server) Init(data string) {
	s.t.Helper()
	s.data = data
	out, err := s.command(
		"initdb", "-D", data, "-X", filepath.Join(s.dir, "wal"), "-U", "postgres", "-A", "trust",
		"-E", "UTF8", "--locale=C", "--no-sync", "--no-instructions",
	).CombinedOutput()
	if err != nil {
		s.t.Fatalf("initdb: %v\n%s", err, out)
	}
}

func (s *Server) command(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(s.bin, name), args...)
	cmd.Dir = s.dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: s.as}
	return cmd
}

// Run starts the server, for the first time or again, and waits until it can be used.
func (s *Server) Run(settings ...string) {
	s.t.Helper()
	args := []string{
		"-D", s.data, "-k", s.dir, "-c", "listen_addresses=", "-c", "max_connections=200",
		"-c", "checkpoint_timeout=1h", // the server does not survive one on a full disk
	}
	for _, set := range settings {
		args = append(args, "-c", set)
	}
	log, err := os.OpenFile(filepath.Join(s.dir, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		s.t.Fatal(err)
	}
	defer log.Close()
	for end := time.Now().Add(patience); ; {
		s.process = s.command("postgres", args...)
		s.process.Stdout, s.process.Stderr = log, log
		if err := s.process.Start(); err != nil {
			s.t.Fatal(err)
		}
		exited := make(chan struct{})
		s.exited = exited
		go func(process *exec.Cmd) {
			_ = process.Wait()
			close(exited)
		}(s.process)
		if s.ready(end) {
			return
		}
		if time.Now().After(end) {
			s.t.Fatal("the server does not start")
		}
		time.Sleep(50 * time.Millisecond) // until what was killed has let go of the data
	}
}

// ready waits until the server can be used, or has ended.
func (s *Server) ready(end time.Time) bool {
	for time.Now().Before(end) {
		select {
		case <-s.exited:
			return false
		case <-time.After(10 * time.Millisecond):
		}
		ctx, cancel := context.WithDeadline(context.Background(), end)
		conn, err := pgx.Connect(ctx, s.DSN())
		if err == nil {
			err = conn.Close(ctx)
		}
		if cancel(); err == nil {
			return true
		}
	}
	return false
}

// DSN is how to connect to the server.
func (s *Server) DSN() string { return DSN(s.dir) }

// DSN is how to connect through the socket in a directory.
func DSN(dir string) string {
	return fmt.Sprintf("host=%s port=5432 user=postgres dbname=postgres", dir)
}

// URL is how to connect through the socket in a directory, as fleet.Config has it.
func URL(dir string) string {
	return "postgres:///postgres?user=postgres&host=" + url.PathEscape(dir)
}

// Socket is the name of the server's socket, in any directory.
const Socket = ".s.PGSQL.5432"

// Kill ends the server and all processes that serve its connections at once, as kill -9 does.
func (s *Server) Kill() {
	if s.process == nil {
		return
	}
	pid := s.process.Process.Pid
	children, _ := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid))
	_ = s.process.Process.Kill()
	for text := range strings.FieldsSeq(string(children)) {
		if child, err := strconv.Atoi(text); err == nil {
			_ = syscall.Kill(child, syscall.SIGKILL)
		}
	}
	<-s.exited
	s.process = nil
}
