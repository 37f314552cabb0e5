package main

import (
	"bytes"
	"context"
	"crypto/md5"
	"fmt"
	"hash/crc64"
	"io"
	"io/fs"
	"log"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gabion-storage/gabion/bench/internal/cli"
	"github.com/gabion-storage/gabion/bench/internal/contest"
	"github.com/gabion-storage/gabion/bench/internal/report"
	"github.com/gabion-storage/gabion/engine"
)

// bench runs the program in this process.
func bench(t *testing.T, args ...string) (status int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	status = run(t.Context(), args, &out, &errs)
	return status, out.String(), errs.String()
}

// mustBench runs the program, which must succeed, and returns its output.
func mustBench(t *testing.T, args ...string) string {
	t.Helper()
	status, stdout, stderr := bench(t, args...)
	if status != cli.ExitOK {
		t.Fatalf("bench %q: exit status %d\n%s", args, status, stderr)
	}
	return stdout
}

// randomFile makes a file of n random bytes, other ones for each name.
func randomFile(t *testing.T, name string, n int) (path string, content []byte) {
	t.Helper()
	var seed [32]byte
	copy(seed[:], name)
	content = make([]byte, n)
	rand.NewChaCha8(seed).Read(content)
	path = filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return path, content
}

// line returns the value of a line of a summary.
func line(t *testing.T, summary, name string) string {
	t.Helper()
	for l := range strings.Lines(summary) {
		if value, found := strings.CutPrefix(l, name+" "); found {
			return strings.TrimSpace(value)
		}
	}
	t.Fatalf("the summary has no line %q:\n%s", name, summary)
	return ""
}

func wantLine(t *testing.T, summary, name, want string) {
	t.Helper()
	if got := line(t, summary, name); got != want {
		t.Errorf("%s is %q, want %q", name, got, want)
	}
}

func ossETag(content []byte, partSize int) string {
	var text string
	parts := 0
	for rest := content; parts == 0 || len(rest) > 0; parts++ {
		n := min(partSize, len(rest))
		text += fmt.Sprintf("%X", md5.Sum(rest[:n]))
		rest = rest[n:]
	}
	return fmt.Sprintf("%X-%d", md5.Sum([]byte(text)), parts)
}

func crcOf(content []byte) string {
	return fmt.Sprint(crc64.Checksum(content, crc64.MakeTable(crc64.ECMA)))
}

func wantEnd(t *testing.T, summary string) {
	t.Helper()
	if !strings.HasSuffix(summary, "\nverified\n") {
		t.Errorf("the summary does not end with verified:\n%s", summary)
	}
}

func wantEmptyDir(t *testing.T, dir string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		t.Errorf("%s was left behind", entry.Name())
	}
}

// flipWhere flips one bit of the only place in the files below dir that holds pattern.
func flipWhere(t *testing.T, dir string, pattern []byte) {
	t.Helper()
	flips := 0
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		p, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		at := bytes.Index(p, pattern)
		if at < 0 {
			return nil
		}
		p[at] ^= 1
		flips++
		return os.WriteFile(path, p, 0o600)
	})
	if err != nil || flips != 1 {
		t.Fatalf("flipped %d bits, %v; want one", flips, err)
	}
}

// openUploader opens a store for tests below the command line. The caller closes it.
func openUploader(t *testing.T, dir string) *uploader {
	t.Helper()
	e, err := contest.OpenEngine(t.Context(), dir, engine.Options{}, engine.OSS, t.Logf)
	if err != nil {
		t.Fatal(err)
	}
	return &uploader{options: &uploadOptions{partSize: 100 << 10, parallel: 4}, engine: e, log: log.New(io.Discard, "", 0)}
}

// cancelOn cancels when what is written to it contains a text.
type cancelOn struct {
	text    string
	cancel  context.CancelFunc
	written bytes.Buffer
}

func (c *cancelOn) Write(p []byte) (int, error) {
	c.written.Write(p)
	if strings.Contains(c.written.String(), c.text) {
		c.cancel()
	}
	return len(p), nil
}

func wantNoUploads(t *testing.T, dir string) {
	t.Helper()
	e, err := engine.Open(t.Context(), dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	stats, err := e.Stats(t.Context(), &engine.StatsRequest{})
	if err != nil {
		t.Fatal(err)
	}
	if stats.Uploads != 0 {
		t.Errorf("%d uploads are still open", stats.Uploads)
	}
}

func loadReport(t *testing.T, path string) *report.Report {
	t.Helper()
	r, err := report.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	return r
}
