package main

import (
	"io"
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
		{"-parts 128", "128 parts of"},
		{"-parallel 16,128", "128 parts of"},
		{"-part 8GiB", "-part"},
		{"-data nonsense", "-data"},
		{"-data stored", "-data"},
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
	for _, test := range []struct{ args, want string }{
		{"-part 5MiB", "gabion,files,versitygw,gofakes3-bolt,gofakes3-afero"},
		{"-minio m", "gabion,files,versitygw,gofakes3-bolt,gofakes3-afero,minio"},
		{"-minio m -only minio,files", "minio,files"},
	} {
		c, _, err := parse(strings.Fields(test.args), io.Discard, io.Discard)
		if err != nil {
			t.Errorf("%s: %v", test.args, err)
			continue
		}
		var names []string
		for _, k := range c.Contenders {
			names = append(names, k.Name)
		}
		if got := strings.Join(names, ","); got != test.want {
			t.Errorf("%s: got %s, want %s", test.args, got, test.want)
		}
	}
}

// The command in the report says what was measured, not where.
func TestCommand(t *testing.T) {
	args := "-minio /opt/minio -dir /somewhere -json file -parallel 1,4 -sse sse"
	c, _, err := parse(strings.Fields(args), io.Discard, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	if want := "go run . -data random,json -only gabion,files,versitygw,gofakes3-bolt,gofakes3-afero,minio -parallel 1,4 -part 16MiB" +
		" -readers 4 -rounds 5 -sse sse -minio PATH"; c.Report.Command != want {
		t.Errorf("got %q, want %q", c.Report.Command, want)
	}
	if !filepath.IsAbs(c.JSON) {
		t.Errorf("%s is not absolute, and the working directory will change", c.JSON)
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
