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

// TestStalls has clients stall for as long as a few requests take.
func TestStalls(t *testing.T) {
	t.Chdir("..")
	var out strings.Builder
	args := []string{"stalls", "-turns", "1", "-turn", "1ns", "-dir", t.TempDir()}
	if err := run(t.Context(), args, &out); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(out.String(), "200 clients stall") {
		t.Errorf("it says:\n%s", &out)
	}
}
