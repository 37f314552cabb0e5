package main

import (
	"strings"
	"testing"
)

// TestBench sends a small object through both faces, as the command does.
func TestBench(t *testing.T) {
	t.Chdir("..") // where the command is run, and finds what it builds
	var out strings.Builder
	args := []string{"-size", "20", "-rounds", "1", "-dir", t.TempDir()}
	if err := run(t.Context(), args, &out); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"gabion, OSS", "gabion, S3"} {
		if !strings.Contains(out.String(), name) {
			t.Errorf("%q is missing in:\n%s", name, &out)
		}
	}
}
