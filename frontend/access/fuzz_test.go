package access_test

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/gabion-storage/gabion/frontend/access"
)

// wireText is a request as it is sent.
func wireText(t testing.TB, r *http.Request) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := r.Write(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// FuzzVerify changes requests that were signed. Whatever still comes in as signed says the same.
func FuzzVerify(f *testing.F) {
	for i, form := range forms {
		f.Add(i, wireText(f, form.sign(f, upload(f))))
	}
	f.Fuzz(func(t *testing.T, which int, text []byte) {
		if which < 0 || which >= len(forms) {
			return
		}
		r, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(text)))
		if err != nil {
			return
		}
		o := options()
		o.Anonymous = true
		form := forms[which]
		id, body, err := verify(form.new(o), r)
		var refused *access.Error
		switch {
		case id == nil && !errors.As(err, &refused):
			t.Fatal(err)
		case id == nil || err != nil || id.AccessKey == "":
			return
		}
		query := r.URL.Query()
		said := fmt.Sprint(id.AccessKey, r.Method, id.Bucket, id.Key,
			query["partNumber"], query["uploadId"], r.Header["Content-Type"])
		want := fmt.Sprint("AKEXAMPLE", "PUT", uploadedBucket, uploadedKey,
			[]string{"1"}, []string{"X/Y"}, []string{"image/jpeg"})
		if said != want {
			t.Fatalf("%s came in as %s", said, want)
		}
		if !strings.Contains(form.unsigned, "body") && body != content {
			t.Fatalf("body %q came in as %q", body, content)
		}
	})
}

// FuzzChunks decodes what is not signed. It ends, at the length that was declared or with an
// *Error.
func FuzzChunks(f *testing.F) {
	f.Add(3, []byte("3\r\nabc\r\n0\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n"))
	f.Add(5, []byte("3\r\nabc\r\n2;chunk-signature=00\r\nde\r\n0\r\nx-amz-checksum-crc32:a\n\r\n\r\n"))
	f.Add(0, []byte("0\r\nx-amz-checksum-crc32:AAAAAA==\r\n"))
	f.Fuzz(func(t *testing.T, decoded int, body []byte) {
		if decoded < 0 || decoded > 1<<20 {
			return
		}
		id, err := anonymousS3().Verify(unsignedChunks(t, decoded, string(body)))
		if err != nil {
			t.Fatal(err)
		}
		n, err := io.Copy(io.Discard, id.Body)
		var refused *access.Error
		if err != nil && !errors.As(err, &refused) {
			t.Fatal(err)
		}
		if n > int64(decoded) || err == nil && n < int64(decoded) {
			t.Fatalf("%d bytes of %d: %v", n, decoded, err)
		}
		if err == nil && len(id.Trailer()) != 1 {
			t.Fatalf("trailer %v", id.Trailer())
		}
	})
}

// FuzzSign lets SDKs sign any key and metadata, which must then come in.
func FuzzSign(f *testing.F) {
	f.Add("a b+c/d~e.jpg", "red")
	f.Add("..//%2e/%", "two  spaces")
	f.Add("\x00?#&=;!*'()@:$,你", "a,b")
	f.Fuzz(func(t *testing.T, key, color string) {
		if key == "" || !utf8.ValidString(key) || !isHeader(color) {
			return
		}
		for _, form := range forms {
			r := upload(t)
			r.URL.Path = "/photos/" + key
			r.URL.RawPath = "/photos/" + strings.ReplaceAll(
				strings.ReplaceAll(url.QueryEscape(key), "+", "%20"), "%2F", "/")
			r.Header.Set("X-Amz-Meta-Shape", color)
			r.Header.Set("X-Oss-Meta-Shape", color)
			id, body, err := verify(form.new(options()), arrive(t, form.sign(t, r)))
			if err != nil {
				t.Fatalf("%s: %v", form.name, err)
			}
			if id.Bucket != "photos" || id.Key != key || body != content {
				t.Fatalf("%s: %+v, %q", form.name, id, body)
			}
		}
	})
}

// isHeader says whether net/http sends a value as it is.
func isHeader(s string) bool {
	return strings.TrimSpace(s) == s && !strings.ContainsFunc(s, func(c rune) bool {
		return c < ' ' || c > '~'
	})
}
