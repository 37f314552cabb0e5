package s3_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gabion-storage/gabion/crypto"
	"github.com/gabion-storage/gabion/engine"
)

// needClients skips a test that drives the face by another project's client, unless it is asked for:
// together they take minutes.
func needClients(t *testing.T) {
	t.Helper()
	if os.Getenv("GABION_CLIENTS") == "" {
		t.Skip("GABION_CLIENTS is not set")
	}
}

// diskEngine opens an engine in a directory; the test's end checks and closes it.
func diskEngine(t *testing.T) *engine.Engine {
	t.Helper()
	ring, err := crypto.CreateKeyring(filepath.Join(t.TempDir(), "keyring"))
	if err != nil {
		t.Fatal(err)
	}
	e, err := engine.Open(t.Context(), t.TempDir(), &engine.Options{Keys: ring})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { checkAndClose(t, e) })
	return e
}

// moduleDir is where a module lies in the module cache, which it is downloaded to.
func moduleDir(t *testing.T, module string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "mod", "download", "-json", module).Output()
	var got struct{ Dir string }
	if err == nil {
		err = json.Unmarshal(out, &got)
	}
	if err != nil {
		t.Fatalf("go mod download %s: %v\n%s", module, err, out)
	}
	return got.Dir
}

// exclusions are the tests that a file names, each with its reason. One that there is not is a
// mistake.
func exclusions(t *testing.T, file string, names []string) map[string]bool {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	excluded := map[string]bool{}
	for line := range strings.Lines(string(text)) {
		name, reason, _ := strings.Cut(strings.TrimSpace(line), " ")
		switch {
		case name == "" || name == "#":
		case strings.TrimSpace(reason) == "" || !slices.Contains(names, name):
			t.Errorf("%s: %q has no reason, or is no test", file, name)
		default:
			excluded[name] = true
		}
	}
	return excluded
}

// A tally counts a suite's tests.
type tally struct{ passed, failed, excluded int }

func (n *tally) count(passed bool) {
	if passed {
		n.passed++
	} else {
		n.failed++
	}
}

// print says the numbers.
func (n *tally) print(t *testing.T, suite string) {
	t.Logf("%s: %d passed, %d failed, %d excluded", suite, n.passed, n.failed, n.excluded)
}
