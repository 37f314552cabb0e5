package access_test

import (
	"bufio"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/minio/minio-go/v7/pkg/signer"

	"github.com/gabion-storage/gabion/frontend/access"
)

// parse is the request of a text.
func parse(t testing.TB, text string) *http.Request {
	t.Helper()
	r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(text)))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// A hasher is a SHA-256 as minio-go wants it.
type hasher struct{ hash.Hash }

func (hasher) Close() {}

// signChunks signs with minio-go, since AWS's SDK does not sign chunks.
func signChunks(_ testing.TB, r *http.Request) *http.Request {
	r.Header.Set("X-Amz-Meta-Color", "red")
	return signer.StreamingSignV4(r, "AKEXAMPLE", known["AKEXAMPLE"], "", region,
		r.ContentLength, now, hasher{sha256.New()})
}

func signChunksAndTrailer(t testing.TB, r *http.Request) *http.Request {
	r.Trailer = http.Header{"X-Amz-Checksum-Crc32": {"8dUkaA=="}}
	return signChunks(t, r)
}

// unsignedChunks is a request with a body in chunks that are not signed.
func unsignedChunks(t testing.TB, decoded int, body string) *http.Request {
	t.Helper()
	return parse(t, fmt.Sprintf("PUT /photos/a HTTP/1.1\r\nHost: localhost\r\n"+
		"Content-Length: %d\r\nX-Amz-Decoded-Content-Length: %d\r\n"+
		"X-Amz-Content-Sha256: STREAMING-UNSIGNED-PAYLOAD-TRAILER\r\n"+
		"X-Amz-Trailer: x-amz-checksum-crc32\r\n\r\n%s", len(body), decoded, body))
}

// anonymousS3 lets everybody in.
func anonymousS3() *access.Verifier { return access.NewS3(access.Options{Anonymous: true}) }

func TestChunksOfEverySize(t *testing.T) {
	const chunk = 64 << 10 // of minio-go
	for _, size := range []int{1, chunk - 1, chunk, chunk + 1, 3*chunk + 5} {
		for _, sign := range []func(testing.TB, *http.Request) *http.Request{
			signChunks, signChunksAndTrailer,
		} {
			want := strings.Repeat("gabion", size/6+1)[:size]
			r, err := http.NewRequest("PUT", "http://127.0.0.1/photos/a", strings.NewReader(want))
			if err != nil {
				t.Fatal(err)
			}
			id, body, err := verify(access.NewS3(options()), arrive(t, sign(t, r)))
			if err != nil || body != want || id.Length != int64(size) {
				t.Errorf("%d bytes: %d came, %v", size, len(body), err)
			}
		}
	}
}

func TestTheTrailerIsThereAtTheEnd(t *testing.T) {
	for name, r := range map[string]*http.Request{
		"signed": arrive(t, signChunksAndTrailer(t, upload(t))),
		"not signed": unsignedChunks(t, 3,
			"3\r\nabc\r\n0\r\nx-amz-checksum-crc32: 8dUkaA==\r\n\r\n"),
		"with LF and CRLF": unsignedChunks(t, 3,
			"3\r\nabc\r\n0\r\nX-Amz-Checksum-Crc32:8dUkaA==\n\r\n"),
	} {
		o := options()
		o.Anonymous = true
		id, err := access.NewS3(o).Verify(r)
		if err != nil {
			t.Fatal(err)
		}
		if got := id.Trailer().Get("x-amz-checksum-crc32"); got != "" {
			t.Errorf("%s: %q before the end", name, got)
		}
		if _, err := io.Copy(io.Discard, id.Body); err != nil {
			t.Fatal(err)
		}
		if got := id.Trailer().Get("x-amz-checksum-crc32"); got != "8dUkaA==" {
			t.Errorf("%s: %q at the end", name, got)
		}
	}
}

func TestTamperedChunks(t *testing.T) {
	swap := func(old, new string) func(string) string {
		return func(s string) string { return strings.Replace(s, old, new, 1) }
	}
	for _, c := range []struct {
		name   string
		tamper func(string) string
		code   string
	}{
		{"data", swap("hello", "jello"), "SignatureDoesNotMatch"},
		{"signature of a chunk", func(s string) string {
			i := strings.Index(s, "chunk-signature=") + len("chunk-signature=")
			return s[:i] + strings.Repeat("0", 64) + s[i+64:]
		}, "SignatureDoesNotMatch"},
		{"no signature", func(s string) string {
			i := strings.Index(s, ";chunk-signature=")
			return s[:i] + s[i+len(";chunk-signature=")+64:]
		}, "IncompleteBody"},
		{"value in the trailer", swap("8dUkaA==", "AAAAAA=="), "SignatureDoesNotMatch"},
		{"no signature of the trailer", func(s string) string {
			return s[:strings.Index(s, "x-amz-trailer-signature")] + "\r\n"
		}, "IncompleteBody"},
		{"no trailer", swap("x-amz-checksum-crc32:8dUkaA==\n", ""), "MalformedTrailerError"},
		{"another trailer", swap("checksum-crc32", "checksum-sha1x"), "MalformedTrailerError"},
		{"end cut off", func(s string) string {
			return s[:strings.LastIndex(s, "0;chunk")]
		}, "IncompleteBody"},
		{"first chunk left out", func(s string) string {
			return s[strings.LastIndex(s, "0;chunk"):]
		}, "IncompleteBody"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := arrive(t, signChunksAndTrailer(t, upload(t)))
			sent, err := io.ReadAll(r.Body)
			if err != nil {
				t.Fatal(err)
			}
			tampered := c.tamper(string(sent))
			if tampered == string(sent) {
				t.Fatal("nothing was changed")
			}
			r.Body = io.NopCloser(strings.NewReader(tampered))
			_, _, err = verify(access.NewS3(options()), r)
			wantCode(t, err, c.code)
		})
	}
}

func TestMalformedChunks(t *testing.T) {
	const trailer = "x-amz-checksum-crc32:8dUkaA==\r\n\r\n"
	const data = "3\r\nabc\r\n0\r\n"
	for _, c := range []struct{ name, body, code string }{
		{"nothing", "", "IncompleteBody"},
		{"no number", "x\r\nabc\r\n0\r\n" + trailer, "IncompleteBody"},
		{"an empty line", "\r\nabc\r\n0\r\n" + trailer, "IncompleteBody"},
		{"a sign", "+3\r\nabc\r\n0\r\n" + trailer, "IncompleteBody"},
		{"a negative size", "-3\r\nabc\r\n0\r\n" + trailer, "IncompleteBody"},
		{"a size beyond 64 bits", "10000000000000003\r\nabc\r\n0\r\n" + trailer, "IncompleteBody"},
		{"a size beyond 63 bits", "8000000000000003\r\nabc\r\n0\r\n" + trailer, "IncompleteBody"},
		{"an extension", "3;a=b\r\nabc\r\n0\r\n" + trailer, "IncompleteBody"},
		{"LF only", "3\nabc\r\n0\r\n" + trailer, "IncompleteBody"},
		{"a header without end", strings.Repeat("0", 1<<20), "IncompleteBody"},
		{"more data than size", "3\r\nabcd\r\n0\r\n" + trailer, "IncompleteBody"},
		{"less data than size", "4\r\nabc\r\n0\r\n" + trailer, "IncompleteBody"},
		{"more than declared", "4\r\nabcd\r\n0\r\n" + trailer, "IncompleteBody"},
		{"less than declared", "2\r\nab\r\n0\r\n" + trailer, "IncompleteBody"},
		{"cut off in data", "3\r\nab", "IncompleteBody"},
		{"cut off behind data", "3\r\nabc", "IncompleteBody"},
		{"no last chunk", "3\r\nabc\r\n", "IncompleteBody"},
		{"no trailer", data + "\r\n", "MalformedTrailerError"},
		{"an empty trailer", data + "x-amz-checksum-crc32:\r\n\r\n", "InvalidRequest"},
		{"an empty trailer, and one", data + "x-amz-checksum-crc32: \r\n" + trailer, "InvalidRequest"},
		{"a trailer twice", data + "x-amz-checksum-crc32:AAAAAA==\r\n" + trailer, "MalformedTrailerError"},
		{"a trailer more", data + "x-amz-meta-a:b\r\n" + trailer, "MalformedTrailerError"},
		{"another request", data + trailer + "GET / HTTP/1.1\r\n", "IncompleteBody"},
		{"another request, whole", data + trailer + "GET / HTTP/1.1\r\n\r\n", "MalformedTrailerError"},
		{"a trailer without end", data + strings.Repeat("x", 1<<20), "MalformedTrailerError"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, _, err := verify(anonymousS3(), unsignedChunks(t, 3, c.body))
			wantCode(t, err, c.code)
		})
	}
}

// A body that ends early is no short body: the connection was lost.
func TestALostConnectionIsAnIncompleteBody(t *testing.T) {
	r := unsignedChunks(t, 6, "6\r\nabcdef\r\n")
	r.Body = io.NopCloser(io.MultiReader(
		strings.NewReader("6\r\nabc"), iotest.ErrReader(io.ErrUnexpectedEOF)))
	_, _, err := verify(anonymousS3(), r)
	wantCode(t, err, "IncompleteBody")
}

// What the body fails with otherwise is for the server to understand: a deadline, say.
func TestAnErrorOfTheBodyIsReachable(t *testing.T) {
	slow := errors.New("too slow")
	for _, cut := range []string{"", "6", "6\r\n", "6\r\nabc", "6\r\nabcdef", "6\r\nabcdef\r\n0\r\n"} {
		r := unsignedChunks(t, 6, "")
		r.Body = io.NopCloser(io.MultiReader(strings.NewReader(cut), iotest.ErrReader(slow)))
		_, _, err := verify(anonymousS3(), r)
		if !errors.Is(err, slow) {
			t.Errorf("after %q: %v", cut, err)
		}
	}
}

func TestChunksBehaveAsAReader(t *testing.T) {
	want := strings.Repeat("gabion", 2000)
	r := unsignedChunks(t, len(want), "2000\r\n"+want[:8192]+"\r\nee0\r\n"+want[8192:]+
		"\r\n0\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n")
	id, err := anonymousS3().Verify(r)
	if err != nil {
		t.Fatal(err)
	}
	if err := iotest.TestReader(id.Body, []byte(want)); err != nil {
		t.Fatal(err)
	}
}

func TestAReaderThatFailedStaysFailed(t *testing.T) {
	r := unsignedChunks(t, 3, "x\r\nabc\r\n0\r\n\r\n")
	id, err := anonymousS3().Verify(r)
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		_, err := id.Body.Read(make([]byte, 10))
		wantCode(t, err, "IncompleteBody")
	}
}

func TestHeadersOfChunkedBodies(t *testing.T) {
	for _, c := range []struct{ header, value, code string }{
		{"X-Amz-Decoded-Content-Length", "", "MissingContentLength"},
		{"X-Amz-Decoded-Content-Length", "-1", "MissingContentLength"},
		{"X-Amz-Decoded-Content-Length", "3x", "MissingContentLength"},
		{"X-Amz-Decoded-Content-Length", "99999999999999999999", "MissingContentLength"},
		{"X-Amz-Content-Sha256", "STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD", "InvalidArgument"},
		{"X-Amz-Content-Sha256", "abc", "InvalidArgument"},
		{"X-Amz-Content-Sha256", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD", "AccessDenied"},
	} {
		r := unsignedChunks(t, 3, "")
		r.Header.Set(c.header, c.value)
		_, err := anonymousS3().Verify(r)
		wantCode(t, err, c.code)
	}
}

func TestTheHashOfABody(t *testing.T) {
	for _, c := range []struct{ body, hashed, code string }{
		{"abc", "abc", ""},
		{"", "", ""},
		{"abd", "abc", "XAmzContentSHA256Mismatch"},
		{"", "abc", "XAmzContentSHA256Mismatch"},
		{"abc", "", "XAmzContentSHA256Mismatch"},
	} {
		r := parse(t, fmt.Sprintf("PUT /photos/a HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n"+
			"X-Amz-Content-Sha256: %s\r\n\r\n%s", len(c.body), hexSHA256(c.hashed), c.body))
		_, body, err := verify(anonymousS3(), r)
		if c.code != "" {
			wantCode(t, err, c.code)
		} else if err != nil || body != c.body {
			t.Errorf("%q: %q, %v", c.body, body, err)
		}
	}
}
