package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gabion-storage/gabion/bench/internal/bytesize"
	"github.com/gabion-storage/gabion/bench/internal/cli"
	"github.com/gabion-storage/gabion/engine"
)

func TestUploadTwiceAndEncrypted(t *testing.T) {
	const length = 10_000_000
	file, content := randomFile(t, "ten.bin", length)
	dir := filepath.Join(t.TempDir(), "store")

	plain := mustBench(t, "upload", "-dir", dir, "-part-size", "1MiB", file)
	wantLine(t, plain, "object", "bench/ten.bin")
	wantLine(t, plain, "size", "10000000 bytes")
	wantLine(t, plain, "parts", "10 x 1MiB")
	wantLine(t, plain, "ETag", ossETag(content, 1<<20))
	wantLine(t, plain, "CRC64", crcOf(content))
	wantLine(t, plain, "chunks", "20 new, 0 deduplicated")
	wantLine(t, plain, "encryption", "none")
	wantEnd(t, plain)
	for _, name := range []string{"up", "down"} {
		var rate float64
		if _, err := fmt.Sscanf(line(t, plain, name), "%f MB/s", &rate); err != nil || rate <= 0 {
			t.Errorf("%s is %q, want a rate", name, line(t, plain, name))
		}
	}

	again := mustBench(t, "upload", "-dir", dir, "-part-size", "1MiB", file)
	wantLine(t, again, "chunks", "0 new, 20 deduplicated")
	wantLine(t, again, "stored", "0 bytes")
	wantEnd(t, again)

	if status, _, stderr := bench(t, "upload", "-sse", "-dir", dir, "-key", "sealed", file); status == 0 || !strings.Contains(stderr, "-new-keyring") {
		t.Errorf("a key ring is made for an old store without being asked for: %d, %s", status, stderr)
	}
	sealed := mustBench(t, "upload", "-sse", "-new-keyring", "-dir", dir, "-part-size", "1MiB", "-key", "sealed", file)
	wantLine(t, sealed, "object", "bench/sealed")
	wantLine(t, sealed, "ETag", ossETag(content, 1<<20))
	wantLine(t, sealed, "chunks", "20 new, 0 deduplicated")
	if got := line(t, sealed, "encryption"); !strings.HasPrefix(got, "AES256, key ") || strings.HasSuffix(got, " ") {
		t.Errorf("encryption is %q, want AES256 and a key id", got)
	}
	wantEnd(t, sealed)
	if _, err := os.Stat(dir + ".keyring"); err != nil {
		t.Errorf("the key ring is not beside the store: %v", err)
	}
}

func TestUploadSmallFiles(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "store")
	for _, n := range []int{0, 1, 100} {
		for _, sse := range []bool{false, true} {
			t.Run(fmt.Sprintf("%d bytes, sse %t", n, sse), func(t *testing.T) {
				file, content := randomFile(t, "small", n)
				// A part size below OSS's minimum is all right when there is one part.
				out := mustBench(t, "upload", "-dir", dir, fmt.Sprintf("-sse=%t", sse), fmt.Sprintf("-new-keyring=%t", sse),
					"-part-size", "100", file)
				wantLine(t, out, "size", fmt.Sprintf("%d bytes", n))
				wantLine(t, out, "parts", fmt.Sprintf("1 x %v", bytesize.Size(n)))
				wantLine(t, out, "ETag", ossETag(content, 100))
				wantLine(t, out, "CRC64", crcOf(content))
				wantEnd(t, out)
			})
		}
	}
}

func TestUploadJSON(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	first, content := randomFile(t, "first", 300<<10)
	second, _ := randomFile(t, "second", 10)
	keyring := filepath.Join(t.TempDir(), "ring")
	out := mustBench(t, "upload", "-json", "-sse", "-keyring", keyring, "-part-size", "100KiB", "-key", "some/prefix/", first, second)
	var got []summary
	for d := json.NewDecoder(strings.NewReader(out)); d.More(); {
		var s summary
		if err := d.Decode(&s); err != nil {
			t.Fatal(err)
		}
		got = append(got, s)
	}
	if len(got) != 2 || strings.Count(out, "\n") != 2 {
		t.Fatalf("got %d objects, want one a line for each of 2 files:\n%s", len(got), out)
	}
	s := got[0]
	if s.Key != "some/prefix/first" || s.Size != 300<<10 || s.Parts != 3 || s.PartSize != 100<<10 ||
		s.ETag != ossETag(content, 100<<10) || fmt.Sprint(s.CRC64) != crcOf(content) ||
		s.Encryption != "AES256" || s.KeyID == "" || s.UpRate <= 0 || s.DownRate <= 0 || !s.Verified {
		t.Errorf("got %+v", s)
	}
	if got[1].File != second || !got[1].Verified {
		t.Errorf("the second file: got %+v", got[1])
	}
	wantEmptyDir(t, os.Getenv("TMPDIR"))
}

func TestUploadOfSampleInTemporaryStore(t *testing.T) {
	if testing.Short() {
		t.Skip("uploads 64 MiB")
	}
	t.Setenv("TMPDIR", t.TempDir())
	status, out, errs := bench(t, "upload")
	if status != cli.ExitOK {
		t.Fatalf("exit status %d\n%s", status, errs)
	}
	wantLine(t, out, "object", "bench/sample")
	wantLine(t, out, "parts", "8 x 8MiB")
	wantEnd(t, out)
	for _, want := range []string{"no -dir given", "no FILE given", `uploading "sample": 25 %`, "100 %\n"} {
		if !strings.Contains(errs, want) {
			t.Errorf("stderr does not say %q:\n%s", want, errs)
		}
	}
	wantEmptyDir(t, os.Getenv("TMPDIR"))
}

func TestUploadFailures(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	dir := t.TempDir()
	for _, test := range []struct{ name, file, want string }{
		{"missing file", filepath.Join(dir, "missing"), "missing"},
		{"directory", dir, "not a regular file"},
		{"device", os.DevNull, "not a regular file"},
	} {
		t.Run(test.name, func(t *testing.T) {
			status, out, errs := bench(t, "upload", test.file)
			if status != cli.ExitFailed || out != "" || !strings.Contains(errs, test.want) {
				t.Errorf("exit status %d, stdout %q, stderr %q; want %d, nothing, and %q", status, out, errs, cli.ExitFailed, test.want)
			}
		})
	}
	wantEmptyDir(t, os.Getenv("TMPDIR"))
}

func TestUploadToStoreInUse(t *testing.T) {
	dir := t.TempDir()
	u := openUploader(t, dir)
	file, _ := randomFile(t, "file", 1)
	status, _, errs := bench(t, "upload", "-dir", dir, file)
	if status != cli.ExitFailed || !strings.Contains(errs, "in use") {
		t.Errorf("exit status %d, stderr %q", status, errs)
	}
	if err := u.engine.Close(); err != nil {
		t.Error(err)
	}
}

// TestDamagedStore uploads a file a second time, so that none of its bytes is stored anew, after a
// bit of them was flipped.
func TestDamagedStore(t *testing.T) {
	const length, damaged = 300 << 10, 200 << 10
	file, content := randomFile(t, "file", length)
	dir := t.TempDir()
	mustBench(t, "upload", "-dir", dir, "-part-size", "100KiB", file)
	flipWhere(t, filepath.Join(dir, "volumes"), content[damaged:damaged+100])
	status, out, errs := bench(t, "upload", "-dir", dir, "-part-size", "100KiB", file)
	if status != cli.ExitFailed || out != "" {
		t.Errorf("exit status %d, stdout %q; want %d and nothing", status, out, cli.ExitFailed)
	}
	for _, want := range []string{"not verified", fmt.Sprintf("offset %d", damaged), "corrupt"} {
		if !strings.Contains(errs, want) {
			t.Errorf("stderr does not say %q:\n%s", want, errs)
		}
	}
}

func TestInterrupt(t *testing.T) {
	file, _ := randomFile(t, "file", 8<<20)
	for _, at := range []string{`uploading "file": 25 %`, `reading "file": 25 %`} {
		for _, temporary := range []bool{true, false} {
			t.Run(fmt.Sprintf("at %q, temporary %t", at, temporary), func(t *testing.T) {
				t.Setenv("TMPDIR", t.TempDir())
				dir := t.TempDir()
				// One part after the other, so that most of them have not begun.
				args := []string{"upload", "-parallel", "1", "-part-size", "1MiB"}
				if !temporary {
					args = append(args, "-dir", dir)
				}
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				stderr := &cancelOn{text: at, cancel: cancel}
				var out bytes.Buffer
				if status := run(ctx, append(args, file), &out, stderr); status != cli.ExitInterrupted {
					t.Errorf("exit status %d, want %d", status, cli.ExitInterrupted)
				}
				if out.Len() > 0 || !strings.Contains(stderr.written.String(), "interrupted") {
					t.Errorf("stdout %q, stderr %q", &out, &stderr.written)
				}
				wantEmptyDir(t, os.Getenv("TMPDIR"))
				if !temporary {
					wantNoUploads(t, dir)
				}
			})
		}
	}
}

// A file that is shorter than it said is no object, and leaves no upload.
func TestFailingPartAbortsUpload(t *testing.T) {
	dir := t.TempDir()
	u := openUploader(t, dir)
	file, _ := randomFile(t, "file", 500<<10)
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	err = u.upload(t.Context(), f, &summary{Key: "broken", Size: 1 << 20, PartSize: 100 << 10})
	var e *engine.Error
	if !errors.Is(err, engine.ErrIncompleteBody) || !errors.As(err, &e) || e.PartNumber < 5 {
		t.Errorf("got %v, want the error of a part behind the end", err)
	}
	if err := u.engine.Close(); err != nil {
		t.Error(err)
	}
	wantNoUploads(t, dir)
}

// What stays of a replaced object does not show in the counts, though the sweeper takes it apart.
func TestCountsOfReplacedObject(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "store")
	first, _ := randomFile(t, "first", 5<<20)
	second, _ := randomFile(t, "second", 3<<20)
	mustBench(t, "upload", "-dir", dir, "-key", "object", first)
	out := mustBench(t, "upload", "-dir", dir, "-key", "object", second)
	wantLine(t, out, "chunks", "6 new, 0 deduplicated")
}

// TestUploadVolumes uploads to a store that changes the kind of its volumes. The command reclaims,
// which moves what was there.
func TestUploadVolumes(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "store")
	for i, kind := range []string{"badger", "log", "badger-format"} {
		file, _ := randomFile(t, fmt.Sprint(i), 300_000+i)
		wantEnd(t, mustBench(t, "upload", "-dir", dir, "-volumes", kind, file))
		of, err := filepath.Glob(filepath.Join(dir, "volumes", "0*."+strings.TrimSuffix(kind, "-format")))
		if err != nil || len(of) == 0 {
			t.Errorf("%s volumes are %v, %v", kind, of, err)
		}
		all, err := filepath.Glob(filepath.Join(dir, "volumes", "0*"))
		if err != nil || len(all) != len(of) {
			t.Errorf("volumes are %v, %v, wanted are %s only", all, err, kind)
		}
	}
}
