package engine_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/gabion-storage/gabion/engine"
)

// TestEntityTags judges conditions on an object as RFC 9110 says: IfMatch compares strongly,
// IfNoneMatch weakly.
func TestEntityTags(t *testing.T) {
	e, _ := memoryStore(t, nil)
	mustBucket(t, e, "bucket")
	tag := mustPut(t, e, engine.PutObjectRequest{Key: "key", Body: strings.NewReader("content")}).ETag
	lower := strings.ToLower(tag)
	for _, test := range []struct {
		condition    string
		strong, weak bool // whether it matches
	}{
		{tag, true, true},
		{`"` + tag + `"`, true, true},
		{`"` + lower, true, true},
		{" \t" + lower + " ", true, true},
		{"*", true, true},
		{" * ", true, true},
		{`"*"`, false, false},
		{`W/"` + tag + `"`, false, true},
		{"W/" + tag, false, true},
		{`w/"` + tag + `"`, false, false}, // no weak tag, nor any other
		{`"other"`, false, false},
		{`"other", "` + tag + `"`, true, true},
		{`"other","` + tag + `"`, true, true},
		{`"` + tag + `","other"`, true, true},
		{"other, " + lower + " , another", true, true},
		{`W/"other", W/"` + tag + `"`, false, true},
		{`W/"` + tag + `", "` + tag + `"`, true, true},
		{`"other,` + tag + `"`, false, false}, // one tag
		{`"a,b", "` + tag + `"`, true, true},
		{`,, "` + tag + `",`, true, true},
		{",", false, false},
		{`""`, false, false},
		{`"`, false, false},
		{`W/`, false, false},
		{" ", false, false},
		{`"` + tag + `" "other"`, true, true},
		{tag[:31], false, false},
		{"\xff\x00", false, false},
		{strings.Repeat(`"x",`, 100_000) + tag, true, true},
	} {
		shown := test.condition[:min(len(test.condition), 100)]
		head := func(c engine.Conditions) error {
			_, err := e.HeadObject(t.Context(), &engine.HeadObjectRequest{Bucket: "bucket", Key: "key", Conditions: c})
			return err
		}
		if err := head(engine.Conditions{IfMatch: test.condition}); test.strong != (err == nil) || !test.strong && !errors.Is(err, engine.ErrPreconditionFailed) {
			t.Errorf("IfMatch %q: %v", shown, err)
		}
		if err := head(engine.Conditions{IfNoneMatch: test.condition}); test.weak == (err == nil) || test.weak && !errors.Is(err, engine.ErrNotModified) {
			t.Errorf("IfNoneMatch %q: %v", shown, err)
		}
		_, err := e.CopyObject(t.Context(), &engine.CopyObjectRequest{Bucket: "bucket", Key: "copy", SourceBucket: "bucket", SourceKey: "key", Conditions: engine.Conditions{IfMatch: test.condition}})
		if test.strong != (err == nil) {
			t.Errorf("CopyObject with IfMatch %q: %v", shown, err)
		}
		_, err = e.PutObject(t.Context(), &engine.PutObjectRequest{Bucket: "bucket", Key: "key", Body: strings.NewReader("content"), Preconditions: engine.Preconditions{IfMatch: test.condition}})
		if test.strong != (err == nil) {
			t.Errorf("PutObject with IfMatch %q: %v", shown, err)
		}
	}
}
