package main

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/gabion-storage/gabion/fleet/internal/postgres"
	"github.com/gabion-storage/gabion/fleet/internal/s3server"
)

// TestMain has the test's program do jobs, as the command does.
func TestMain(m *testing.M) {
	if spec := os.Getenv(jobVariable); spec != "" {
		if err := work(context.Background(), spec, os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// TestBench measures a fleet over servers of its own: little of it, unless GABION_FLEET_BENCH has the
// command's arguments, as "-size 1024 -rounds 5".
func TestBench(t *testing.T) {
	database, store := postgres.Start(t), s3server.Start(t)
	s3server.Setenv(t)
	t.Setenv("AWS_REGION", "us-east-1")
	args := []string{
		"-index", postgres.URL(database.Dir()), "-chunks", s3server.URL(store.Addr, "fleet"),
	}
	told, ok := os.LookupEnv("GABION_FLEET_BENCH")
	if !ok {
		told = "-size 64 -calls 40 -processes 2 -rounds 1"
	}
	var out strings.Builder
	if err := run(t.Context(), append(args, strings.Fields(told)...), &out); err != nil {
		t.Fatal(err)
	}
	t.Log(out.String())
	for _, row := range []string{"| GetObject, 16 MiB | gabion | 2 |", "| GetObject, 16 MiB | the SDK | 2 |"} {
		if !strings.Contains(out.String(), row) {
			t.Errorf("%q is missing in:\n%s", row, &out)
		}
	}
}
