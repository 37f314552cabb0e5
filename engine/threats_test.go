package engine_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestThreatModel makes sure that the tests exist by which the threat model of package crypto says
// that it holds.
func TestThreatModel(t *testing.T) {
	there := map[string]bool{}
	for prefix, pattern := range map[string]string{"": "*_test.go", "crypto.": "../crypto/*_test.go"} {
		files, err := filepath.Glob(pattern)
		if err != nil || len(files) == 0 {
			t.Fatalf("%s: %d files, %v", pattern, len(files), err)
		}
		for _, file := range files {
			for _, m := range regexp.MustCompile(`(?m)^func ((?:Test|Fuzz)\w+)\(`).FindAllStringSubmatch(readFile(t, file), -1) {
				there[prefix+m[1]] = true
			}
		}
	}
	_, model, found := strings.Cut(readFile(t, "../crypto/doc.go"), "# Threat model")
	if !found {
		t.Fatal("there is no threat model")
	}
	model = regexp.MustCompile(`\n//\s*`).ReplaceAllString(model, " ")
	named := 0
	for _, brackets := range regexp.MustCompile(`\[([^\]]*)\]`).FindAllStringSubmatch(model, -1) {
		for _, name := range strings.Split(brackets[1], ",") {
			named++
			if name = strings.TrimSpace(name); !there[name] {
				t.Errorf("%s is named, and is no test", name)
			}
		}
	}
	if named < 10 {
		t.Errorf("only %d tests are named", named)
	}
}

func readFile(t *testing.T, name string) string {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}
