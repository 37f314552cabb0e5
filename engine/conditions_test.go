package engine_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/gabion-storage/gabion/engine"
)

// TestConditions judges If* by an object that was modified at 03:04:05.6.
func TestConditions(t *testing.T) {
	modified := time.Date(2026, 1, 2, 3, 4, 5, 6e8, time.UTC)
	e := openTemp(t, &engine.Options{Clock: func() time.Time { return modified }})
	etag := mustObject(t, e, "bucket", "key", "", []byte("content")).ETag
	at := func(s int) time.Time { return time.Date(2026, 1, 2, 3, 4, s, 0, time.UTC) }
	none, other := error(nil), "D41D8CD98F00B204E9800998ECF8427E-0"
	failed, same := error(engine.ErrPreconditionFailed), error(engine.ErrNotModified)
	for _, row := range []struct {
		conditions engine.Conditions
		want       error
	}{
		{engine.Conditions{}, none},
		{engine.Conditions{IfMatch: etag}, none},
		{engine.Conditions{IfMatch: `"` + strings.ToLower(etag) + `"`}, none},
		{engine.Conditions{IfMatch: "*"}, none},
		{engine.Conditions{IfMatch: other}, failed},
		{engine.Conditions{IfNoneMatch: other}, none},
		{engine.Conditions{IfNoneMatch: etag}, same},
		{engine.Conditions{IfNoneMatch: "*"}, same},
		{engine.Conditions{IfModifiedSince: at(4)}, none},
		{engine.Conditions{IfModifiedSince: at(5)}, same}, // HTTP's dates have seconds
		{engine.Conditions{IfModifiedSince: at(6)}, same},
		{engine.Conditions{IfUnmodifiedSince: at(4)}, failed},
		{engine.Conditions{IfUnmodifiedSince: at(5)}, none},
		{engine.Conditions{IfUnmodifiedSince: at(6)}, none},
		{engine.Conditions{IfMatch: etag, IfNoneMatch: other}, none},
		{engine.Conditions{IfMatch: other, IfNoneMatch: etag}, failed},
		{engine.Conditions{IfMatch: etag, IfUnmodifiedSince: at(4)}, none}, // the ETag decides
		{engine.Conditions{IfNoneMatch: other, IfModifiedSince: at(6)}, none},
		{engine.Conditions{IfModifiedSince: at(4), IfUnmodifiedSince: at(6)}, none},
		{engine.Conditions{IfModifiedSince: at(6), IfUnmodifiedSince: at(4)}, failed},
	} {
		_, err := e.HeadObject(context.Background(), &engine.HeadObjectRequest{Bucket: "bucket", Key: "key", Conditions: row.conditions})
		if !errors.Is(err, row.want) {
			t.Errorf("HeadObject, %+v: %v, want %v", row.conditions, err, row.want)
		}
		obj, err := e.GetObject(context.Background(), &engine.GetObjectRequest{Bucket: "bucket", Key: "key", Conditions: row.conditions})
		if !errors.Is(err, row.want) {
			t.Errorf("GetObject, %+v: %v, want %v", row.conditions, err, row.want)
		}
		if err == nil {
			obj.Close()
		}
	}
	mustDelete(t, e, "bucket", "key")
	if got := tallyOf(t, e); got != (tally{}) {
		t.Errorf("conditions that failed hold %+v", got)
	}
}
