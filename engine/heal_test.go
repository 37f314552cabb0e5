package engine_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"testing"

	"github.com/gabion-storage/gabion/engine"
)

// A wound is one way to damage what a closed store holds.
type wound struct {
	name string
	do   func(t *testing.T, dir string, data []byte)
}

// flipIn flips a bit of the volume that holds these bytes, at an offset from their beginning.
func flipIn(t *testing.T, dir string, data []byte, at int) {
	t.Helper()
	path, start := findBytes(t, dir, data)
	flipBit(t, path, start+int64(at), 3)
}

// findBytes says in which volume these bytes lie, and where.
func findBytes(t *testing.T, dir string, data []byte) (path string, start int64) {
	t.Helper()
	for _, path := range volumeLogs(t, dir) {
		content, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if i := bytes.Index(content, data); i >= 0 {
			return path, int64(i)
		}
	}
	t.Fatal("no volume holds the bytes")
	return "", 0
}

const healChunk = 32 << 10

var (
	inBody   = wound{"bit of a frame", func(t *testing.T, dir string, data []byte) { flipIn(t, dir, data[:healChunk], 1000) }}
	inHeader = wound{"bit of a record's header", func(t *testing.T, dir string, data []byte) { flipIn(t, dir, data[:healChunk], -8-20) }}
	inBoth   = wound{"bits of a record's header and frame", func(t *testing.T, dir string, data []byte) {
		inHeader.do(t, dir, data)
		inBody.do(t, dir, data)
	}}
	noVolume = wound{"volume removed", func(t *testing.T, dir string, data []byte) {
		path, _ := findBytes(t, dir, data[:healChunk])
		removeVolume(t, path)
	}}
)

// TestDamageIsHealed damages a chunk that two objects share, and stores its bytes once more: the
// new object and the old ones are whole from then on.
func TestDamageIsHealed(t *testing.T) {
	none := func(*testing.T, *engine.Engine) {}
	read := func(t *testing.T, e *engine.Engine) { wantDamaged(t, e, "put") }
	check := func(t *testing.T, e *engine.Engine) {
		res, err := e.Check(context.Background(), &engine.CheckRequest{Data: true})
		if err != nil || len(res.Problems) == 0 {
			t.Fatalf("Check with Data: %+v, %v", res, err)
		}
	}
	reclaim := func(t *testing.T, e *engine.Engine) {
		engine.WithoutHoles(e)      // which need not read what lives
		yield := engine.TakeTurn(e) // the background might find it first
		mustDelete(t, e, "heal", "garbage")
		found := make(chan error, 1)
		go func() {
			_, err := e.Reclaim(context.Background(), &engine.ReclaimRequest{})
			found <- err
		}()
		engine.AwaitClaim(e)
		yield()
		if err := <-found; asCorruption(err) == nil {
			t.Fatalf("Reclaim of a volume with a damaged chunk: %v", err)
		}
		mustReclaim(t, e) // it is known now
	}
	for _, test := range []struct {
		wound
		how    string
		learn  func(*testing.T, *engine.Engine)
		reopen bool // between learning and healing
	}{
		{inBody, "found by a read", read, false},
		{inBody, "found by a read in an earlier life", read, true},
		{inBody, "found by Check", check, false},
		{inBody, "found by Check in an earlier life", check, true},
		{inBody, "found by Reclaim", reclaim, false},
		{inBody, "found by Reclaim in an earlier life", reclaim, true},
		{inHeader, "found by nobody", none, false}, // the frame is whole
		{inBoth, "found by nobody", none, false},
		{noVolume, "found by nobody", none, false},
		{noVolume, "found by a read", read, true},
	} {
		for _, way := range []string{"PutObject", "Upload"} {
			t.Run(test.name+" "+test.how+" "+way, func(t *testing.T) {
				dir, o := t.TempDir(), &engine.Options{ChunkSize: healChunk}
				e := open(t, dir, o)
				data := random(seed(t), 5*healChunk+100)
				mustBucket(t, e, "heal")
				mustPut(t, e, engine.PutObjectRequest{Bucket: "heal", Key: "put", Body: bytes.NewReader(data)})
				mustPut(t, e, engine.PutObjectRequest{Bucket: "heal", Key: "garbage", Body: bytes.NewReader(random(1, 40*healChunk))})
				mustObject(t, e, "heal", "parts", "", data, data[:healChunk])
				mustClose(t, e)
				test.do(t, dir, data)

				e = open(t, dir, o)
				test.learn(t, e)
				if test.reopen {
					mustClose(t, e)
					e = open(t, dir, o)
				}
				if way == "Upload" {
					_, err := e.Upload(context.Background(), &engine.UploadRequest{Bucket: "heal", Key: "new", Body: bytes.NewReader(data)})
					if err != nil {
						t.Fatal(err)
					}
				} else {
					mustPut(t, e, engine.PutObjectRequest{Bucket: "heal", Key: "new", Body: bytes.NewReader(data)})
				}
				if test.name == noVolume.name { // with all of garbage
					mustDelete(t, e, "heal", "garbage")
				}
				for key, want := range map[string][]byte{"new": data, "put": data, "parts": append(bytes.Clone(data), data[:healChunk]...)} {
					if got := readAll(t, e, "heal", key); !bytes.Equal(got, want) {
						t.Errorf("%s has other bytes", key)
					}
				}
				mustReclaim(t, e)
				wantSound(t, e)
				for _, key := range []string{"new", "put", "parts", "garbage"} {
					mustDelete(t, e, "heal", key)
				}
				if left := tallyOf(t, e); left != (tally{}) {
					t.Errorf("left is %+v", left)
				}
				for _, v := range stats(t, e).Volumes {
					if v.LiveBytes+v.DeadBytes > 0 && !v.Active {
						t.Errorf("volume %+v is left", v)
					}
				}
			})
		}
	}
}

func mustClose(t *testing.T, e *engine.Engine) {
	t.Helper()
	if err := e.Close(); err != nil {
		t.Fatalf("Close: %v", err)
	}
}

// wantDamaged reads an object and wants a CorruptionError.
func wantDamaged(t *testing.T, e *engine.Engine, key string) {
	t.Helper()
	obj := mustGet(t, e, "heal", key, "")
	defer obj.Close()
	if _, err := io.Copy(io.Discard, obj); asCorruption(err) == nil {
		t.Fatalf("reading %s: %v, wanted is a CorruptionError", key, err)
	}
}

func asCorruption(err error) *engine.CorruptionError {
	var c *engine.CorruptionError
	errors.As(err, &c)
	return c
}

// wantSound checks every byte of a store.
func wantSound(t *testing.T, e *engine.Engine) {
	t.Helper()
	res, err := e.Check(context.Background(), &engine.CheckRequest{Data: true})
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range res.Problems {
		t.Errorf("Check: %v", p)
	}
}

// openWounded stores an object of so many chunks, "put", hurts it and opens the store anew.
func openWounded(t *testing.T, w wound, chunks int) (e *engine.Engine, data []byte) {
	t.Helper()
	dir, o := t.TempDir(), &engine.Options{ChunkSize: healChunk}
	e = open(t, dir, o)
	data = random(seed(t), chunks*healChunk)
	mustBucket(t, e, "heal")
	mustPut(t, e, engine.PutObjectRequest{Bucket: "heal", Key: "put", Body: bytes.NewReader(data)})
	mustClose(t, e)
	w.do(t, dir, data)
	return open(t, dir, o), data
}

// TestDamageIsNotCopied damages the source of copies by reference.
func TestDamageIsNotCopied(t *testing.T) {
	ctx := context.Background()
	for _, wound := range []wound{inBody, inBoth, noVolume} {
		t.Run(wound.name, func(t *testing.T) {
			e, data := openWounded(t, wound, 5)
			id := mustInitiate(t, e, "heal", "copied", "")
			if wound.name == inBody.name { // nobody else has looked at that
				wantDamaged(t, e, "put")
			}
			_, err := e.UploadPartCopy(ctx, &engine.UploadPartCopyRequest{
				Bucket: "heal", Key: "copied", UploadID: id, PartNumber: 1, SourceBucket: "heal", SourceKey: "put",
			})
			if asCorruption(err) == nil {
				t.Errorf("UploadPartCopy: %v, wanted is a CorruptionError", err)
			}
			_, err = e.CopyObject(ctx, &engine.CopyObjectRequest{Bucket: "heal", Key: "copy", SourceBucket: "heal", SourceKey: "put"})
			if asCorruption(err) == nil {
				t.Errorf("CopyObject: %v, wanted is a CorruptionError", err)
			}
			mustPut(t, e, engine.PutObjectRequest{Bucket: "heal", Key: "put", Body: bytes.NewReader(data)})
			mustCopy(t, e, engine.CopyObjectRequest{Bucket: "heal", Key: "copy", SourceBucket: "heal", SourceKey: "put"})
			if !bytes.Equal(readAll(t, e, "heal", "copy"), data) {
				t.Error("the copy has other bytes")
			}
			mustReclaim(t, e)
			wantSound(t, e)
		})
	}
}

// TestDamageFoundMeanwhile has a part count on a chunk that turns out to be damaged before the part
// is committed: it is refused, and the next try stores the bytes anew. So does one that comes in
// between.
func TestDamageFoundMeanwhile(t *testing.T) {
	for range 10 {
		e, data := openWounded(t, inBody, 2)
		id := mustInitiate(t, e, "heal", "parts", "")
		err := partMeanwhile(t, e, id, data)
		if err == nil { // the damage was found before the part counted on the chunk
			mustClose(t, e)
			continue
		}
		if asCorruption(err) == nil {
			t.Errorf("UploadPart: %v, wanted is a CorruptionError", err)
		}
		mustPart(t, e, "heal", "parts", id, 1, data)
		mustComplete(t, e, "heal", "parts", id)
		for _, key := range []string{"put", "parts"} {
			if !bytes.Equal(readAll(t, e, "heal", key), data) {
				t.Errorf("%s has other bytes", key)
			}
		}
		wantSound(t, e)
		return
	}
	t.Error("no part has counted on a damaged chunk")
}

// partMeanwhile uploads a part that finds its chunks stored, and has the damage of one found before
// its body ends.
func partMeanwhile(t *testing.T, e *engine.Engine, id string, data []byte) error {
	t.Helper()
	body, feed := io.Pipe()
	done := make(chan error)
	go func() {
		_, err := e.UploadPart(t.Context(), &engine.UploadPartRequest{
			Bucket: "heal", Key: "parts", UploadID: id, PartNumber: 1, Body: body,
		})
		done <- err
	}()
	if _, err := feed.Write(data); err != nil {
		t.Fatal(err)
	}
	if !eventually(func() bool { pins, _ := e.Leftovers(); return pins >= 1 }) {
		t.Fatal("the part pins nothing")
	}
	wantDamaged(t, e, "put")
	if err := feed.Close(); err != nil {
		t.Fatal(err)
	}
	return <-done
}

// TestVolumeVanishes removes a volume while the engine is open. What is stored anew does not lean
// on it, and all of it can be given back.
func TestVolumeVanishes(t *testing.T) {
	dir, o := t.TempDir(), &engine.Options{ChunkSize: healChunk}
	e := open(t, dir, o)
	data := random(seed(t), 5*healChunk)
	mustBucket(t, e, "heal")
	mustPut(t, e, engine.PutObjectRequest{Bucket: "heal", Key: "put", Body: bytes.NewReader(data)})
	mustClose(t, e)
	e = open(t, dir, o)
	for _, path := range volumeLogs(t, dir) {
		removeVolume(t, path)
	}
	mustPut(t, e, engine.PutObjectRequest{Bucket: "heal", Key: "again", Body: bytes.NewReader(data)})
	for _, key := range []string{"put", "again"} {
		if !bytes.Equal(readAll(t, e, "heal", key), data) {
			t.Errorf("%s has other bytes", key)
		}
	}
	mustReclaim(t, e)
	wantSound(t, e)
	mustDelete(t, e, "heal", "put")
	mustDelete(t, e, "heal", "again")
	if left := tallyOf(t, e); left != (tally{}) {
		t.Errorf("left is %+v", left)
	}
}

// TestDamageIsCounted looks at what Stats says, until it is healed.
func TestDamageIsCounted(t *testing.T) {
	e, data := openWounded(t, inBody, 5)
	want := func(n int64) {
		t.Helper()
		if got := stats(t, e).DamagedChunks; got != n {
			t.Errorf("%d chunks are damaged, wanted are %d", got, n)
		}
	}
	want(0)
	wantDamaged(t, e, "put")
	want(1)
	wantDamaged(t, e, "put")
	want(1)
	mustPut(t, e, engine.PutObjectRequest{Bucket: "heal", Key: "again", Body: bytes.NewReader(data)})
	want(0)
	wantSound(t, e)
}
