package main

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"
)

// The access key that every server is given.
const (
	accessKey = "gabionbench"
	secretKey = "gabion-bench-secret"
)

// startTimeout is how long a server may take until it takes connections, and again until it answers.
// Tests shorten it.
var startTimeout = time.Minute

// A server is a process that listens.
type server struct {
	addr string
	cmd  *exec.Cmd
}

// serve starts a program and waits until it takes connections.
func serve(addr, program string, env []string, args ...string) (*server, error) {
	cmd := exec.Command(program, args...)
	cmd.Env = append(os.Environ(), env...)
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	s := &server{addr, cmd}
	for deadline := time.Now().Add(startTimeout); time.Now().Before(deadline); {
		conn, err := net.DialTimeout("tcp", addr, time.Until(deadline))
		if err == nil {
			return s, conn.Close()
		}
		time.Sleep(20 * time.Millisecond)
	}
	return nil, errors.Join(fmt.Errorf("%s does not listen on %s", program, addr), s.stop())
}

func (s *server) stop() error {
	err := s.cmd.Process.Kill()
	_ = s.cmd.Wait() // says that it was killed
	return err
}

// memory is the most that the process has had in memory so far.
func (s *server) memory() (int64, error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	_, after, _ := bytes.Cut(status, []byte("VmHWM:"))
	line, _, _ := bytes.Cut(after, []byte("kB"))
	kib, err := strconv.ParseInt(string(bytes.TrimSpace(line)), 10, 64)
	return kib << 10, err
}

// busy is the time of processors that the process has taken so far, to a hundredth of a second.
func (s *server) busy() (time.Duration, error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", s.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	// Behind the name, which may be anything: the state is field 3, utime and stime are 14 and 15.
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	var ticks int64
	for _, field := range fields[11:13] {
		n, err := strconv.ParseInt(string(field), 10, 64)
		if err != nil {
			return 0, err
		}
		ticks += n
	}
	return time.Duration(ticks) * (time.Second / 100), nil
}

// gabion returns the faces of the command, which it builds.
func gabion() ([]*contender, error) {
	start, err := buildGabion()
	if err != nil {
		return nil, err
	}
	return faces("gabion", start), nil
}

// faces are those of a build of the command.
func faces(name string, start starter) []*contender {
	return []*contender{
		{name: name + ", OSS", start: start("-oss"), dial: dialOSS},
		{name: name + ", S3", start: start("-s3"), dial: dialS3},
		{name: name + ", S3, badger-format", start: start("-s3", "-volumes", "badger-format"), dial: dialS3},
		{name: name + ", S3, log volumes", start: start("-s3", "-volumes", "log"), dial: dialS3},
	}
}

// A starter gives how to start the command with one face, and further arguments.
type starter func(face string, args ...string) func(dir string) (*server, error)

// builtName is what the command is called that is built.
const builtName = "gabion-bench-frontend"

// buildGabion builds the command.
func buildGabion() (starter, error) {
	program := filepath.Join(os.TempDir(), builtName)
	if out, err := exec.Command("go", "build", "-o", program, ".").CombinedOutput(); err != nil {
		return nil, fmt.Errorf("building the command: %w\n%s", err, out)
	}
	return runs(program), nil
}

// runs gives how to start a program that is the command.
func runs(program string) starter {
	return func(face string, args ...string) func(string) (*server, error) {
		return func(dir string) (*server, error) {
			addr, err := freeAddr()
			if err != nil {
				return nil, err
			}
			keys := filepath.Join(dir, "keys")
			if err := os.WriteFile(keys, []byte(accessKey+" "+secretKey+"\n"), 0o600); err != nil {
				return nil, err
			}
			flags := map[string]string{"-oss": "", "-s3": ""}
			flags[face] = addr
			args := append(args, "-dir", filepath.Join(dir, "data"), "-keys", keys,
				"-oss", flags["-oss"], "-s3", flags["-s3"])
			return serve(addr, program, nil, args...)
		}
	}
}

func minioServer(program string) *contender {
	return &contender{name: "MinIO", dial: dialS3, start: func(dir string) (*server, error) {
		addr, err := freeAddr()
		if err != nil {
			return nil, err
		}
		env := []string{"MINIO_ROOT_USER=" + accessKey, "MINIO_ROOT_PASSWORD=" + secretKey}
		return serve(addr, program, env, "server", "--quiet", "--address", addr, dir)
	}}
}

func versityServer(program string) *contender {
	return &contender{name: "versitygw", dial: dialS3, start: func(dir string) (*server, error) {
		addr, err := freeAddr()
		if err != nil {
			return nil, err
		}
		env := []string{"ROOT_ACCESS_KEY=" + accessKey, "ROOT_SECRET_KEY=" + secretKey}
		return serve(addr, program, env, "--port", addr, "--quiet", "posix", dir)
	}}
}

func freeAddr() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}
