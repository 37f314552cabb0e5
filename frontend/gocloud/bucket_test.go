package gocloud_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"

	gabion "github.com/gabion-storage/gabion/blob"
	"github.com/gabion-storage/gabion/crypto"
	"github.com/gabion-storage/gabion/engine"
	"github.com/gabion-storage/gabion/frontend/gocloud"
	"github.com/gabion-storage/gabion/index"
	"gocloud.dev/blob"
	"gocloud.dev/gcerrors"
)

// openMemory opens an engine in memory with a bucket named bucket. The test's cleanup checks it and
// closes it.
func openMemory(t testing.TB, rules engine.Rules) *engine.Engine {
	t.Helper()
	ring, err := crypto.CreateKeyring(filepath.Join(t.TempDir(), "keyring"))
	if err != nil {
		t.Fatal(err)
	}
	ctx := context.Background()
	e, err := engine.OpenStores(ctx, index.NewMemory(), gabion.NewMemory(0), &engine.Options{
		Rules: rules, Keys: ring,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		res, err := e.Check(ctx, nil)
		if err != nil || len(res.Problems) > 0 {
			t.Errorf("Check: %v, %v", res, err)
		}
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	if _, err := e.CreateBucket(ctx, &engine.CreateBucketRequest{Bucket: "bucket"}); err != nil {
		t.Fatal(err)
	}
	return e
}

// openBucket opens the bucket of an engine. The test's cleanup closes it.
func openBucket(t testing.TB, e *engine.Engine, o *gocloud.Options) *blob.Bucket {
	t.Helper()
	b, err := gocloud.OpenBucket(e, "bucket", o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	})
	return b
}

// random returns n bytes that do not compress, the same ones each time.
func random(n int) []byte {
	data := make([]byte, n)
	rand.NewChaCha8([32]byte{}).Read(data) // never fails
	return data
}

// TestSizes writes and reads blobs on both sides of what is put at once. Only what came in parts is
// without an MD5.
func TestSizes(t *testing.T) {
	b := openBucket(t, openMemory(t, engine.OSS), nil)
	for _, size := range []int{0, 1, 64<<10 - 1, 64 << 10, 64<<10 + 1, 20 << 20} {
		want := random(size)
		if err := b.WriteAll(t.Context(), "key", want, nil); err != nil {
			t.Fatalf("%d bytes: %v", size, err)
		}
		got, err := b.ReadAll(t.Context(), "key")
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("of %d bytes %d come back, %v", size, len(got), err)
		}
		a, err := b.Attributes(t.Context(), "key")
		if err != nil || a.Size != int64(size) || (a.MD5 == nil) != (size >= 64<<10) {
			t.Errorf("of %d bytes the attributes are %+v, %v", size, a, err)
		}
	}
}

// TestRanges reads parts of a blob, also such that reach beyond it or lie behind it.
func TestRanges(t *testing.T) {
	b := openBucket(t, openMemory(t, engine.OSS), nil)
	content := random(100 << 10)
	if err := b.WriteAll(t.Context(), "key", content, nil); err != nil {
		t.Fatal(err)
	}
	const most, end = int64(1<<63 - 1), int64(100 << 10)
	for _, c := range []struct{ offset, length, from, to int64 }{
		{0, -1, 0, end},
		{0, 0, 0, 0},
		{0, 1, 0, 1},
		{0, most, 0, end},
		{5, most, 5, end},
		{end - 1, 1, end - 1, end},
		{end - 1, 2, end - 1, end},
		{end, -1, 0, 0},
		{end, 5, 0, 0},
		{end + 1, -1, 0, 0},
		{most, -1, 0, 0},
		{most, 0, 0, 0},
	} {
		r, err := b.NewRangeReader(t.Context(), "key", c.offset, c.length, nil)
		if err != nil {
			t.Errorf("%d bytes at %d: %v", c.length, c.offset, err)
			continue
		}
		got, err := io.ReadAll(r)
		if err != nil || !bytes.Equal(got, content[c.from:c.to]) || r.Size() != end {
			t.Errorf("%d bytes at %d are %d of %d, %v", c.length, c.offset, len(got), r.Size(), err)
		}
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	}
}

// TestCanceled cancels the context of writers before and after parts of the blob were stored, and
// of a reader. Nothing stays of what was written.
func TestCanceled(t *testing.T) {
	e := openMemory(t, engine.OSS)
	b := openBucket(t, e, nil)
	for _, size := range []int{0, 10, 20 << 20} {
		ctx, cancel := context.WithCancel(t.Context())
		w, err := b.NewWriter(ctx, "key", &blob.WriterOptions{ContentType: "text/plain"})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(random(size)); err != nil {
			t.Fatal(err)
		}
		cancel()
		for err == nil { // whoever goes on writing is told
			_, err = w.Write(random(1 << 20))
		}
		if gcerrors.Code(err) != gcerrors.Canceled {
			t.Errorf("after %d bytes Write fails with %v", size, err)
		}
		if err := w.Close(); gcerrors.Code(err) != gcerrors.Canceled {
			t.Errorf("after %d bytes Close fails with %v", size, err)
		}
	}
	checkEmpty(t, e)

	if err := b.WriteAll(t.Context(), "key", random(10), nil); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	r, err := b.NewReader(ctx, "key", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	cancel()
	if _, err := r.Read(make([]byte, 1)); gcerrors.Code(err) != gcerrors.Canceled {
		t.Errorf("Read fails with %v", err)
	}
}

// TestWrongMD5: a blob that is not what the caller meant is dropped, whatever its size.
func TestWrongMD5(t *testing.T) {
	e := openMemory(t, engine.OSS)
	b := openBucket(t, e, nil)
	for _, size := range []int{10, 20 << 20} {
		err := b.WriteAll(t.Context(), "key", random(size), &blob.WriterOptions{
			ContentMD5: make([]byte, 16),
		})
		if gcerrors.Code(err) != gcerrors.FailedPrecondition {
			t.Errorf("%d bytes: %v", size, err)
		}
	}
	checkEmpty(t, e)
}

// checkEmpty checks that an engine holds nothing.
func checkEmpty(t *testing.T, e *engine.Engine) {
	t.Helper()
	if _, err := e.Reclaim(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	s, err := e.Stats(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if s.Objects != 0 || s.Uploads != 0 || s.Parts != 0 || s.Chunks != 0 {
		t.Errorf("there are %d objects, %d uploads, %d parts and %d chunks left",
			s.Objects, s.Uploads, s.Parts, s.Chunks)
	}
}

// TestEncryption: what the options say holds for small and large blobs and for copies; with a
// client's key nobody reads them without it.
func TestEncryption(t *testing.T) {
	e := openMemory(t, engine.S3)
	locked := engine.EncryptionRequest{SSECustomerKey: random(crypto.CustomerKeySize)}
	sealed := engine.EncryptionRequest{ServerSideEncryption: engine.EncryptionAES256}
	for _, encryption := range []engine.EncryptionRequest{locked, sealed} {
		b := openBucket(t, e, &gocloud.Options{Encryption: encryption})
		for _, size := range []int{10, 1 << 20} {
			want := random(size)
			err := errors.Join(
				b.WriteAll(t.Context(), "key", want, nil), b.Copy(t.Context(), "copy", "key", nil),
			)
			if err != nil {
				t.Fatal(err)
			}
			for _, key := range []string{"key", "copy"} {
				got, err := b.ReadAll(t.Context(), key)
				if err != nil || !bytes.Equal(got, want) {
					t.Errorf("%s: %d bytes come back, %v", key, len(got), err)
				}
				a, err := b.Attributes(t.Context(), key)
				var info engine.ObjectInfo
				if err != nil || !a.As(&info) ||
					info.ServerSideEncryption != encryption.ServerSideEncryption {
					t.Errorf("%s is encrypted with %q, %v", key, info.ServerSideEncryption, err)
				}
				if encryption.SSECustomerKey != nil {
					if _, err := openBucket(t, e, nil).ReadAll(t.Context(), key); err == nil {
						t.Errorf("%s is read without its key", key)
					}
				}
				if err := b.Delete(t.Context(), key); err != nil {
					t.Error(err)
				}
			}
		}
	}
}

// TestErrorCodes: each code of gocloud stands for what its documentation says.
func TestErrorCodes(t *testing.T) {
	e := openMemory(t, engine.OSS)
	drv, err := gocloud.OpenDriver(e, "bucket", nil)
	if err != nil {
		t.Fatal(err)
	}
	for code, errs := range map[gcerrors.ErrorCode][]error{
		gcerrors.NotFound: {engine.ErrNoSuchBucket, engine.ErrNoSuchKey, engine.ErrNoSuchUpload},
		gcerrors.InvalidArgument: {
			engine.ErrInvalidArgument, engine.ErrInvalidObjectName, engine.ErrInvalidRange,
		},
		gcerrors.FailedPrecondition: {
			engine.ErrPreconditionFailed, engine.ErrFileAlreadyExists, engine.ErrNotModified,
			engine.ErrClosed,
		},
		gcerrors.PermissionDenied: {
			engine.ErrAccessDenied, engine.ErrKmsServiceNotEnabled, engine.ErrKeyNotFound,
			engine.ErrKeyDisabled, engine.ErrKeyPendingDeletion, engine.ErrKeyPendingImport,
		},
		gcerrors.Unimplemented:     {engine.ErrNotImplemented},
		gcerrors.ResourceExhausted: {engine.ErrNoSpace},
		gcerrors.Internal:          {engine.ErrInternal},
		gcerrors.Unknown: {
			io.ErrUnexpectedEOF, engine.ErrUnavailable, engine.ErrLeaseLost, engine.ErrInUse,
			engine.ErrUnfinishedClone,
		},
		gcerrors.Canceled: {engine.ErrRequestTimeout.Derive("", context.Canceled)},
		gcerrors.DeadlineExceeded: {
			engine.ErrRequestTimeout.Derive("", context.DeadlineExceeded),
		},
	} {
		for _, err := range errs {
			if got := drv.ErrorCode(err); got != code {
				t.Errorf("%v has the code %v, want %v", err, got, code)
			}
		}
	}
}

// TestOpenBucket refuses what can be no bucket at once.
func TestOpenBucket(t *testing.T) {
	if _, err := gocloud.OpenBucket(nil, "bucket", nil); err == nil {
		t.Error("a bucket without an engine is opened")
	}
	if _, err := gocloud.OpenBucket(openMemory(t, engine.OSS), "", nil); err == nil {
		t.Error("a bucket without a name is opened")
	}
}

// FuzzMetadata: any metadata comes back as it was, and is such that the engine takes it.
func FuzzMetadata(f *testing.F) {
	for _, text := range []string{
		"", "plain", "-", "-x", "--x5f-", "-x5f-", "_x5f-", "_-x_", "a-_", "\x00\r\n\x7f",
		"%41%zz%", "ß☺",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		text = strings.ToLower(strings.ToValidUTF8(text, ""))
		name := gocloud.EscapeName(text)
		if got := gocloud.UnescapeName(name); got != text {
			t.Errorf("the name %q, escaped %q, comes back as %q", text, name, got)
		}
		if strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
			t.Errorf("the name %q is escaped %q", text, name)
		}
		value := gocloud.EscapeValue(text)
		if got := gocloud.UnescapeValue(value); got != text {
			t.Errorf("the value %q, escaped %q, comes back as %q", text, value, got)
		}
		if strings.ContainsAny(value, "\r\n\x00") {
			t.Errorf("the value %q is escaped %q", text, value)
		}
	})
}

// FuzzForeignMetadata: metadata that other front ends have stored is shown, whatever it looks like.
func FuzzForeignMetadata(f *testing.F) {
	for _, text := range []string{"-x-", "-xffffff-", "-xd800-", "%", "100%", "-x5f-"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if !strings.Contains(text, "-x") && gocloud.UnescapeName(text) != text {
			t.Errorf("the name %q is changed", text)
		}
		if !strings.Contains(text, "%") && gocloud.UnescapeValue(text) != text {
			t.Errorf("the value %q is changed", text)
		}
	})
}

// TestAMissingKeyIsNoMissingBlob: who writes what is not found would overwrite what he cannot read.
func TestAMissingKeyIsNoMissingBlob(t *testing.T) {
	ctx, idx, blobs := t.Context(), index.NewMemory(), gabion.NewMemory(0)
	sealed := &gocloud.Options{Encryption: engine.EncryptionRequest{ServerSideEncryption: engine.EncryptionAES256}}
	for i := range 2 { // each time with a key ring of its own
		ring, err := crypto.CreateKeyring(filepath.Join(t.TempDir(), "keyring"))
		if err != nil {
			t.Fatal(err)
		}
		e, err := engine.OpenStores(ctx, unclosed{idx}, unclosedBlobs{blobs}, &engine.Options{Keys: ring})
		if err != nil {
			t.Fatal(err)
		}
		defer e.Close()
		if i == 0 {
			if _, err := e.CreateBucket(ctx, &engine.CreateBucketRequest{Bucket: "bucket"}); err != nil {
				t.Fatal(err)
			}
			if err := openBucket(t, e, sealed).WriteAll(ctx, "key", []byte("content"), nil); err != nil {
				t.Fatal(err)
			}
			if err := e.Close(); err != nil {
				t.Fatal(err)
			}
			continue
		}
		_, err = openBucket(t, e, nil).ReadAll(ctx, "key")
		if !errors.Is(err, engine.ErrKeyNotFound) || gcerrors.Code(err) != gcerrors.PermissionDenied {
			t.Errorf("reading: %v, code %v", err, gcerrors.Code(err))
		}
	}
}

// unclosed and unclosedBlobs outlive the engines over them.
type (
	unclosed      struct{ *index.Memory }
	unclosedBlobs struct{ *gabion.Memory }
)

func (unclosed) Close() error      { return nil }
func (unclosedBlobs) Close() error { return nil }

// TestCopyOntoItself leaves a blob all that is said of it.
func TestCopyOntoItself(t *testing.T) {
	for _, rules := range []engine.Rules{engine.OSS, engine.S3} {
		for _, sse := range []engine.EncryptionAlgorithm{"", engine.EncryptionAES256} {
			b := openBucket(t, openMemory(t, rules), &gocloud.Options{
				Encryption: engine.EncryptionRequest{ServerSideEncryption: sse},
			})
			writeDescribed(t, b, "1")
			if err := b.Copy(t.Context(), "key", "key", nil); err != nil {
				t.Errorf("under %s's rules, encryption %q: %v", rules, sse, err)
			}
			wantDescribed(t, b, "1")
		}
	}
}

// TestCopyOntoItselfOfWhatChanges: what is written while a blob is copied onto itself keeps what is
// said of it.
func TestCopyOntoItselfOfWhatChanges(t *testing.T) {
	for _, rules := range []engine.Rules{engine.OSS, engine.S3} {
		b := openBucket(t, openMemory(t, rules), nil)
		writeDescribed(t, b, "1")
		writes, most := 0, 1
		o := &blob.CopyOptions{BeforeCopy: func(func(any) bool) error {
			if writes < most {
				writes++
				writeDescribed(t, b, fmt.Sprint(writes+1))
			}
			return nil
		}}
		if err := b.Copy(t.Context(), "key", "key", o); err != nil {
			t.Errorf("under %s's rules: %v", rules, err)
		}
		wantDescribed(t, b, "2")

		most = math.MaxInt
		err := b.Copy(t.Context(), "key", "key", o)
		if !errors.Is(err, engine.ErrUnavailable) {
			t.Errorf("under %s's rules, of what changes all the time: %v", rules, err)
		}
		wantDescribed(t, b, fmt.Sprint(writes+1))
	}
}

// TestCopyOntoItselfUnderAConditionOfTheCallers tries once: his may hold for ever, or never.
func TestCopyOntoItselfUnderAConditionOfTheCallers(t *testing.T) {
	b := openBucket(t, openMemory(t, engine.S3), nil)
	writeDescribed(t, b, "1")
	tries := 0
	err := b.Copy(t.Context(), "key", "key", &blob.CopyOptions{BeforeCopy: func(as func(any) bool) error {
		var req *engine.CopyObjectRequest
		as(&req)
		req.IfMatch = "another"
		tries++
		return nil
	}})
	if gcerrors.Code(err) != gcerrors.FailedPrecondition || tries != 1 {
		t.Errorf("%d tries, %v", tries, err)
	}
}

// writeDescribed writes a blob whose content and description are of a version.
func writeDescribed(t *testing.T, b *blob.Bucket, version string) {
	t.Helper()
	err := b.WriteAll(t.Context(), "key", []byte("content "+version), &blob.WriterOptions{
		ContentType: "text/plain", CacheControl: "max-age=" + version,
		Metadata: map[string]string{"version": version},
		BeforeWrite: func(as func(any) bool) error {
			var req *engine.UploadRequest
			as(&req)
			req.Tags = map[string]string{"version": version}
			req.Annotations = map[string]string{"version": version}
			return nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
}

func wantDescribed(t *testing.T, b *blob.Bucket, version string) {
	t.Helper()
	content, err := b.ReadAll(t.Context(), "key")
	if err != nil || string(content) != "content "+version {
		t.Errorf("%q, %v", content, err)
	}
	got, err := b.Attributes(t.Context(), "key")
	var info engine.ObjectInfo
	if err != nil || !got.As(&info) || got.ContentType != "text/plain" ||
		got.CacheControl != "max-age="+version || got.Metadata["version"] != version ||
		info.Tags["version"] != version || info.Annotations["version"] != version {
		t.Errorf("of version %s: %+v, %v", version, info, err)
	}
}
