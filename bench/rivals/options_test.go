package main

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gabion-storage/gabion/bench/internal/cli"
	"github.com/gabion-storage/gabion/bench/internal/report"
)

func TestWrongArguments(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	for _, test := range []struct{ args, want string }{
		{"-nonsense", "-nonsense"},
		{"word", `"word"`},
		{"-parallel 0", "-parallel"},
		{"-parallel 1,,4", "-parallel"},
		{"-parallel 1025", "-parallel"},
		{"-parallel 4,4", "twice"},
		{"-part 5MB", "-part"},
		{"-part 4MiB", "-part"},
		{"-parts -1", "-parts"},
		{"-parts 10001", "-parts"},
		{"-parts 128", "128 parts of 16MiB"},
		{"-parallel 16,128", "128 parts of 16MiB"},
		{"-part 8GiB", "16 parts of 8GiB"},
		{"-data nonsense", "-data"},
		{"-data stored", "stored"},
		{"-data random,random", "twice"},
		{"-sse maybe", "-sse"},
		{"-readers -1", "-readers"},
		{"-rounds 0", "-rounds"},
		{"-only nobody", `"nobody"`},
		{"-only files,files", "twice"},
		{"-only minio", "-minio PATH"},
		{"-only files -sse sse", "none of the contenders encrypts"},
	} {
		status, out, errs := rivals(t, strings.Fields(test.args)...)
		if status != cli.ExitUsage || out != "" || !strings.Contains(errs, test.want) {
			t.Errorf("%s: exit status %d, stdout %q, stderr %q; want %d, nothing, and %s named", test.args, status, out, errs, cli.ExitUsage, test.want)
		}
	}
	left, err := os.ReadDir(os.Getenv("TMPDIR"))
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestHelp(t *testing.T) {
	status, out, errs := rivals(t, "-h")
	if status != cli.ExitOK || errs != "" || !strings.Contains(out, "-minio") {
		t.Errorf("exit status %d, stdout %q, stderr %q", status, out, errs)
	}
}

func TestChoice(t *testing.T) {
	for _, test := range []struct {
		args        string
		plain, sse  string
		partsFor1   int
		partsFor100 int
	}{
		{"-part 5MiB", "gabion,files,versitygw,gofakes3-bolt,gofakes3-afero", "gabion", 16, 100},
		{"-minio m -parts 7", "gabion,files,versitygw,gofakes3-bolt,gofakes3-afero,minio", "gabion,minio", 7, 7},
		{"-minio m -only minio,files", "minio,files", "minio", 16, 100},
	} {
		o, err := parse(strings.Fields(test.args), contenders(), &bytes.Buffer{})
		if err != nil {
			t.Errorf("%s: %v", test.args, err)
			continue
		}
		if got := strings.Join(names(o.in(plain)), ","); got != test.plain {
			t.Errorf("%s: plain: got %s, want %s", test.args, got, test.plain)
		}
		if got := strings.Join(names(o.in(encrypted)), ","); got != test.sse {
			t.Errorf("%s: sse: got %s, want %s", test.args, got, test.sse)
		}
		if o.partsFor(1) != test.partsFor1 || o.partsFor(100) != test.partsFor100 {
			t.Errorf("%s: got %d and %d parts", test.args, o.partsFor(1), o.partsFor(100))
		}
	}
}

// The command in the report says what was measured, not where.
func TestCommand(t *testing.T) {
	args := "-minio /opt/minio -dir /somewhere -json file -parallel 1,4 -sse sse"
	o, err := parse(strings.Fields(args), contenders(), &bytes.Buffer{})
	if err != nil {
		t.Fatal(err)
	}
	if want := "go run . -minio minio -parallel 1,4 -sse sse"; o.command != want {
		t.Errorf("got %q, want %q", o.command, want)
	}
	if !filepath.IsAbs(o.json) {
		t.Errorf("%s is not absolute, and the working directory will change", o.json)
	}
}

// The whole program, of contenders that need nothing.
func TestRun(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(t.TempDir(), "report.json")
	status, out, errs := rivals(t, "-dir", dir, "-json", file, "-only", "files,gofakes3-afero", "-part", "5MiB",
		"-parts", "2", "-parallel", "1,2", "-data", "json", "-readers", "1", "-rounds", "1")
	if status != cli.ExitOK || !strings.Contains(out, "download, json, plain") {
		t.Fatalf("exit status %d, stdout %q, stderr %q", status, out, errs)
	}
	r, err := report.Load(file)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := r.Cases("upload, json, plain"), []string{"1", "2"}; !slices.Equal(got, want) {
		t.Errorf("the cases are %q, want %q", got, want)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}
