package main

import (
	"bytes"
	"crypto/md5"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gabion-storage/gabion/bench/internal/cli"
)

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
		{"another byte", verify(other, same), []string{"differ: at offset 123456 there is"}},
		{"a grown file", verify(append(bytes.Clone(content), 'x'), same), []string{"at offset 250000 there is the end, must be 0x78"}},
		{"wrong answers", verify(content, func(s *summary) { s.CRC64, s.Size, s.ETag = 1, 2, "3" }), []string{
			"ETag from Upload is 3", "CRC64 from Upload is 1", "size from GetObject is 250000, must be 2",
		}},
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
