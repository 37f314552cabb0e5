package crypto_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"github.com/gabion-storage/gabion/crypto"
)

func TestRotateKeepsGenerations(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys")
	a, b := createRing(t, path), openRing(t, path)
	want := a.KeyIDs()
	for range 3 {
		want = append(want, rotate(t, a))
		key, w := generate(t, a, "")
		want = append(want, rotate(t, b))
		checkUnwraps(t, b, w, key)
	}
	if ids := b.KeyIDs(); !slices.Equal(ids, want) {
		t.Errorf("two in turn: %v, want %v", ids, want)
	}

	// An older copy of the file was put back: what is known in memory must not be lost with it.
	first := want[0]
	key, w := generate(t, b, "")
	writeFile(t, path, []byte(ringText(keyLine(7, secret[:]))))
	rotate(t, b)
	checkUnwraps(t, openRing(t, path), w, key)
	if ids := b.KeyIDs(); len(ids) != len(want)+2 || !slices.Contains(ids, first) {
		t.Errorf("after an older copy: %v", ids)
	}
}

func TestRotateConcurrently(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys")
	ring := createRing(t, path)
	key, w := generate(t, ring, "")
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 5 {
				if _, err := ring.Rotate(); err != nil {
					t.Error(err)
				}
				checkUnwraps(t, ring, w, key)
			}
		})
	}
	wg.Wait()
	if ids := openRing(t, path).KeyIDs(); len(ids) != 21 || !slices.Equal(ids, ring.KeyIDs()) {
		t.Errorf("%d generations in the file, %d known", len(ids), len(ring.KeyIDs()))
	}
}

func TestFailedRotateChangesNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys")
	ring := createRing(t, path)
	before := ring.KeyIDs()
	text := readFile(t, path)
	writeFile(t, path, text[:len(text)-1])
	if _, err := ring.Rotate(); err == nil {
		t.Error("a damaged file is rotated")
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if _, err := ring.Rotate(); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a missing file is rotated: %v", err)
	}
	if ids := ring.KeyIDs(); !slices.Equal(ids, before) {
		t.Errorf("the keys are %v, want %v", ids, before)
	}
	key, w := generate(t, ring, "")
	checkUnwraps(t, ring, w, key)
}

func TestRotateRefusesToOutgrowTheLimit(t *testing.T) {
	most := (1<<20 - len(ringText(""))) / len(keyLines(1))
	ring := openRingText(t, keyLines(most-1))
	rotate(t, ring)
	var refusal *crypto.KeyringError
	if _, err := ring.Rotate(); !errors.As(err, &refusal) {
		t.Fatalf("a full ring is rotated: %v", err)
	}
	if ids := openRing(t, refusal.Path).KeyIDs(); len(ids) != most {
		t.Errorf("%d generations, want %d", len(ids), most)
	}
}
