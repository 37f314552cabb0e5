package main

import (
	"bytes"
	"context"
	"crypto/md5"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/gabion-storage/gabion/bench/internal/cli"
)

func TestCompare(t *testing.T) {
	content := make([]byte, 3*copySize/2)
	for i := range content {
		content[i] = byte(i / 7)
	}
	flipped := func(at int) []byte {
		other := bytes.Clone(content)
		other[at] ^= 0xff
		return other
	}
	last := len(content) - 1
	broken := iotest.ErrReader(errors.New("broken"))
	for _, test := range []struct {
		name         string
		object, file io.Reader
		want         string // "" when they are equal
	}{
		{"equal", bytes.NewReader(content), bytes.NewReader(content), ""},
		{"equal, byte by byte", iotest.OneByteReader(bytes.NewReader(content)), iotest.HalfReader(bytes.NewReader(content)), ""},
		{"equal, data with EOF", iotest.DataErrReader(bytes.NewReader(content)), iotest.DataErrReader(bytes.NewReader(content)), ""},
		{"empty", bytes.NewReader(nil), bytes.NewReader(nil), ""},
		{"first byte", bytes.NewReader(flipped(0)), bytes.NewReader(content), "at offset 0: 0xff in the object, 0x00 in the file"},
		{"middle byte", bytes.NewReader(flipped(copySize + 7)), bytes.NewReader(content), fmt.Sprintf("at offset %d:", copySize+7)},
		{"last byte", bytes.NewReader(content), bytes.NewReader(flipped(last)), fmt.Sprintf("at offset %d:", last)},
		{"object shorter", bytes.NewReader(content[:last]), bytes.NewReader(content), fmt.Sprintf("the object ends at offset %d", last)},
		{"object empty", bytes.NewReader(nil), bytes.NewReader(content), "the object ends at offset 0"},
		{"object longer", bytes.NewReader(content), bytes.NewReader(content[:last]), fmt.Sprintf("the file ends at offset %d", last)},
		{"object longer, file empty", bytes.NewReader(content), bytes.NewReader(nil), "the file ends at offset 0"},
		{"different and longer", bytes.NewReader(flipped(5)), bytes.NewReader(content[:9]), "at offset 5:"},
		{"object fails", io.MultiReader(bytes.NewReader(content[:10]), broken), bytes.NewReader(content), "reading the object at offset 10: broken"},
		{"file fails", bytes.NewReader(content), io.MultiReader(bytes.NewReader(content[:10]), broken), "reading the file at offset 10: broken"},
	} {
		t.Run(test.name, func(t *testing.T) {
			err := compare(t.Context(), test.object, test.file, func(int64) {})
			switch {
			case test.want == "" && err != nil:
				t.Errorf("got %v, want equality", err)
			case test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)):
				t.Errorf("got %v, want %q", err, test.want)
			}
		})
	}
}

func TestCompareHonoursContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := compare(ctx, strings.NewReader("a"), strings.NewReader("a"), func(int64) {}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

// TestVerifyFindsDifference uploads one file and verifies it against others, as if the store had
// changed the bytes.
func TestVerifyFindsDifference(t *testing.T) {
	u := openUploader(t, t.TempDir())
	defer u.engine.Close()
	content := bytes.Repeat([]byte("stone"), 50_000)
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	u.options.key = "object"
	up, err := u.run(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	up.PartSize = 100 << 10
	verify := func(file []byte, change func(s *summary)) error {
		s := *up
		change(&s)
		return u.verify(t.Context(), bytes.NewReader(file), &s)
	}
	same := func(*summary) {}
	if err := verify(content, same); err != nil {
		t.Fatal(err)
	}
	other := bytes.Clone(content)
	other[123_456]++
	for _, test := range []struct {
		name string
		err  error
		want []string
	}{
		{"another byte", verify(other, same), []string{"offset 123456"}},
		{"a grown file", verify(append(bytes.Clone(content), 'x'), same), []string{"the file goes on"}},
		{"wrong answers", verify(content, func(s *summary) { s.CRC64, s.Size, s.ETag = 1, 2, "3" }), []string{
			"ETag from Upload is 3", "CRC64 from Upload is 1", "size from GetObject is 250000, must be 2",
		}},
		{"other parts", verify(content, func(s *summary) { s.PartSize = 200 << 10 }), []string{"ETag from Upload", "ETag from GetObject"}},
	} {
		var stderr bytes.Buffer
		if status := cli.Conclude(t.Context(), test.err, "upload", "-h", &stderr); status != cli.ExitFailed {
			t.Errorf("%s: exit status %d, want %d", test.name, status, cli.ExitFailed)
		}
		for _, want := range test.want {
			if !strings.Contains(stderr.String(), want) {
				t.Errorf("%s: stderr does not say %q: %s", test.name, want, &stderr)
			}
		}
	}
}

func TestDigests(t *testing.T) {
	// OSS takes the text of the parts' ETags.
	part := bytes.Repeat([]byte{'a'}, 10)
	sum := fmt.Sprintf("%X", md5.Sum(part))
	etag, _, err := digests(t.Context(), bytes.NewReader(append(part, part...)), 20, 10)
	if want := fmt.Sprintf("%X-2", md5.Sum([]byte(sum+sum))); err != nil || etag != want {
		t.Errorf("got %s, %v; want %s", etag, err, want)
	}
}
