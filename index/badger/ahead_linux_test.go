package badger_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"testing"

	"github.com/gabion-storage/gabion/index"
	"github.com/gabion-storage/gabion/index/badger"
)

// Zeros are written ahead of small commits, and never over anything: whatever the sizes of the
// commits before, over several logs, a store that was not closed has all of them.
func TestWriteAhead(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	r := rand.New(rand.NewPCG(1, 2))
	want := map[string][]byte{}
	ahead, logs := 0, map[int]bool{}
	for n := range 1200 {
		badger.NoteUnwritten(s) // whatever file system this is
		records, size := 1+r.IntN(8), r.IntN(1500)
		if n%40 == 0 {
			records, size = 1+r.IntN(10), r.IntN(100<<10)
		}
		err := s.Update(t.Context(), func(tx index.Tx) error {
			for i := range records {
				key, value := fmt.Sprintf("key%d/%d", n%500, i), bytes.Repeat([]byte{byte(n) | 1}, size)
				want[key] = value
				if err := tx.Put([]byte(key), value); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		used, zeros := badger.LogUsed(s), badger.LogZeros(s)
		if zeros > used {
			ahead++
		}
		logs[badger.Logs(s)] = true
		if n%100 == 99 {
			if len(logs) > 1 {
				badger.WaitFlushed(s)
			}
			checkCopy(t, dir, want)
		}
	}
	if ahead < 600 || len(logs) < 2 {
		t.Errorf("zeros were ahead of %d commits, of 1200, in %d logs", ahead, len(logs))
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// checkCopy opens a copy of a store that is open.
func checkCopy(t *testing.T, dir string, want map[string][]byte) {
	t.Helper()
	s := open(t, crashed(t, dir))
	err := s.View(t.Context(), func(r index.Reader) error {
		for key, value := range want {
			if got, err := r.Get([]byte(key)); err != nil || !bytes.Equal(got, value) {
				return fmt.Errorf("%s has %d bytes, want %d: %v", key, len(got), len(value), err)
			}
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// Should Badger have put something where zeros would be written, it stays.
func TestWriteAheadKeepsBytes(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	badger.NoteUnwritten(s)
	load(t, s, 1, 1, 1)
	zeros := badger.LogZeros(s)
	if zeros == 0 {
		t.Fatal("no zeros were written ahead")
	}
	f, err := os.OpenFile(badger.LogPath(s), os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	strange := []byte("strange")
	at := int64(zeros) + 60<<10 // in the next step
	if _, err := f.WriteAt(strange, at); err != nil {
		t.Fatal(err)
	}
	for n := 0; badger.LogUsed(s) <= zeros; n++ { // Badger itself does not get there
		load(t, s, 1, 1000, n)
	}
	got := make([]byte, len(strange))
	if _, err := f.ReadAt(got, at); err != nil || !bytes.Equal(got, strange) {
		t.Errorf("there is %q, want %q; %v", got, strange, err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}
