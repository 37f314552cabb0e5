package oss_test

import (
	"bytes"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gabion-storage/gabion/frontend/internal/clients"
	"github.com/gabion-storage/gabion/frontend/oss"
)

// An ossutil is the command, with the options of one signature.
type ossutil struct {
	t       *testing.T
	program string
	options []string
	runs    int
}

// run runs it in a directory, and returns what it says.
func (u *ossutil) run(dir string, args ...string) string {
	u.t.Helper()
	u.runs++
	cmd := exec.CommandContext(u.t.Context(), u.program, append(args, u.options...)...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "HOME="+dir)
	out, err := cmd.CombinedOutput()
	if err != nil {
		u.t.Fatalf("ossutil %q: %v\n%s", args, err, out)
	}
	return string(out)
}

// TestOssutil has ossutil bring files up and down, a large one by parts, by either signature.
func TestOssutil(t *testing.T) {
	clients.Need(t)
	program, endpoint := clients.Ossutil(t), serve(t)
	for _, version := range []string{"v1", "v4"} {
		u := &ossutil{t: t, program: program, options: []string{
			"-e", endpoint, "-i", accessKey, "-k", secret,
			"--sign-version", version, "--region", oss.DefaultRegion,
		}}
		u.session(t.TempDir())
		t.Logf("%s, signature %s: %d runs passed", clients.OssutilModule, version, u.runs)
	}
}

// session goes from a bucket that is made to one that is removed.
func (u *ossutil) session(dir string) {
	u.t.Helper()
	const size, partSize = 10<<20 + 1, "1048576"
	big := make([]byte, size)
	_, _ = rand.NewChaCha8([32]byte{2}).Read(big) // never fails
	if err := os.MkdirAll(filepath.Join(dir, "up", "below"), 0o700); err != nil {
		u.t.Fatal(err)
	}
	write(u.t, filepath.Join(dir, "up", "big"), string(big))
	write(u.t, filepath.Join(dir, "up", "below", "smäll x+y"), "small")
	byParts := []string{"-f", "--bigfile-threshold", partSize, "--part-size", partSize}

	u.run(dir, "mb", "oss://photos")
	u.run(dir, append(byParts, "cp", "-r", "up", "oss://photos/2026/")...)
	listed := u.run(dir, "ls", "oss://photos")
	for _, want := range []string{"2026/big", "2026/below/smäll x+y", "-11 "} { // parts
		if !strings.Contains(listed, want) {
			u.t.Errorf("%q is not listed:\n%s", want, listed)
		}
	}
	u.run(dir, append(byParts, "cp", "-r", "oss://photos/2026/", "down/")...)
	u.run(dir, "cp", "-f", "oss://photos/2026/big", "oss://photos/copied")
	u.run(dir, "cp", "-f", "oss://photos/copied", "copied")
	for path, want := range map[string][]byte{
		"down/big": big, "down/below/smäll x+y": []byte("small"), "copied": big,
	} {
		got, err := os.ReadFile(filepath.Join(dir, path))
		if err != nil || !bytes.Equal(got, want) {
			u.t.Errorf("%s has %d bytes that are not those of its source, %v", path, len(got), err)
		}
	}
	u.run(dir, "set-meta", "oss://photos/copied", "x-oss-meta-a:b", "-f")
	if said := u.run(dir, "stat", "oss://photos/copied"); !strings.Contains(said, "X-Oss-Meta-A") {
		u.t.Errorf("stat says:\n%s", said)
	}
	u.run(dir, "rm", "-r", "-f", "oss://photos")
	if listed := u.run(dir, "ls", "oss://photos"); !strings.Contains(listed, "Object Number is: 0") {
		u.t.Errorf("after rm there is:\n%s", listed)
	}
	u.run(dir, "rm", "-b", "-f", "oss://photos")
}
