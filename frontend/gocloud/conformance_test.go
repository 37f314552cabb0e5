package gocloud_test

import (
	"context"
	"errors"
	"net/http"
	"testing"

	"github.com/gabion-storage/gabion/engine"
	"github.com/gabion-storage/gabion/frontend/gocloud"
	"gocloud.dev/blob"
	"gocloud.dev/blob/driver"
	"gocloud.dev/blob/drivertest"
)

// TestConformance is gocloud's own suite. Under OSS's rules keys do not begin with / or \, so all
// keys are below a prefix there.
func TestConformance(t *testing.T) {
	for rules, prefix := range map[engine.Rules]string{engine.S3: "", engine.OSS: "below/"} {
		newHarness := func(_ context.Context, t *testing.T) (drivertest.Harness, error) {
			return &harness{openMemory(t, rules), prefix}, nil
		}
		t.Run(string(rules), func(t *testing.T) {
			drivertest.RunConformanceTests(t, newHarness, []drivertest.AsTest{asTest{}})
		})
	}
}

// A harness has an engine in memory. There are no signed URLs, so no client for them.
type harness struct {
	engine *engine.Engine
	prefix string
}

func (h *harness) MakeDriver(context.Context) (driver.Bucket, error) {
	drv, err := gocloud.OpenDriver(h.engine, "bucket", nil)
	if err != nil || h.prefix == "" {
		return drv, err
	}
	return driver.NewPrefixedBucket(drv, h.prefix), nil
}

func (h *harness) MakeDriverForNonexistentBucket(context.Context) (driver.Bucket, error) {
	return gocloud.OpenDriver(h.engine, "absent", nil)
}

func (h *harness) HTTPClient() *http.Client         { return nil }
func (h *harness) SupportsCopy() bool               { return true }
func (h *harness) SupportsNonSlashDelimiters() bool { return true }
func (h *harness) SkipDownloadAt() bool             { return false }
func (h *harness) Close()                           {}

// asTest asks for every type that doc.go names. What its hooks change must have an effect.
type asTest struct{}

func (asTest) Name() string { return "engine's types" }

func (asTest) BucketCheck(b *blob.Bucket) error {
	var e *engine.Engine
	return given(b.As(&e) && e != nil)
}

func (asTest) ErrorCheck(b *blob.Bucket, err error) error {
	var e *engine.Error
	return given(b.ErrorAs(err, &e) && errors.Is(e, engine.ErrNoSuchKey))
}

func (asTest) BeforeRead(as func(any) bool) error {
	var req *engine.GetObjectRequest
	return given(as(&req) && req.Bucket == "bucket")
}

func (asTest) BeforeWrite(as func(any) bool) error {
	var req *engine.UploadRequest
	if !as(&req) {
		return given(false)
	}
	req.Tags = map[string]string{"by": "hook"}
	return nil
}

func (asTest) BeforeCopy(as func(any) bool) error {
	var req *engine.CopyObjectRequest
	return given(as(&req) && req.SourceBucket == "bucket")
}

func (asTest) BeforeDelete(as func(any) bool) error {
	var req *engine.DeleteObjectRequest
	return given(as(&req) && req.Bucket == "bucket")
}

func (asTest) BeforeList(as func(any) bool) error {
	var req *engine.ListObjectsRequest
	return given(as(&req) && req.Bucket == "bucket")
}

func (asTest) BeforeSign(func(any) bool) error { return nil }

func (asTest) AttributesCheck(a *blob.Attributes) error {
	var info engine.ObjectInfo
	return given(a.As(&info) && info.Tags["by"] == "hook")
}

func (asTest) ReaderCheck(r *blob.Reader) error {
	var object *engine.Object
	return given(r.As(&object) && object.Tags["by"] == "hook")
}

func (asTest) ListObjectCheck(o *blob.ListObject) error {
	var info engine.ObjectInfo
	return given(o.As(&info) != o.IsDir)
}

func given(ok bool) error {
	if !ok {
		return errors.New("the engine's type is not given, or has other values")
	}
	return nil
}
