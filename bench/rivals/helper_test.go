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

func skipWithoutMinIO(t *testing.T, k contest.Contender) {
	if k.Open == nil {
		t.Skip("GABION_MINIO does not name a MinIO server's binary")
	}
}

// open opens a contender in a temporary directory.
func open(t *testing.T, k contest.Contender) contest.Store {
	t.Helper()
	skipWithoutMinIO(t, k)
	s, err := k.Open(t.Context(), t.TempDir(), false)
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
	all := contenders(t.Logf)
	all[len(all)-1] = minioServer(os.Getenv("GABION_MINIO"))
	return all
}
