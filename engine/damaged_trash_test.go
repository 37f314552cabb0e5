package engine_test

import (
	"bytes"
	"context"
	"errors"
	"strconv"
	"strings"
	"testing"

	"github.com/gabion-storage/gabion/blob"
	"github.com/gabion-storage/gabion/engine"
	"github.com/gabion-storage/gabion/index"
)

// damageTrash deletes three objects of a chunk each. The index has lost the records of two of these
// chunks, which are returned.
func damageTrash(t *testing.T, e *engine.Engine, idx index.Store) (lost []index.ChunkID) {
	t.Helper()
	mustBucket(t, e, "bucket")
	req := &engine.DeleteObjectsRequest{Bucket: "bucket"}
	for n := range 3 {
		key := strconv.Itoa(n)
		body := bytes.NewReader(random(uint64(n+1), 100<<10))
		mustPut(t, e, engine.PutObjectRequest{Bucket: "bucket", Key: key, Body: body})
		req.Keys = append(req.Keys, key)
	}
	err := idx.Update(t.Context(), func(tx index.Tx) error {
		for entry, err := range index.Scan(tx, index.Chunks()) {
			if err != nil {
				return err
			}
			if len(lost) == 2 {
				break
			}
			id, err := index.ParseChunkKey(entry.Key)
			if err := errors.Join(err, index.Delete(tx, entry.Key)); err != nil {
				return err
			}
			lost = append(lost, id)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := e.DeleteObjects(t.Context(), req); err != nil {
		t.Fatal(err)
	}
	return lost
}

// TestReclaimTellsWhatIsDamaged has two damaged entries in the trash: Reclaim names both, each time
// anew, and reclaims everything else.
func TestReclaimTellsWhatIsDamaged(t *testing.T) {
	idx := index.NewMemory()
	e, err := engine.OpenStores(t.Context(), idx, blob.NewMemory(0), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	engine.StopSweeper(e)
	lost := damageTrash(t, e, idx)
	for range 2 {
		_, err = e.Reclaim(t.Context(), nil)
		var corrupt *engine.CorruptionError
		if !errors.As(err, &corrupt) || corrupt.Where != "index" {
			t.Errorf("Reclaim says %v, want a CorruptionError of the index", err)
		}
		for _, id := range lost {
			want := "engine: corruption: chunk " + id.String() +
				" in index: a manifest refers to it, but its record counts no reference"
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("Reclaim says %v, want also %q", err, want)
			}
		}
		stats, err := e.Stats(t.Context(), nil)
		if err != nil || stats.TrashParts != 2 || stats.Parts != 2 {
			t.Errorf("the store has %+v, %v, want the damaged parts alone", stats, err)
		}
	}
}

// TestReclaimCompactsBesideDamage has the index written anew though something in the trash is damaged.
func TestReclaimCompactsBesideDamage(t *testing.T) {
	idx := &compactingIndex{Memory: index.NewMemory()}
	e, err := engine.OpenStores(t.Context(), idx, blob.NewMemory(0), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	engine.StopSweeper(e)
	damageTrash(t, e, idx)
	if _, err := e.Reclaim(t.Context(), nil); err == nil {
		t.Error("nothing is damaged")
	}
	if !idx.compacted {
		t.Error("the index was not written anew")
	}
}

// A compactingIndex says that much of it is dead until it is compacted.
type compactingIndex struct {
	*index.Memory
	compacted bool
}

func (s *compactingIndex) Usage(ctx context.Context) (index.Usage, error) {
	u, err := s.Memory.Usage(ctx)
	if !s.compacted {
		u.DeadBytes += 1 << 40
	}
	return u, err
}

func (s *compactingIndex) Compact(ctx context.Context) error {
	s.compacted = true
	return s.Memory.Compact(ctx)
}

// TestAlarmOfDamagedTrash leaves the same to the background.
func TestAlarmOfDamagedTrash(t *testing.T) {
	idx := index.NewMemory()
	alarms := make(chan error, 10)
	e, err := engine.OpenStores(t.Context(), idx, blob.NewMemory(0), &engine.Options{
		Events: &engine.Events{Alarm: func(err error) { alarms <- err }},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	damageTrash(t, e, idx)
	var corrupt *engine.CorruptionError
	if err := <-alarms; !errors.As(err, &corrupt) || corrupt.Where != "index" {
		t.Errorf("the alarm is %v, want a CorruptionError of the index", err)
	}
}

// TestCheckTellsWhatLeaks damages records of the trash, of a content and of a manifest. While they are
// there Check tells of them, and once Reclaim has dropped them, of what they referred to: its parts or
// pages, and the chunks.
func TestCheckTellsWhatLeaks(t *testing.T) {
	for _, test := range []struct {
		name    string
		discard func(t *testing.T, e *engine.Engine)
		want    []string // of the problems, when the records are gone
	}{
		{"of a content", func(t *testing.T, e *engine.Engine) {
			mustPut(t, e, engine.PutObjectRequest{Bucket: "bucket", Key: "key", Body: bytes.NewReader(random(1, 100<<10))})
			mustDelete(t, e, "bucket", "key")
		}, []string{"part 1 of content", "page 0 of manifest", "is referred to 0 times", "the totals are"}},
		{"of a content in the index", func(t *testing.T, e *engine.Engine) {
			mustPut(t, e, engine.PutObjectRequest{Bucket: "bucket", Key: "key", Body: bytes.NewReader(random(1, 1000))})
			mustDelete(t, e, "bucket", "key")
		}, []string{"part 1 of content", "the content of manifest", "the totals are"}},
		{"of a manifest", func(t *testing.T, e *engine.Engine) {
			up, err := e.InitiateMultipartUpload(t.Context(), &engine.InitiateMultipartUploadRequest{Bucket: "bucket", Key: "key"})
			if err != nil {
				t.Fatal(err)
			}
			for seed := range uint64(2) { // the second replaces the first
				_, err := e.UploadPart(t.Context(), &engine.UploadPartRequest{
					Bucket: "bucket", Key: "key", UploadID: up.UploadID, PartNumber: 1,
					Body: bytes.NewReader(random(seed, 100<<10)),
				})
				if err != nil {
					t.Fatal(err)
				}
			}
		}, []string{"page 0 of manifest", "is referred to 0 times", "the totals are"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			e, idx := memoryStore(t, nil)
			engine.StopSweeper(e)
			mustBucket(t, e, "bucket")
			test.discard(t, e)
			if n := stats(t, e).TrashParts; n != 1 {
				t.Fatalf("%d parts are in the trash, want 1", n)
			}
			damageRecord(t, idx, firstKey(t, idx, index.TrashQueue().All().Start))
			wantLeaks(t, e, "checksum")
			if _, err := e.Reclaim(t.Context(), nil); asCorruption(err) == nil {
				t.Errorf("Reclaim says %v, want a CorruptionError", err)
			}
			wantLeaks(t, e, test.want...)
			if _, err := e.Reclaim(t.Context(), nil); err != nil {
				t.Errorf("Reclaim when the record is gone says %v", err)
			}
			wantLeaks(t, e, test.want...)
		})
	}
}

// wantLeaks wants Check to find each of these, and nothing that is worse than bad accounting.
func wantLeaks(t *testing.T, e *engine.Engine, want ...string) {
	t.Helper()
	res, err := e.Check(t.Context(), &engine.CheckRequest{Data: true})
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, p := range res.Problems {
		if p.Kind != engine.BadAccounting {
			t.Errorf("Check finds %v", p)
		}
		all = append(all, p.Err.Error())
	}
	for _, w := range want {
		if !strings.Contains(strings.Join(all, "\n"), w) {
			t.Errorf("Check finds %q, want also %q", all, w)
		}
	}
}
