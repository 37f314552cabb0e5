package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestContenders(t *testing.T) {
	for _, c := range contenders() {
		for _, encrypt := range []bool{false, true} {
			if encrypt && !c.encrypts {
				continue
			}
			name := c.name
			if encrypt {
				name += "/sse"
			}
			t.Run(name, func(t *testing.T) {
				testContender(t, open(t, c, encrypt))
			})
		}
	}
}

// testContender stores an object by parts in parallel, reads it, deletes it, and stores another one
// of that name.
func testContender(t *testing.T, s store) {
	ctx := t.Context()
	for round := range uint32(2) {
		o := smallObject(t, round)
		if _, err := o.upload(ctx, s, 2); err != nil {
			t.Fatal(err)
		}
		if err := o.verify(ctx, s); err != nil {
			t.Fatal(err)
		}
		if _, err := o.downloads(ctx, s, 3); err != nil {
			t.Fatal(err)
		}
		if err := s.remove(ctx, o.key); err != nil {
			t.Fatal(err)
		}
		if err := s.download(ctx, o.key, &bytes.Buffer{}); err == nil {
			t.Error("a deleted object can be read")
		}
	}
}

// A part that is not there must not become an object: a contender that does not notice would be
// measured at less work than the others.
func TestContendersNoticeMissingPart(t *testing.T) {
	for _, c := range contenders() {
		t.Run(c.name, func(t *testing.T) {
			s := open(t, c, false)
			o := smallObject(t, 0)
			id, err := s.initiate(t.Context(), o.key)
			if err != nil {
				t.Fatal(err)
			}
			etag, err := s.uploadPart(t.Context(), o.key, id, 1, o.parts[0])
			if err != nil {
				t.Fatal(err)
			}
			if _, err := s.complete(t.Context(), o.key, id, []string{etag, etag}); err == nil {
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
	t.Run("versitygw", func(t *testing.T) { open(t, versityContender(), false) })
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
