// Package clients is what tests share that drive a face by other projects' clients and their own
// test suites.
package clients

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
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
	Client   string
	Names    []string
	Excluded string // a file with a line for each test that is not run: its name and the reason

	// Lanes is in how many lanes tests run beside each other, 1 if 0.
	Lanes int

	// Tries is how often a test is run until it passes, 1 if 0: more for a client whose tests race with
	// themselves.
	Tries int

	// Command is the program that runs one test in a lane. Passed says whether what it printed is what
	// a test prints that has passed: one that was skipped, or not found, fails.
	Command func(lane int, name string) *exec.Cmd
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
						out, err := s.Command(lane, name).CombinedOutput()
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

// exclusions are the tests that are not run. One that has no reason, or that there is not, is a
// mistake.
func (s *Suite) exclusions(t *testing.T) map[string]bool {
	t.Helper()
	text, err := os.ReadFile(s.Excluded)
	if err != nil {
		t.Fatal(err)
	}
	excluded := map[string]bool{}
	for line := range strings.Lines(string(text)) {
		name, reason, _ := strings.Cut(strings.TrimSpace(line), " ")
		switch {
		case name == "" || name == "#":
		case strings.TrimSpace(reason) == "" || !slices.Contains(s.Names, name):
			t.Errorf("%s: %q has no reason, or is no test", s.Excluded, name)
		default:
			excluded[name] = true
		}
	}
	return excluded
}
