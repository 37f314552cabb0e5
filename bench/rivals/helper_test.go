package main

import (
	"bytes"
	"os"
	"testing"

	"github.com/gabion-storage/gabion/bench/internal/contest"
)

// rivals runs the program in this process.
func rivals(t *testing.T, args ...string) (status int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	status = run(t.Context(), args, &out, &errs)
	return status, out.String(), errs.String()
}

// open opens a contender in a temporary directory. Where there is no MinIO, its test is skipped.
func open(t *testing.T, k contest.Contender, encrypt bool) contest.Store {
	t.Helper()
	if k.Name == minioName && os.Getenv("GABION_MINIO") == "" {
		t.Skip("GABION_MINIO does not name a MinIO server's binary")
	}
	s, err := k.Open(t.Context(), t.TempDir(), encrypt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// all are the contenders, MinIO being that of the environment.
func all(t *testing.T) []contest.Contender {
	return contenders(os.Getenv("GABION_MINIO"), t.Logf)
}
