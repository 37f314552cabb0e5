package main

import (
	"bytes"
	"context"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gabion-storage/gabion/bench/internal/cli"
	"github.com/gabion-storage/gabion/bench/internal/contest"
)

func TestEngineMeasuresAll(t *testing.T) {
	dir, file := t.TempDir(), filepath.Join(t.TempDir(), "engine.json")
	out := mustBench(t, "engine", "-part", "200KiB", "-parts", "3", "-parallel", "2", "-readers", "2", "-rounds", "2", "-dir", dir, "-json", file)
	wantEmptyDir(t, dir)
	if strings.Contains(out, dir) {
		t.Errorf("the report names the working directory:\n%s", out)
	}
	r := loadReport(t, file)
	want := []string{
		"upload, random, plain", "upload, random, sse", "upload, json, plain", "upload, json, sse", "upload, stored, plain",
		"download, random, plain", "download, random, sse", "download, json, plain", "download, json, sse",
	}
	if got := r.Groups(); !slices.Equal(got, want) {
		t.Errorf("groups are %q, want %q", got, want)
	}
	for _, group := range r.Groups() {
		contenders := []string{"gabion", "gabion-format", "gabion-log", "computing", "crypto/md5", "disk"}
		if strings.HasPrefix(group, contest.Download) {
			contenders = contenders[:3]
		}
		if got := r.Contenders(group); !slices.Equal(got, contenders) {
			t.Errorf("%s: measured are %q, want %q", group, got, contenders)
		}
		if got, want := r.Units(group), []string{"MB/s", "CPU ns/B", "heap KiB"}; !slices.Equal(got, want) {
			t.Errorf("%s: measured in %q, want %q", group, got, want)
		}
		for _, k := range contenders {
			if s := r.Find(group, "2", k, "MB/s"); s == nil || len(s.Values) != 2 || s.Median() <= 0 {
				t.Errorf("%s, %s: %v, want two values", group, k, s)
			}
		}
	}
	const command = "go run ./bench engine -data random,json,stored -only gabion,gabion-format,gabion-log,computing,crypto/md5,disk" +
		" -op upload,download -parallel 2 -part 200KiB -parts 3 -readers 2 -rounds 2 -sse plain,sse"
	if r.Command != command {
		t.Errorf("command is %q, want %q", r.Command, command)
	}
}

// TestEngineInterrupted: what was measured until then is printed.
func TestEngineInterrupted(t *testing.T) {
	for _, text := range []string{"parts in flight: 3", "readers: 1"} {
		dir := t.TempDir()
		ctx, cancel := context.WithCancel(t.Context())
		stderr := &cancelOn{text: text, cancel: cancel}
		var out bytes.Buffer
		args := []string{"engine", "-part", "200KiB", "-data", "random", "-sse", "sse", "-parallel", "1,3", "-rounds", "1", "-dir", dir}
		if status := run(ctx, args, &out, stderr); status != cli.ExitInterrupted ||
			!strings.Contains(out.String(), "upload, random, sse") || !strings.Contains(out.String(), "Not all was measured") {
			t.Errorf("%s: exit status %d, stdout %q, stderr %q", text, status, &out, &stderr.written)
		}
		wantEmptyDir(t, dir)
		cancel()
	}
}
