package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gabion-storage/gabion/bench/internal/cli"
	"github.com/gabion-storage/gabion/bench/internal/data"
	"github.com/gabion-storage/gabion/bench/internal/report"
	"github.com/gabion-storage/gabion/crypto"
)

func loadReport(t *testing.T, path string) *report.Report {
	t.Helper()
	r, err := report.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestEngineMeasuresAll(t *testing.T) {
	dir, file := filepath.Join(t.TempDir(), "work"), filepath.Join(t.TempDir(), "engine.json")
	out := mustBench(t, "engine", "-part", "200KiB", "-parts", "3", "-parallel", "2", "-rounds", "2", "-dir", dir, "-json", file)
	if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the working directory was left behind (%v)", err)
	}
	if strings.Contains(out, dir) {
		t.Errorf("the report names the working directory:\n%s", out)
	}
	r := loadReport(t, file)
	want := []string{
		"upload, random, plain", "upload, random, AES256", "upload, json, plain", "upload, json, AES256", "upload, stored, plain",
		"download, random, plain", "download, random, AES256", "download, json, plain", "download, json, AES256",
	}
	if got := r.Groups(); !slices.Equal(got, want) {
		t.Errorf("groups are %q, want %q", got, want)
	}
	for _, group := range r.Groups() {
		contestants := uploading()
		if strings.HasPrefix(group, opDownload) {
			contestants = storing()
		}
		for _, k := range contestants {
			if s := r.Find(group, "2", k.name); s == nil || len(s.Values) != 2 || s.Median() <= 0 {
				t.Errorf("%s, %s: %v, want two rates", group, k.name, s)
			}
		}
		if !slices.ContainsFunc(r.Notes, func(n string) bool { return strings.HasPrefix(n, group+": gabion allocates") }) {
			t.Errorf("no note says what %s allocates: %q", group, r.Notes)
		}
	}
	if want := "go run ./bench engine -op upload,download -data random,json,stored -sse plain,AES256 -parallel 2 -part 200KiB -rounds 2 -parts 3"; r.Command != want {
		t.Errorf("command is %q, want %q", r.Command, want)
	}
}

func TestEngineRefusesWhatIsThere(t *testing.T) {
	dir := t.TempDir()
	status, out, errs := bench(t, "engine", "-dir", dir)
	if status != cli.ExitFailed || out != "" || !strings.Contains(errs, "is there already") {
		t.Errorf("exit status %d, stdout %q, stderr %q", status, out, errs)
	}
	if _, err := os.Stat(dir); err != nil {
		t.Errorf("the directory is gone: %v", err)
	}
}

func TestEngineInterrupted(t *testing.T) {
	for _, text := range []string{"parts in flight: 3", "storing an object in floor"} {
		dir := filepath.Join(t.TempDir(), "work")
		ctx, cancel := context.WithCancel(t.Context())
		stderr := &cancelOn{text: text, cancel: cancel}
		var out bytes.Buffer
		args := []string{"engine", "-part", "200KiB", "-data", "random", "-sse", "AES256", "-parallel", "1,3", "-rounds", "1", "-dir", dir}
		if status := run(ctx, args, &out, stderr); status != cli.ExitInterrupted || out.Len() > 0 {
			t.Errorf("%s: exit status %d, stdout %q, stderr %q", text, status, &out, &stderr.written)
		}
		if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s: the working directory was left behind (%v)", text, err)
		}
		cancel()
	}
}

// recording is a contestant that notes what it is given.
type recording struct {
	onlyMD5
	opened *int
	log    *[]string
}

func (r recording) upload(ctx context.Context, key string, parts [][]byte, parallel int) (*outcome, error) {
	o, err := r.onlyMD5.upload(ctx, key, parts, parallel)
	*r.log = append(*r.log, fmt.Sprintf("%d %s %d", *r.opened, key, parallel))
	for _, sum := range o.md5 {
		*r.log = append(*r.log, fmt.Sprintf("%X", sum))
	}
	return o, err
}

// What counts is uploaded to a new store, after something else was; and it is new in each round,
// but the same for all.
func TestUploadsAreFresh(t *testing.T) {
	o, err := parseEngine([]string{"-part", "200KiB", "-parts", "2", "-parallel", "1,2"}, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	for _, kind := range data.Kinds() {
		c := &contest{options: o, dir: t.TempDir(), out: newConsole(io.Discard), report: &report.Report{}}
		defer c.close()
		seen := map[string]int{}
		for _, parallel := range []int{1, 2} {
			var logs [2][]string
			u := c.newUploads(group{opUpload, kind, plain}, nil, parallel)
			var runs []report.Run
			for i := range logs {
				opened := new(int)
				runs = append(runs, u.run(contestant{fmt.Sprint(i), func(context.Context, string, *crypto.Keyring, *console) (session, error) {
					*opened++
					return recording{opened: opened, log: &logs[i]}, nil
				}}))
			}
			if _, err := report.Interleave(t.Context(), 3, runs, nil); err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(logs[0], logs[1]) {
				t.Errorf("%s: the contestants were given different data", kind)
			}
			if got, want := logs[0][15], fmt.Sprintf("3 object %d", parallel); len(logs[0]) != 18 || got != want {
				t.Errorf("%s: the last upload is %q, want %q, in %q", kind, got, want, logs[0])
			}
			for _, line := range logs[0] {
				seen[line]++
			}
		}
		for line, n := range seen {
			want := 1
			if kind == data.Stored && len(line) == 32 {
				want = 2
			}
			if n != want {
				t.Errorf("%s: %q is there %d times, want %d", kind, line, n, want)
			}
		}
	}
}

// mistaken is a contestant that gets a digest wrong.
type mistaken struct{ onlyMD5 }

func (m mistaken) upload(ctx context.Context, key string, parts [][]byte, parallel int) (*outcome, error) {
	o, err := m.onlyMD5.upload(ctx, key, parts, parallel)
	o.md5[len(parts)-1][3]++
	return o, err
}

func TestUploadsFindWrongDigest(t *testing.T) {
	o, err := parseEngine([]string{"-part", "200KiB", "-parts", "2", "-parallel", "1", "-rounds", "1"}, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	c := &contest{options: o, dir: t.TempDir(), out: newConsole(io.Discard), report: &report.Report{}}
	defer c.close()
	u := c.newUploads(group{opUpload, data.Random, plain}, nil, 1)
	_, err = report.Interleave(t.Context(), 1, []report.Run{
		u.run(contestant{"right", openMD5}),
		u.run(contestant{"wrong", func(context.Context, string, *crypto.Keyring, *console) (session, error) { return mistaken{}, nil }}),
	}, nil)
	if err == nil || !strings.Contains(err.Error(), "wrong, round 1: the MD5") {
		t.Errorf("got %v", err)
	}
}

func TestOutcomesDiffer(t *testing.T) {
	crc := func(n uint64) *uint64 { return &n }
	one, two := []md5Sum{{1}, {2}}, []md5Sum{{1}, {3}}
	for _, test := range []struct {
		a, b *outcome
		want string // "" when they agree
	}{
		{&outcome{one, crc(1)}, &outcome{one, crc(1)}, ""},
		{&outcome{one, nil}, &outcome{one, crc(1)}, ""},
		{&outcome{one, crc(1)}, &outcome{one, nil}, ""},
		{&outcome{one, crc(1)}, &outcome{two, crc(1)}, "MD5"},
		{&outcome{one, crc(1)}, &outcome{one[:1], crc(1)}, "MD5"},
		{&outcome{one, crc(1)}, &outcome{one, crc(2)}, "CRC-64"},
	} {
		err := test.a.compare(test.b)
		if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
			t.Errorf("%v and %v: got %v, want %q", test.a, test.b, err, test.want)
		}
	}
}

// saying is a contestant that has an object.
type saying struct {
	onlyMD5
	object []byte
}

func (s saying) download(_ context.Context, w io.Writer) error {
	_, err := io.CopyBuffer(w, struct{ io.Reader }{bytes.NewReader(s.object)}, make([]byte, 7))
	return err
}

func TestVerifyDownload(t *testing.T) {
	parts := [][]byte{[]byte("one, "), nil, []byte("two and three")}
	for _, test := range []struct{ object, want string }{
		{"one, two and three", ""},
		{"one, two and thre", "shorter"},
		{"one, two and three!", "longer"},
		{"one, two and Three", "differs"},
		{"", "shorter"},
	} {
		err := verifyDownload(t.Context(), saying{object: []byte(test.object)}, parts)
		if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
			t.Errorf("%q: got %v, want %q", test.object, err, test.want)
		}
	}
}
