package engine_test

import (
	"bytes"
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
