package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gabion-storage/gabion/bench/internal/cli"
	"github.com/gabion-storage/gabion/bench/internal/contest"
	"github.com/gabion-storage/gabion/bench/internal/data"
	"github.com/gabion-storage/gabion/bench/internal/report"
)

// Each contender stores objects by parts, reads them and deletes them, more than once.
func TestContenders(t *testing.T) {
	for _, k := range all(t) {
		for _, encrypt := range []bool{false, true} {
			if encrypt && !k.Encrypts {
				continue
			}
			t.Run(fmt.Sprintf("%s, encrypted %v", k.Name, encrypt), func(t *testing.T) {
				if k.Name == minioName && os.Getenv("GABION_MINIO") == "" {
					t.Skip("GABION_MINIO does not name a MinIO server's binary")
				}
				c := &contest.Contest{
					Place: cli.Place{Dir: t.TempDir()}, Contenders: []contest.Contender{k}, Report: &report.Report{}, Logf: t.Logf,
					Parallel: cli.Counts(1, 9, 2), Readers: []int{3}, Part: 5 << 20, Parts: 2, Rounds: 2,
				}
				mode := contest.Plain
				if encrypt {
					mode = "sse"
				}
				groups := []contest.Group{{Op: contest.Upload, Data: data.JSON, Mode: mode}, {Op: contest.Download, Data: data.JSON, Mode: mode}}
				if err := c.Run(t.Context(), groups, maxObject, io.Discard); err != nil {
					t.Fatal(err)
				}
			})
		}
	}
}

func TestDeletedObjectsAreGone(t *testing.T) {
	for _, k := range all(t) {
		t.Run(k.Name, func(t *testing.T) {
			s := open(t, k, false)
			id, err := s.Initiate(t.Context(), "object")
			if err != nil {
				t.Fatal(err)
			}
			etag, err := s.UploadPart(t.Context(), "object", id, 1, []byte("stone"))
			if err != nil {
				t.Fatal(err)
			}
			if _, err := s.Complete(t.Context(), "object", id, []string{etag}); err != nil {
				t.Fatal(err)
			}
			if err := s.Remove(t.Context(), "object"); err != nil {
				t.Fatal(err)
			}
			if err := s.Download(t.Context(), "object", &bytes.Buffer{}); err == nil {
				t.Error("a deleted object can be read")
			}
		})
	}
}

// A part that is not there must not become an object: a contender that does not notice would be
// measured at less work than the others.
func TestContendersNoticeMissingPart(t *testing.T) {
	for _, k := range all(t) {
		t.Run(k.Name, func(t *testing.T) {
			s := open(t, k, false)
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
	t.Run("versitygw", func(t *testing.T) { open(t, versity(), false) })
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
