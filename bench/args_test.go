package main

import (
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gabion-storage/gabion/bench/internal/cli"
)

func TestWrongArguments(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	file, _ := randomFile(t, "file", 200<<10)
	other, _ := randomFile(t, "other", 1)
	twin, _ := randomFile(t, "file", 1)
	dir := filepath.Join(t.TempDir(), "store")
	for _, test := range []struct {
		args string
		want string // what stderr names
	}{
		{"", "usage:"},
		{"download", `"download"`},
		{"upload -nonsense", "-nonsense"},
		{"upload -part-size", "-part-size"},
		{"upload -part-size 0 FILE", "-part-size"},
		{"upload -part-size -1 FILE", "-part-size"},
		{"upload -part-size 8MB FILE", "-part-size"},
		{"upload -part-size 6GiB FILE", "-part-size"},
		{"upload -part-size 99KiB FILE", "-part-size"},
		{"upload -part-size 1KiB", "-part-size"},
		{"upload -parallel 0 FILE", "-parallel"},
		{"upload -parallel 65 FILE", "-parallel"},
		{"upload -parallel many FILE", "-parallel"},
		{"upload -sse=maybe FILE", "-sse"},
		{"upload -keyring ring FILE", "-keyring"},
		{"upload -new-keyring FILE", "-new-keyring"},
		{"upload -volumes tar FILE", "-volumes"},
		{"upload -volumes", "-volumes"},
		{"upload -dir DIR -sse -keyring DIR/ring FILE", "-keyring"},
		{"upload -key name FILE OTHER", "-key"},
		{"upload -key /name FILE", "-key"},
		{"upload FILE TWIN", `"file"`},
		{"upload -", "FILE -"},
		{"upload FILE -sse", "-sse"},
		{"hash -nonsense", "-nonsense"},
		{"hash -size 0", "-size"},
		{"hash -size much", "-size"},
		{"hash -streams 0", "-streams"},
		{"hash -streams 1,,2", "-streams"},
		{"hash -streams 257", "-streams"},
		{"hash -streams 2,2", "-streams"},
		{"hash -rounds 0", "-rounds"},
		{"hash -rounds x", "-rounds"},
		{"hash file", `"file"`},
		{"engine -nonsense", "-nonsense"},
		{"engine -op delete", "-op"},
		{"engine -data zeros", "-data"},
		{"engine -data random,random", "-data"},
		{"engine -sse KMS", "-sse"},
		{"engine -sse=", "-sse"},
		{"engine -parallel 0", "-parallel"},
		{"engine -parallel 1,1025", "-parallel"},
		{"engine -parallel 4,4", "-parallel"},
		{"engine -part 99KiB", "-part"},
		{"engine -part 5GiB", "-part"},
		{"engine -part 512MiB", "more than 4GiB"},
		{"engine -parts -1", "-parts"},
		{"engine -parts 10001", "-parts"},
		{"engine -parts 3 -parallel 1,4", "-parts"},
		{"engine -rounds 0", "-rounds"},
		{"engine -data stored -sse sse", "nothing is left"},
		{"engine -op download -only disk", "nothing is left"},
		{"engine -only nobody", "-only"},
		{"engine -readers 0", "-readers"},
		{"engine -data stored -op download", "nothing is left"},
		{"engine file", `"file"`},
		{"small -op delete", "-op"},
		{"small -size 0", "-size"},
		{"small -size 4KiB,4096", "twice"},
		{"small -clients 0", "-clients"},
		{"small -n 63", "64 cannot be under way"},
		{"small -rounds 0", "-rounds"},
		{"small file", `"file"`},
		{"chart FILE", "bench/charts"},
		{"growth -chunks 1,x", "-chunks"},
		{"growth -chunks -1", "-chunks"},
		{"growth -chunks 2000000000", "-chunks"},
		{"growth -chunk-size 0", "-chunk-size"},
		{"growth -chunk-size 1KiB", "ChunkSize"},
		{"growth -part-size 0", "-part-size"},
		{"growth -part-size 6GiB", "-part-size"},
		{"growth -rounds 0", "-rounds"},
		{"growth file", `"file"`},
		{"wear -op delete", "-op"},
		{"wear -n 10", "-n"},
		{"wear -n 25 -window 10", "whole windows"},
		{"wear -window 0", "-window"},
		{"wear -keys 0", "-keys"},
		{"wear -clients 0", "-clients"},
		{"wear -size 7", "-size"},
		{"wear -limit 0", "-limit"},
		{"wear file", `"file"`},
		{"soak -clients 0", "-clients"},
		{"soak -clients 1025", "-clients"},
		{"soak -duration 0s", "-duration"},
		{"soak -duration long", "-duration"},
		{"soak -interval -1s", "-interval"},
		{"soak -least 2MiB -most 1MiB", "-least"},
		{"soak -most 6GiB", "-most"},
		{"soak -live 63MiB", "-live"},
		{"growth -chunks 10,10", "twice"},
		{"soak -chunk 0", "-chunk"},
		{"soak -chunk 1KiB", "ChunkSize"},
		{"soak -expiry -1s", "UploadExpiry"},
		{"soak file", `"file"`},
	} {
		t.Run(test.args, func(t *testing.T) {
			args := strings.NewReplacer("FILE", file, "OTHER", other, "TWIN", twin, "DIR", dir).Replace(test.args)
			if test.args == "upload -" {
				args = test.args
			}
			status, out, errs := bench(t, strings.Fields(args)...)
			if status != cli.ExitUsage || out != "" || !strings.Contains(errs, test.want) {
				t.Errorf("exit status %d, stdout %q, stderr %q; want %d, nothing, and %s named", status, out, errs, cli.ExitUsage, test.want)
			}
		})
	}
	wantEmptyDir(t, os.Getenv("TMPDIR"))
	if _, err := os.Stat(dir); err == nil {
		t.Error("the store was made though the arguments were wrong")
	}
}

func TestHelp(t *testing.T) {
	for _, test := range []struct{ args, want string }{
		{"-h", "usage: bench COMMAND"},
		{"--help", "usage: bench COMMAND"},
		{"upload -h", "-part-size"},
		{"hash -h", "-streams"},
		{"engine -h", "-parallel"},
		{"small -h", "-clients"},
		{"growth -h", "-chunks"},
		{"wear -h", "-window"},
		{"soak -h", "levels off"},
	} {
		status, out, errs := bench(t, strings.Fields(test.args)...)
		if status != cli.ExitOK || errs != "" || !strings.Contains(out, test.want) {
			t.Errorf("bench %s: exit status %d, stdout %q, stderr %q", test.args, status, out, errs)
		}
	}
}

func TestKeys(t *testing.T) {
	for _, test := range []struct {
		args string
		want []string // nil for an error
	}{
		{"a/b c", []string{"b", "c"}},
		{"-key name a/b", []string{"name"}},
		{"-key name/ a/b", []string{"name/b"}},
		{"-key name/ a/b c", []string{"name/b", "name/c"}},
		{"-key name a/b c", nil},
		{"a/b c/b", nil},
		{"b b", nil},
	} {
		o, err := parseUpload(strings.Fields(filepath.FromSlash(test.args)), io.Discard)
		var got []string
		for i := 0; err == nil && i < len(o.files); i++ {
			got = append(got, o.keyOf(o.files[i]))
		}
		if (err != nil) != (test.want == nil) || !slices.Equal(got, test.want) {
			t.Errorf("%q: keys %q, %v; want %q", test.args, got, err, test.want)
		}
	}
}
