package engine_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// aroundSample makes a package of a sample of the README: what it names without having made it is
// given.
const aroundSample = `package readme

import (
	"context"
	"fmt"
	"io"

	"github.com/gabion-storage/gabion/crypto"
	"github.com/gabion-storage/gabion/engine"
)

var (
	_ = fmt.Println
	_ crypto.CustomerKey
	_ engine.Rules
)

func _(ctx context.Context, body io.Reader, w io.Writer) error {
//line README.md:LINE
BODY}
`

// TestREADMECompiles compiles the README's samples as they are printed.
func TestREADMECompiles(t *testing.T) {
	tool, err := exec.LookPath("go")
	if err != nil {
		t.Skip(err)
	}
	readme := readFile(t, "../README.md")
	samples := regexp.MustCompile("(?s)\n```go\n(.*?\n)```\n").FindAllStringSubmatchIndex(readme, -1)
	if len(samples) == 0 {
		t.Fatal("README.md has no samples")
	}
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for _, at := range samples {
		// A package of the module, which is there for the compiler only.
		line := strings.Count(readme[:at[2]], "\n") + 1
		dir := t.TempDir()
		source, overlay := filepath.Join(dir, "sample.go"), filepath.Join(dir, "overlay.json")
		text := strings.NewReplacer("LINE", strconv.Itoa(line), "BODY", readme[at[2]:at[3]]).
			Replace(aroundSample)
		list, err := json.Marshal(map[string]map[string]string{
			"Replace": {filepath.Join(here, "readme", "sample.go"): source},
		})
		if err != nil {
			t.Fatal(err)
		}
		for name, data := range map[string][]byte{source: []byte(text), overlay: list} {
			if err := os.WriteFile(name, data, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		out, err := exec.Command(tool, "build", "-overlay", overlay, "./readme").CombinedOutput()
		if err != nil {
			t.Errorf("the sample in line %d of README.md: %v\n%s", line, err, out)
		}
	}
}
