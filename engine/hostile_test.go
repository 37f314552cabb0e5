package engine_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gabion-storage/gabion/crypto"
	"github.com/gabion-storage/gabion/engine"
)

// hostileTexts, hostileNumbers and hostileTimes are what a field may hold at worst.
var (
	hostileTexts = []string{
		"", " ", "\x00", "a\x00b", "\xff\xfe", "\r\nX-Evil: 1", "/", "\\", "..", "../../etc/passwd", "*", `"`, `W/"`, ",", "=", "-",
		"bytes=", "bytes=-", "bytes=--1", "bytes=-0", "bytes=9223372036854775807-9223372036854775808", "bytes=0-18446744073709551616",
		strings.Repeat("k", 1023), strings.Repeat("k", 1024), strings.Repeat("k", 1025), strings.Repeat("\x00", 1024), strings.Repeat("é", 512),
		strings.Repeat("x", 1<<20), "AES256", "KMS", "COPY", "REPLACE", "SHA256", "CRC32", "COMPOSITE", "FULL_OBJECT",
		strings.Repeat("F", 32), strings.Repeat("f", 32), "𝟙", "\u202e", "%s%n%d", "1B2M2Y8AsgTpgAmY7PhCfg==",
	}
	hostileNumbers = []int64{0, 1, -1, 2, 10_000, 10_001, 1000, 1001, math.MaxInt64, math.MinInt64, math.MaxInt32, math.MinInt32, 5<<30 + 1, math.MaxUint16 + 1}
	hostileTimes   = []time.Time{{}, time.Unix(0, 0), time.Unix(math.MaxInt64, 0), time.Unix(math.MinInt64, 0), time.Unix(0, math.MaxInt64), time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(-9999, 1, 1, 0, 0, 0, 0, time.UTC)}
)

// hostileValues are the values of a type that a request is tried with, and none for what is called,
// not read.
func hostileValues(t reflect.Type) (values []reflect.Value) {
	switch t {
	case reflect.TypeFor[time.Time]():
		for _, v := range hostileTimes {
			values = append(values, reflect.ValueOf(v))
		}
		return values
	case reflect.TypeFor[[]engine.CompletedPart]():
		for _, n := range hostileNumbers {
			values = append(values, reflect.ValueOf([]engine.CompletedPart{{PartNumber: int(n), ETag: `"`}, {PartNumber: int(n), Checksum: "\xff"}}))
		}
		return append(values, reflect.ValueOf(make([]engine.CompletedPart, 20_000)))
	case reflect.TypeFor[crypto.CustomerKey]():
		for _, n := range []int{0, 1, 31, 32, 33, 1 << 20} {
			values = append(values, reflect.ValueOf(make(crypto.CustomerKey, n)))
		}
		return values
	case reflect.TypeFor[io.Reader]():
		return []reflect.Value{reflect.ValueOf(failingBody{io.ErrUnexpectedEOF}), reflect.ValueOf(strings.NewReader("content"))}
	}
	switch t.Kind() {
	case reflect.String:
		for _, v := range hostileTexts {
			values = append(values, reflect.ValueOf(v).Convert(t))
		}
	case reflect.Int, reflect.Int64:
		for _, v := range hostileNumbers {
			values = append(values, reflect.ValueOf(v).Convert(t))
		}
	case reflect.Bool:
		values = append(values, reflect.ValueOf(true).Convert(t))
	case reflect.Slice:
		for _, v := range hostileValues(t.Elem()) {
			values = append(values, reflect.Append(reflect.Zero(t), v, v))
		}
		values = append(values, reflect.MakeSlice(t, 1001, 1001))
	case reflect.Map:
		for _, v := range hostileValues(t.Elem()) {
			m := reflect.MakeMap(t)
			m.SetMapIndex(v, v)
			values = append(values, m)
		}
	case reflect.Pointer:
		values = append(values, reflect.New(t.Elem()))
	}
	return values
}

// hostileFields are the paths to all fields of a request, also of the structs in it.
func hostileFields(t reflect.Type) (paths [][]int) {
	for _, f := range reflect.VisibleFields(t) {
		if f.Anonymous || !f.IsExported() {
			continue
		}
		if f.Type.Kind() == reflect.Struct && f.Type != reflect.TypeFor[time.Time]() {
			for _, inner := range hostileFields(f.Type) {
				paths = append(paths, append(append([]int{}, f.Index...), inner...))
			}
			continue
		}
		paths = append(paths, f.Index)
	}
	return paths
}

// eachCall creates a bucket of each of the rules and hands on, with it, every method of the engine that
// takes a request.
func eachCall(t *testing.T, e *engine.Engine, fn func(bucket, about string, run reflect.Value, request reflect.Type)) {
	t.Helper()
	for _, rules := range []engine.Rules{engine.OSS, engine.S3} {
		bucket := strings.ToLower(string(rules)) + "-bucket"
		if _, err := e.CreateBucket(t.Context(), &engine.CreateBucketRequest{Bucket: bucket, Rules: rules}); err != nil {
			t.Fatal(err)
		}
		for i := range reflect.TypeOf(e).NumMethod() {
			method, run := reflect.TypeOf(e).Method(i), reflect.ValueOf(e).Method(i)
			if run.Type().NumIn() != 2 || run.Type().In(1).Kind() != reflect.Pointer || !run.Type().In(0).Implements(reflect.TypeFor[context.Context]()) {
				continue
			}
			fn(bucket, fmt.Sprint(rules, " ", method.Name), run, run.Type().In(1).Elem())
		}
	}
}

// TestHostileRequests gives every field of every request, one at a time, what it may hold at worst:
// nothing panics, and whatever is refused is refused as the client's fault.
func TestHostileRequests(t *testing.T) {
	t.Parallel()
	e, _ := memoryStore(t, &engine.Options{Keys: keys(t)})
	uploads := map[string]string{} // the id of one in each bucket
	eachCall(t, e, func(bucket, about string, run reflect.Value, request reflect.Type) {
		for _, path := range hostileFields(request) {
			for _, value := range hostileValues(request.FieldByIndex(path).Type) {
				req := sound(t, e, request, bucket, uploads)
				req.Elem().FieldByIndex(path).Set(value)
				hostileCall(t, run, req, func() string {
					return fmt.Sprintf("%s with %s = %.60q", about, request.FieldByIndex(path).Name, fmt.Sprint(value))
				})
			}
		}
	})
}

// TestHostilePairs gives the names in every request what they may hold at worst, and at the same time
// every other field something that changes what is done under these names.
func TestHostilePairs(t *testing.T) {
	t.Parallel()
	e, _ := memoryStore(t, &engine.Options{Keys: keys(t)})
	uploads := map[string]string{} // the id of one in each bucket
	names := []string{"Bucket", "Key", "SourceBucket", "SourceKey", "UploadID"}
	bad := []string{strings.Repeat("k", 1025), "nowhere"}
	eachCall(t, e, func(bucket, about string, run reflect.Value, request reflect.Type) {
		for _, path := range hostileFields(request) {
			field := request.FieldByIndex(path)
			for _, value := range telling(hostileValues(field.Type)) {
				for _, name := range names {
					if named, ok := request.FieldByName(name); !ok || name == field.Name || named.Type.Kind() != reflect.String {
						continue
					}
					for _, text := range bad {
						req := sound(t, e, request, bucket, uploads)
						req.Elem().FieldByIndex(path).Set(value)
						req.Elem().FieldByName(name).SetString(text)
						hostileCall(t, run, req, func() string {
							return fmt.Sprintf("%s with %s = %.20q and %s = %.60q", about, name, text, field.Name, fmt.Sprint(value))
						})
					}
				}
			}
		}
	})
}

// telling are those of the values of one type that requests are likely to let through: words that
// mean something, small numbers, and a few of all else.
func telling(values []reflect.Value) []reflect.Value {
	few := slices.DeleteFunc(slices.Clone(values), func(v reflect.Value) bool {
		switch v.Kind() {
		case reflect.String:
			return !slices.Contains([]string{"*", "AES256", "CRC32", strings.Repeat("F", 32)}, v.String())
		case reflect.Int, reflect.Int64:
			return v.Int() < -1 || v.Int() > 1
		}
		return false
	})
	return few[:min(len(few), 3)]
}

// sound makes a request that is in order, for an object and an upload that are there. Uploads serve
// until they are gone: if each request had one of its own, listings would take their time.
func sound(t *testing.T, e *engine.Engine, request reflect.Type, bucket string, uploads map[string]string) reflect.Value {
	mustPut(t, e, engine.PutObjectRequest{Bucket: bucket, Key: "key", Body: strings.NewReader("content")})
	req := reflect.New(request)
	set := func(field, value string) {
		if f := req.Elem().FieldByName(field); f.IsValid() {
			f.SetString(value)
		}
	}
	set("Bucket", bucket)
	set("Key", "key")
	set("SourceBucket", bucket)
	set("SourceKey", "key")
	if _, ok := request.FieldByName("UploadID"); ok && request != reflect.TypeFor[engine.UploadRequest]() {
		list := &engine.ListPartsRequest{Bucket: bucket, Key: "key", UploadID: uploads[bucket]}
		if _, err := e.ListParts(t.Context(), list); errors.Is(err, engine.ErrNoSuchUpload) {
			uploads[bucket] = mustInitiate(t, e, bucket, "key", "")
		} else if err != nil {
			t.Fatal(err)
		}
		mustPart(t, e, bucket, "key", uploads[bucket], 1, []byte("content"))
		set("UploadID", uploads[bucket])
	}
	if f := req.Elem().FieldByName("PartNumber"); f.IsValid() && request != reflect.TypeFor[engine.GetObjectRequest]() {
		f.SetInt(1)
	}
	return req
}

func hostileCall(t *testing.T, run, req reflect.Value, what func() string) {
	t.Helper()
	defer func() {
		if p := recover(); p != nil {
			t.Errorf("%s panics: %v", what(), p)
		}
	}()
	results := run.Call([]reflect.Value{reflect.ValueOf(context.Background()), req})
	if obj, ok := results[0].Interface().(*engine.Object); ok && obj != nil {
		_, err := io.Copy(io.Discard, obj)
		if err := errors.Join(err, obj.Close()); err != nil {
			t.Errorf("%s: reading: %v", what(), err)
		}
	}
	err := outcome(results)
	var typed *engine.Error
	if err != nil && (!errors.As(err, &typed) || typed.HTTPStatus >= 500 && !errors.Is(err, engine.ErrNotImplemented)) {
		t.Errorf("%s: %v", what(), err)
	}
	if text := fmt.Sprint(err); strings.ContainsAny(text, "\x00\r\n") {
		t.Errorf("%s: the error garbles a line: %.200q", what(), text)
	}
}
