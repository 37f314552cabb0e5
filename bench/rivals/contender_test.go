package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gabion-storage/gabion/bench/internal/cli"
)

// Each contender stores objects by parts and gives them back, encrypted, too, if it can. The whole
// program runs, and compares ETags and bytes.
func TestContenders(t *testing.T) {
	for _, k := range all(t) {
		t.Run(k.Name, func(t *testing.T) {
			skipWithoutMinIO(t, k)
			dir := t.TempDir()
			args := []string{"-only", k.Name, "-dir", dir, "-data", "json", "-part", "5MiB", "-parts", "2",
				"-parallel", "2", "-readers", "3", "-rounds", "2"}
			if binary := os.Getenv("GABION_MINIO"); binary != "" {
				args = append(args, "-minio", binary)
			}
			status, out, errs := rivals(t, args...)
			if status != cli.ExitOK || strings.Contains(out, "upload, json, sse") != k.Encrypts {
				t.Errorf("exit status %d, stdout %q, stderr %q", status, out, errs)
			}
			if inProcess := strings.Contains(out, "CPU ns/B|"); inProcess == k.Remote {
				t.Errorf("the processor's time is told: %v\n%s", inProcess, out)
			}
			if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
				t.Errorf("left behind: %v, %v", left, err)
			}
		})
	}
}

// A part that is not there must not become an object: a contender that does not notice would be
// measured at less work than the others.
func TestContendersNoticeMissingPart(t *testing.T) {
	for _, k := range all(t) {
		if k.WriteOnly {
			continue
		}
		t.Run(k.Name, func(t *testing.T) {
			s := open(t, k)
			id, err := s.Initiate(t.Context(), "object")
			if err != nil {
				t.Fatal(err)
			}
			etag, err := s.UploadPart(t.Context(), "object", id, 1, make([]byte, 5<<20))
			if err != nil {
				t.Fatal(err)
			}
			if _, err := s.Complete(t.Context(), "object", id, []string{etag, etag}); err == nil {
				t.Error("completed without the second part")
			}
		})
	}
}

func TestWorkingDirectoryIsRestored(t *testing.T) {
	before, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	t.Run("versitygw", func(t *testing.T) { open(t, versity()) })
	if after, err := os.Getwd(); err != nil || after != before {
		t.Errorf("the working directory is %s, %v; was %s", after, err, before)
	}
}

func TestServerThatEnds(t *testing.T) {
	binary := filepath.Join(t.TempDir(), "minio")
	if err := os.WriteFile(binary, []byte("#!/bin/sh\necho the reason >&2\nexit 3\n"), 0o777); err != nil {
		t.Fatal(err)
	}
	_, err := startServer(t.Context(), binary, t.TempDir())
	if err == nil || !strings.Contains(err.Error(), "exit status 3") || !strings.Contains(err.Error(), "the reason") {
		t.Errorf("got %v", err)
	}
}
