package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gabion-storage/gabion/bench/internal/cli"
	"github.com/gabion-storage/gabion/bench/internal/report"
)

// charts runs the program in this process.
func charts(args ...string) (status int, stdout, stderr string) {
	var out, errs strings.Builder
	status = run(args, &out, &errs)
	return status, out.String(), errs.String()
}

// mustDraw runs the program, which must succeed, and returns its output.
func mustDraw(t *testing.T, args ...string) string {
	t.Helper()
	status, stdout, stderr := charts(args...)
	if status != cli.ExitOK {
		t.Fatalf("charts %q: exit status %d\n%s", args, status, stderr)
	}
	return stdout
}

// saveReport writes a report of one contender.
func saveReport(t *testing.T) (path string) {
	t.Helper()
	r := &report.Report{Title: "Saved", Machine: report.Machine{OS: "any", CPUs: 2}}
	for _, c := range []string{"1", "2"} {
		r.Series = append(r.Series, report.Series{Group: "g", Axis: "parts", Case: c, Contender: "ours", Unit: "MB/s", Values: []float64{1, 2}})
	}
	path = filepath.Join(t.TempDir(), "ours.json")
	if err := r.Save(path); err != nil {
		t.Fatal(err)
	}
	return path
}

// drawn returns the chart of a prefix.
func drawn(t *testing.T, prefix string) string {
	t.Helper()
	svg, err := os.ReadFile(prefix + ".svg")
	if err != nil {
		t.Fatal(err)
	}
	return string(svg)
}

func TestChart(t *testing.T) {
	file, prefix := saveReport(t), filepath.Join(t.TempDir(), "chart")
	if out := mustDraw(t, "-o", prefix, file); out != "" {
		t.Errorf("stdout is %q", out)
	}
	svg := drawn(t, prefix)
	for _, want := range []string{">Saved<", ">ours<", ">MB/s<"} {
		if !strings.Contains(svg, want) {
			t.Errorf("%s is not in the SVG", want)
		}
	}
	mustDraw(t, "-log", "-o", prefix, file)
	if svg := drawn(t, prefix); !strings.Contains(svg, "logarithmic") {
		t.Errorf("-log draws\n%s", svg)
	}
}

func TestChartAsMarkdown(t *testing.T) {
	out := mustDraw(t, "-markdown", saveReport(t))
	if want := " | parts|             ours|\n"; !strings.Contains(out, want) {
		t.Errorf("%q is missing in\n%s", want, out)
	}
}

func TestChartFails(t *testing.T) {
	damaged := filepath.Join(t.TempDir(), "damaged.json")
	if err := os.WriteFile(damaged, []byte(`{"series":[]}`), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		file, want string
	}{
		{filepath.Join(t.TempDir(), "missing.json"), "missing.json"},
		{damaged, "damaged.json"},
	} {
		prefix := filepath.Join(t.TempDir(), "prefix")
		status, _, errs := charts("-o", prefix, test.file)
		if status != cli.ExitFailed || !strings.Contains(errs, test.want) {
			t.Errorf("%q: exit status %d, stderr %q, want %q", test.file, status, errs, test.want)
		}
		if _, err := os.Stat(prefix + ".svg"); err == nil {
			t.Errorf("%q: a chart was drawn", test.file)
		}
	}
}

func TestArguments(t *testing.T) {
	file := saveReport(t)
	for _, test := range []struct{ args, want string }{
		{"", "FILE.json"},
		{"-o PREFIX", "FILE.json"},
		{"-o PREFIX FILE FILE", "FILE.json"},
		{"FILE", "-o"},
		{"-nonsense FILE", "-nonsense"},
	} {
		status, out, errs := charts(strings.Fields(strings.ReplaceAll(test.args, "FILE", file))...)
		if status != cli.ExitUsage || out != "" || !strings.Contains(errs, test.want) {
			t.Errorf("%q: exit status %d, stdout %q, stderr %q; want %d, nothing, and %s named", test.args, status, out, errs, cli.ExitUsage, test.want)
		}
	}
	if status, out, errs := charts("-h"); status != cli.ExitOK || errs != "" || !strings.Contains(out, "-markdown") {
		t.Errorf("-h: exit status %d, stdout %q, stderr %q", status, out, errs)
	}
}

// The charts beside the results show what the results say: all are drawn anew when the drawing
// changes.
func TestResultsAreDrawn(t *testing.T) {
	for name, args := range map[string][]string{
		"rivals": {"rivals.json"},
		"engine": {"engine-upload.json"},
		"hash":   {"-log", "hash.json"},
		"soak":   {"soak.json"},
	} {
		prefix := filepath.Join(t.TempDir(), name)
		for i, arg := range args {
			if strings.HasSuffix(arg, ".json") {
				args[i] = filepath.Join("..", "results", arg)
			}
		}
		mustDraw(t, append([]string{"-o", prefix}, args...)...)
		want, err := os.ReadFile(filepath.Join("..", "results", name+".svg"))
		if err != nil {
			t.Fatal(err)
		}
		if drawn(t, prefix) != string(want) {
			t.Errorf("%s.svg is not what %q draws", name, args)
		}
	}
}
