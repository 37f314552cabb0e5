// Package s3server starts S3 servers for tests: versitygw, a process of its own, over a directory.
package s3server

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// program is the server, as the module proxy has it.
const program = "github.com/versity/versitygw/cmd/versitygw@v1.8.0"

// What the server's one user is called, and its secret.
const (
	AccessKey = "gabion"
	SecretKey = "gabion-secret"
)

// Bucket is there from the start.
const Bucket = "chunks"

// Server is a running server. Its methods are for the goroutine of its test.
type Server struct {
	Addr string // host and port

	t   *testing.T
	dir string
	cmd *exec.Cmd
}

// Start starts a server over an empty directory. It is stopped at the end of the test. The test is
// skipped where the server cannot be built.
func Start(t *testing.T) *Server {
	t.Helper()
	path := build(t)
	s := &Server{Addr: freeAddr(t), t: t, dir: t.TempDir()}
	s.cmd = s.command(path)
	s.run()
	t.Cleanup(s.Kill)
	_, err := s.Client().CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: new(Bucket)})
	if err != nil {
		t.Fatalf("creating a bucket: %v", err)
	}
	return s
}

func (s *Server) command(path string) *exec.Cmd {
	cmd := exec.Command(path, "--port", s.Addr, "--quiet", "posix", s.dir)
	cmd.Env = append(os.Environ(), "ROOT_ACCESS_KEY="+AccessKey, "ROOT_SECRET_KEY="+SecretKey)
	return cmd
}

// run starts the command and waits until it takes connections.
func (s *Server) run() {
	s.t.Helper()
	if err := s.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
		conn, err := net.Dial("tcp", s.Addr)
		if err == nil {
			conn.Close()
			return
		}
		if time.Now().After(deadline) {
			s.t.Fatalf("the S3 server does not come up: %v", err)
		}
	}
}

// Kill kills the server, as often as one likes.
func (s *Server) Kill() {
	if s.cmd.ProcessState == nil {
		_ = s.cmd.Process.Kill()
		_ = s.cmd.Wait() // says that it was killed
	}
}

// Restart kills the server and starts it again, over the same directory at the same address.
func (s *Server) Restart() {
	s.t.Helper()
	s.Kill()
	s.cmd = s.command(s.cmd.Path)
	s.run()
}

// Client returns a client of the server.
func (s *Server) Client() *s3.Client { return ClientOf(s.Addr) }

// ClientOf returns a client of what listens there and passes things on to a server.
func ClientOf(addr string) *s3.Client {
	return s3.New(s3.Options{
		BaseEndpoint: aws.String("http://" + addr), UsePathStyle: true, Region: "us-east-1",
		Credentials: credentials.NewStaticCredentialsProvider(AccessKey, SecretKey, ""),
	})
}

// URL is the place of a store, as fleet.Config has it, behind what listens at an address and passes
// things on to a server. Setenv sets the credentials.
func URL(addr, prefix string) string {
	return fmt.Sprintf("s3://%s/%s?endpoint=http://%s&path-style=true", Bucket, prefix, addr)
}

// Setenv has this process, and those that it starts, use the credentials of servers, and no others.
func Setenv(t *testing.T) {
	t.Helper()
	for name, value := range map[string]string{
		"AWS_ACCESS_KEY_ID": AccessKey, "AWS_SECRET_ACCESS_KEY": SecretKey,
		"AWS_CONFIG_FILE": os.DevNull, "AWS_SHARED_CREDENTIALS_FILE": os.DevNull,
	} {
		t.Setenv(name, value)
	}
}

// Dir is the directory that the objects of the bucket lie in.
func (s *Server) Dir() string { return filepath.Join(s.dir, Bucket) }

func freeAddr(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

var building sync.Mutex

// build returns the path of the program, which is built once for all tests of this machine's user.
func build(t *testing.T) string {
	t.Helper()
	building.Lock()
	defer building.Unlock()
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Skipf("needs tools: a cache for the S3 server: %v", err)
	}
	dir := filepath.Join(cache, "gabion-test", filepath.Base(program))
	path := filepath.Join(dir, "versitygw")
	if _, err := os.Stat(path); err == nil {
		return path
	}
	ctx, cancel := context.WithTimeout(t.Context(), 15*time.Minute)
	defer cancel()
	install := exec.CommandContext(ctx, "go", "install", program)
	install.Env = append(os.Environ(), "GOBIN="+dir, "GOFLAGS=")
	if out, err := install.CombinedOutput(); err != nil {
		t.Skipf("needs tools: %s: %v\n%s", program, err, out)
	}
	return path
}
