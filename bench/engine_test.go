package main

import (
	"bytes"
	"context"
	"crypto/md5"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gabion-storage/gabion/bench/internal/cli"
	"github.com/gabion-storage/gabion/bench/internal/contest"
)

func TestEngineMeasuresAll(t *testing.T) {
	dir, file := t.TempDir(), filepath.Join(t.TempDir(), "engine.json")
	out := mustBench(t, "engine", "-part", "200KiB", "-parts", "3", "-parallel", "2", "-rounds", "2", "-dir", dir, "-json", file)
	wantEmptyDir(t, dir)
	if strings.Contains(out, dir) {
		t.Errorf("the report names the working directory:\n%s", out)
	}
	r := loadReport(t, file)
	want := []string{
		"upload, random, plain", "upload, random, AES256", "upload, json, plain", "upload, json, AES256", "upload, stored, plain",
		"download, random, plain", "download, random, AES256", "download, json, plain", "download, json, AES256",
	}
	got := slices.DeleteFunc(r.Groups(), func(g string) bool { return strings.HasSuffix(g, ", allocated") })
	if !slices.Equal(got, want) {
		t.Errorf("groups are %q, want %q", got, want)
	}
	for _, group := range r.Groups() {
		contenders := []string{"gabion", "floor", "hashing", "crypto/md5"}
		if strings.HasPrefix(group, contest.Download) || strings.HasSuffix(group, ", allocated") {
			contenders = contenders[:2]
		}
		if got := r.Contenders(group); !slices.Equal(got, contenders) {
			t.Errorf("%s: measured are %q, want %q", group, got, contenders)
		}
		for _, k := range contenders {
			if s := r.Find(group, "2", k); len(s.Values) != 2 || s.Median() <= 0 {
				t.Errorf("%s, %s: %v, want two values", group, k, s)
			}
		}
	}
	const command = "go run ./bench engine -data random,json,stored -op upload,download -parallel 2 -part 200KiB -parts 3 -rounds 2 -sse plain,AES256"
	if r.Command != command {
		t.Errorf("command is %q, want %q", r.Command, command)
	}
}

func TestEngineInterrupted(t *testing.T) {
	for _, text := range []string{"parts in flight: 3", "readers: 1"} {
		dir := t.TempDir()
		ctx, cancel := context.WithCancel(t.Context())
		stderr := &cancelOn{text: text, cancel: cancel}
		var out bytes.Buffer
		args := []string{"engine", "-part", "200KiB", "-data", "random", "-sse", "AES256", "-parallel", "1,3", "-rounds", "1", "-dir", dir}
		if status := run(ctx, args, &out, stderr); status != cli.ExitInterrupted || out.Len() > 0 {
			t.Errorf("%s: exit status %d, stdout %q, stderr %q", text, status, &out, &stderr.written)
		}
		wantEmptyDir(t, dir)
		cancel()
	}
}

// The floor, its digests alone and crypto/md5 agree on the ETag; what the floor has stored can be
// read.
func TestLesserContenders(t *testing.T) {
	parts := [][]byte{[]byte("one, "), []byte("two and three")}
	for _, k := range lesser() {
		for _, encrypt := range []bool{false, true} {
			s, err := k.Open(t.Context(), t.TempDir(), encrypt)
			if err != nil {
				t.Fatal(err)
			}
			etags := make([]string, len(parts))
			for i, part := range parts {
				if etags[i], err = s.UploadPart(t.Context(), "", "", i+1, part); err != nil || etags[i] != fmt.Sprintf("%x", md5.Sum(part)) {
					t.Errorf("%s, part %d: %q, %v", k.Name, i, etags[i], err)
				}
			}
			want, _ := contest.ETag(etags)
			if etag, err := s.Complete(t.Context(), "", "", etags); err != nil || etag != want {
				t.Errorf("%s: %q, %v; want %q", k.Name, etag, err, want)
			}
			if !k.WriteOnly {
				var got bytes.Buffer
				if err := s.Download(t.Context(), "", &got); err != nil || got.String() != "one, two and three" {
					t.Errorf("%s gives back %q, %v", k.Name, &got, err)
				}
			}
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		}
	}
}
