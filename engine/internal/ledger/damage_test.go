package ledger_test

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/gabion-storage/gabion/engine/internal/ledger"
	"github.com/gabion-storage/gabion/index"
)

// damage damages the record under a key.
func damage(key []byte) func(index.Tx) error {
	return func(tx index.Tx) error {
		value, err := tx.Get(key)
		if err != nil {
			return err
		}
		value[len(value)/2] ^= 1
		return tx.Put(key, value)
	}
}

// discardThree discards three contents of a chunk each, and one chunk that all have.
func discardThree(b *books) {
	b.Helper()
	for n := range 3 {
		b.update(putPage(idOf(10+n), 0, n, 9), b.putPart(idOf(n), 1, idOf(10+n)))
	}
	for n := range 3 {
		b.update(b.dropOwner(idOf(n), 1))
	}
}

// wantCorrupt wants so many entries of the trash to have been damaged.
func wantCorrupt(t *testing.T, swept ledger.Swept, n int) {
	t.Helper()
	var corrupt *index.CorruptionError
	for _, err := range swept.Damaged {
		if !errors.As(err, &corrupt) {
			t.Errorf("the trash was damaged: %v, want an *index.CorruptionError", err)
		}
	}
	if len(swept.Damaged) != n {
		t.Errorf("%d entries were damaged, want %d: %v", len(swept.Damaged), n, swept.Damaged)
	}
}

// TestDamagedTrash sweeps a queue with a record that is damaged, wherever it is. What it was of stays,
// and all else goes.
func TestDamagedTrash(t *testing.T) {
	for n := range uint64(3) {
		b := newBooks(t)
		discardThree(b)
		b.update(damage(index.TrashQueue().Key(n)))
		wantCorrupt(t, b.sweep(), 1)
		b.check("swept", 1, 1, 2, 2)
		wantCorrupt(t, b.sweep(), 0)
		if b.trash.Pending() {
			t.Error("something is to be swept")
		}
	}
}

// TestMissingTrash sweeps a queue in which a record is missing, wherever it is. None is taken for
// another: what is left is not swept twice.
func TestMissingTrash(t *testing.T) {
	for n := range uint64(3) {
		b := newBooks(t)
		discardThree(b)
		b.update(func(tx index.Tx) error { return index.Delete(tx, index.TrashQueue().Key(n)) })
		for range 2 {
			wantCorrupt(t, b.sweep(), 0)
			b.check("swept", 1, 1, 2, 2)
		}
	}
}

// TestDamagedWaiting has a record damaged of what waited when the index was closed.
func TestDamagedWaiting(t *testing.T) {
	b := newBooks(t)
	for n := range 3 {
		b.trash.Use(idOf(n))
	}
	discardThree(b)
	b.sweep()
	b.check("all wait", 3, 3, 4, 6)
	b.update(damage(index.WaitingKey(idOf(1))))
	b.restart()
	if err := b.trash.Recover(t.Context()); err != nil {
		t.Fatal(err)
	}
	wantCorrupt(t, b.sweep(), 1)
	b.check("swept", 1, 1, 2, 2)

	shared := ledger.NewSharedTrash(b, nil)
	noted, err := shared.Note(context.Background())
	if err != nil || !noted.Some() {
		t.Fatalf("%+v, %v: want what is damaged", noted, err)
	}
	swept, err := shared.SweepNoted(t.Context(), b, noted)
	if err != nil {
		t.Fatal(err)
	}
	wantCorrupt(t, swept, 1)
}

// TestDamagedDirectory sweeps a content with a directory of which a page is damaged. All pages go.
func TestDamagedDirectory(t *testing.T) {
	b := newBooks(t)
	for n := range 2 {
		b.update(putPage(idOf(10+n), 0, n), b.putPart(idOf(1), n+1, idOf(10+n)))
	}
	b.update(func(tx index.Tx) error {
		for page := range 3 {
			if err := index.Put(tx, index.DirectoryKey(idOf(1), page), &index.Directory{}); err != nil {
				return err
			}
		}
		return nil
	}, damage(index.DirectoryKey(idOf(1), 0)), b.dropOwner(idOf(1), 2))
	b.sweep()
	b.check("swept", 0, 0, 0, 0)
	err := b.View(t.Context(), func(r index.Reader) error {
		for entry, err := range index.ScanAll(r, index.AllDirectories()) {
			t.Errorf("%x is left, %v", entry.Key, err)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

// TestDamagedAccount lists volumes of which an account is damaged.
func TestDamagedAccount(t *testing.T) {
	b := newBooks(t)
	b.update(func(tx index.Tx) error {
		for id := range uint64(3) {
			if err := index.Put(tx, index.VolumeKey(id+1), &index.Volume{LiveChunks: 1, LiveBytes: 1}); err != nil {
				return err
			}
		}
		return nil
	}, damage(index.VolumeKey(1)))
	ids, err := ledger.LiveVolumes(t.Context(), b)
	if err != nil || !slices.Equal(ids, []uint64{1, 2, 3}) {
		t.Errorf("volumes %v have live chunks, %v", ids, err)
	}
	live, lost, err := ledger.Volumes(t.Context(), b)
	if err != nil || lost[1] == nil || len(lost) != 1 || live[2].LiveChunks != 1 || live[3].LiveChunks != 1 {
		t.Errorf("%v live, of %v it is not known, %v", live, lost, err)
	}
}
