package main

import (
	"bytes"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestBarLine(t *testing.T) {
	const mib = 1 << 20
	for _, test := range []struct {
		name        string
		width       int
		label       string
		done, total int64
		want        string
	}{
		{"begin", 80, "uploading a", 0, 64 * mib, "uploading a  [>                                 ]    0 %  0 B of 64 MiB  0 MB/s"},
		{"half", 80, "uploading a", 32 * mib, 64 * mib, "uploading a  [==========>          ]   50 %  32 MiB of 64 MiB  17 MB/s  2s left"},
		{"end", 80, "uploading a", 64 * mib, 64 * mib, "uploading a  [==============================]  100 %  64 MiB of 64 MiB  34 MB/s"},
		{"empty", 80, "uploading a", 0, 0, "uploading a  [=====================================]  100 %  0 B of 0 B  0 MB/s"},
		{"no room for the bar", 60, "uploading a", 32 * mib, 64 * mib, "uploading a   50 %  32 MiB of 64 MiB  17 MB/s  2s left"},
		{"no room for the label", 45, "uploading a long name", 32 * mib, 64 * mib, " 50 %  32 MiB of 64 MiB  17 MB/s  2s left"},
		{"hardly any room", 10, "uploading a", 32 * mib, 64 * mib, " 50 %  32"},
		{"no room", 1, "uploading a", 32 * mib, 64 * mib, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := barLine(test.width, test.label, test.done, test.total, 2*time.Second)
			if strings.TrimRight(got, " ") != test.want {
				t.Errorf("got  %q\nwant %q", strings.TrimRight(got, " "), test.want)
			}
		})
	}
}

// TestBarLineFillsWidth is what erases the line before: no line is shorter or longer than another.
func TestBarLineFillsWidth(t *testing.T) {
	for _, label := range []string{"", "a", strings.Repeat("long ", 30), "上传一个很长的文件名的对象", "é"} {
		for width := range 200 {
			for _, done := range []int64{0, 1, 500, 1000, 2000} {
				line := barLine(width, label, done, 1000, time.Second)
				// Where a wide letter does not fit, a column stays free.
				if got := columns(line); got != max(width-1, 0) {
					t.Fatalf("label %q, width %d: the line %q takes %d columns", label, width, line, got)
				}
			}
		}
	}
}

func TestPlainProgress(t *testing.T) {
	var out bytes.Buffer
	c := newConsole(&out)
	p := startProgress(c, "uploading a\x1b[2J", 1000)
	var adders sync.WaitGroup
	for range 10 {
		adders.Go(func() {
			for range 10 {
				p.add(10)
			}
		})
	}
	adders.Wait()
	p.finish(nil)
	if got, want := out.String(), "bench: uploading a?[2J: 25 % 50 % 75 % 100 %\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}

	out.Reset()
	p = startProgress(c, "uploading a", 1000)
	p.add(600)
	p.finish(errors.New("failed"))
	if got, want := out.String(), "bench: uploading a: 50 %\n"; got != want {
		t.Errorf("after a failure: got %q, want %q", got, want)
	}

	out.Reset()
	startProgress(c, "uploading a", 0).finish(nil)
	if got, want := out.String(), "bench: uploading a: 100 %\n"; got != want {
		t.Errorf("of nothing: got %q, want %q", got, want)
	}
}

func TestProgressOnTerminal(t *testing.T) {
	var out bytes.Buffer
	c := newConsole(&out)
	c.width = 80
	p := startProgress(c, "uploading a", 1000)
	p.add(500)
	time.Sleep(2 * redrawEvery)
	p.add(500)
	p.finish(nil)
	got := out.String()
	for _, want := range []string{"\ruploading a  [", " 50 %", "100 %"} {
		if !strings.Contains(got, want) {
			t.Errorf("got %q, without %q", got, want)
		}
	}
	if !strings.HasSuffix(got, "\n") || strings.Count(got, "\n") != 1 {
		t.Errorf("got %q, want one line that ends", got)
	}
}

func TestParseMemory(t *testing.T) {
	const status = "Name:\tbench\nVmHWM:\t  120832 kB\nRssAnon:\t   51200 kB\nVmRSS:\t 52224 kB\nRssFile:\t 1 kB\nThreads:\t7\n"
	m := parseMemory(status)
	if m == nil || *m != (memory{PeakResident: 118 << 20, PeakAnonymous: 50 << 20, Anonymous: 50 << 20, Resident: 51 << 20}) {
		t.Fatalf("got %+v", m)
	}
	if got, want := m.String(), "peak 118 MiB resident, peak anonymous 50 MiB, anonymous now 50 MiB"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	for _, status := range []string{"", "VmHWM: 1 kB\n", "VmHWM: 1 kB\nRssAnon: x kB\n", "VmHWM: 1 kB\nRssAnon: 1\n", "VmHWM: 1 kB\nRssAnon: 1 kB\n"} {
		if m := parseMemory(status); m != nil {
			t.Errorf("parseMemory(%q) = %+v, want nil", status, m)
		}
	}
}

func TestMemoryWatch(t *testing.T) {
	m := watchMemory().stop()
	if m == nil {
		t.Skipf("there is no %s here", memoryFile)
	}
	if m.Anonymous <= 0 || m.PeakAnonymous < m.Anonymous || m.PeakResident < m.Anonymous {
		t.Errorf("got %+v", m)
	}
}
