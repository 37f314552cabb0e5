package main

import (
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
		{"-parts 512", "512 parts of"},
		{"-parts 8", "16 cannot be in flight"},
		{"-parallel 16,512", "512 parts of"},
		{"-part 8GiB", "-part"},
		{"-data nonsense", "-data"},
		{"-data stored", "-data"},
		{"-data random,random", "twice"},
		{"-sse maybe", "-sse"},
		{"-readers 0", "-readers"},
		{"-rounds 0", "-rounds"},
		{"-only nobody", `"nobody"`},
		{"-only files,files", "twice"},
		{"-only minio", "nothing is left"},
		{"-only files -sse sse", "nothing is left"},
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

// The whole program, of contenders that need nothing.
func TestRun(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(t.TempDir(), "report.json")
	status, out, errs := rivals(t, "-minio", "/none", "-dir", dir, "-json", file, "-only", "files,disk", "-part", "5MiB",
		"-parts", "2", "-parallel", "1,2", "-data", "json", "-readers", "1", "-rounds", "1")
	if status != cli.ExitOK || !strings.Contains(out, "download, json, plain") {
		t.Fatalf("exit status %d, stdout %q, stderr %q", status, out, errs)
	}
	r, err := report.Load(file)
	if err != nil {
		t.Fatal(err)
	}
	if r.Baseline != "" {
		t.Errorf("the ratios are to %s, which was not measured", r.Baseline)
	}
	if got, want := r.Cases("upload, json, plain"), []string{"1", "2"}; !slices.Equal(got, want) {
		t.Errorf("the cases are %q, want %q", got, want)
	}
	// The command in the report says what was measured, not where.
	const command = "go run . -minio PATH -data json -only files,disk -op upload,download -parallel 1,2" +
		" -part 5MiB -parts 2 -readers 1 -rounds 1 -sse plain,sse"
	if r.Command != command {
		t.Errorf("the command is %q, want %q", r.Command, command)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

// README.md says of every contender what it is, and who syncs what.
func TestREADMENamesContenders(t *testing.T) {
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range contenders(t.Logf) {
		if k.Name != "disk" && !strings.Contains(string(readme), "\n| `"+k.Name+"` |") {
			t.Errorf("the table of contenders has no row for %s", k.Name)
		}
	}
}
