// Package clients is what tests share that drive a face by other projects' clients and their own
// test suites.
package clients

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// Need skips a test that takes minutes and downloads a client, unless it is asked for.
func Need(t *testing.T) {
	t.Helper()
	if os.Getenv("GABION_CLIENTS") == "" {
		t.Skip("GABION_CLIENTS is not set")
	}
}

// CopyModule copies a module, as "path@version", from the module cache to where it can be changed.
func CopyModule(t *testing.T, module string) (dir string) {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "mod", "download", "-json", module).Output()
	var got struct{ Dir string }
	if err == nil {
		err = json.Unmarshal(out, &got)
	}
	if err != nil {
		t.Fatalf("go mod download %s: %v\n%s", module, err, out)
	}
	dir = filepath.Join(t.TempDir(), "module")
	if err := os.CopyFS(dir, os.DirFS(got.Dir)); err != nil {
		t.Fatal(err)
	}
	return dir
}

// OssutilModule is where Ossutil comes from. The source of version 2 is not public.
const OssutilModule = "github.com/aliyun/ossutil@v1.7.19"

// Edit replaces texts of a file, each of which must be there, and returns what it then has.
func Edit(t *testing.T, path string, edits [][2]string) (text []byte) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, edit := range edits {
		if !bytes.Contains(text, []byte(edit[0])) {
			t.Fatalf("%s has no %q any more", path, edit[0])
		}
		text = bytes.ReplaceAll(text, []byte(edit[0]), []byte(edit[1]))
	}
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return text
}

// Ossutil builds ossutil, and returns the program.
func Ossutil(t *testing.T) string {
	t.Helper()
	source := CopyModule(t, OssutilModule)
	Run(t, source, "go", "build", "-o", "ossutil", ".")
	return filepath.Join(source, "ossutil")
}

// Run runs a program in a directory, which must succeed.
func Run(t *testing.T, dir, program string, args ...string) {
	t.Helper()
	run := exec.CommandContext(t.Context(), program, args...)
	run.Dir = dir
	if out, err := run.CombinedOutput(); err != nil {
		t.Fatalf("%s %s: %v\n%s", program, strings.Join(args, " "), err, out)
	}
}

// A Suite is a client's own tests, built, by name.
type Suite struct {
	Client string
	Names  []string

	// Excluded is a file with a line for each test that is not run: its name and the reason. A name that
	// ends in * stands for all that begin like it.
	Excluded string

	// Lanes is in how many lanes tests run beside each other, 1 if 0.
	Lanes int

	// Tries is how often a test is run until it passes, 1 if 0: more for a client whose tests race with
	// themselves.
	Tries int

	// Command is the program that runs one test in a lane; what it sets up for t alone ends with that
	// test. Passed says whether what it printed is what a test prints that has passed: one that was
	// skipped, or not found, fails.
	Command func(t *testing.T, lane int, name string) *exec.Cmd
	Passed  func(name string, out []byte) bool
}

// Test runs each test that is not excluded as a process and a subtest of its own, and prints how many
// passed, failed and are excluded.
func (s *Suite) Test(t *testing.T) {
	excluded := s.exclusions(t)
	names := make(chan string)
	var lanes sync.WaitGroup
	var passed, failed atomic.Int64
	for lane := range max(s.Lanes, 1) {
		lanes.Go(func() {
			for name := range names {
				ran := false // unless -run says otherwise
				ok := t.Run(name, func(t *testing.T) {
					ran = true
					for try := 1; ; try++ {
						out, err := s.Command(t, lane, name).CombinedOutput()
						if err == nil && s.Passed(name, out) {
							break
						}
						if try >= s.Tries {
							t.Errorf("%v\n%s", err, out)
							break
						}
						t.Logf("try %d: %v\n%s", try, err, out)
					}
				})
				switch {
				case ok && ran:
					passed.Add(1)
				case ran:
					failed.Add(1)
				}
			}
		})
	}
	for _, name := range s.Names {
		if !excluded[name] {
			names <- name
		}
	}
	close(names)
	lanes.Wait()
	t.Logf("%s: %d passed, %d failed, %d excluded", s.Client, passed.Load(), failed.Load(), len(excluded))
}

// exclusions are the tests that are not run. A line without a reason, or that excludes no more than
// those above it, is a mistake.
func (s *Suite) exclusions(t *testing.T) map[string]bool {
	t.Helper()
	text, err := os.ReadFile(s.Excluded)
	if err != nil {
		t.Fatal(err)
	}
	excluded := map[string]bool{}
	for line := range strings.Lines(string(text)) {
		pattern, reason, _ := strings.Cut(strings.TrimSpace(line), " ")
		if pattern == "" || pattern == "#" {
			continue
		}
		before := len(excluded)
		beginning, many := strings.CutSuffix(pattern, "*")
		for _, name := range s.Names {
			if name == pattern || many && strings.HasPrefix(name, beginning) {
				excluded[name] = true
			}
		}
		if strings.TrimSpace(reason) == "" || len(excluded) == before {
			t.Errorf("%s: %q has no reason, or is no test, or is excluded twice", s.Excluded, pattern)
		}
	}
	return excluded
}
