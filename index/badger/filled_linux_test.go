package badger_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gabion-storage/gabion/index"
	"github.com/gabion-storage/gabion/index/badger"
	"github.com/gabion-storage/gabion/internal/disk"
	"github.com/gabion-storage/gabion/internal/disktest"
)

// TestBadgerFilled has others fill the disk to its last byte, after an update. The next ones, among
// them those that free space, go on as long as the log has room that is set aside; then they, and
// Close, are refused. The process does not die.
func TestBadgerFilled(t *testing.T) {
	const records = 500
	for _, kind := range []string{"tmpfs", "ext4", "xfs", "btrfs"} {
		t.Run(kind, func(t *testing.T) {
			mount := disktest.Mount(t, kind, 320<<20)
			b, err := badger.Open(t.Context(), filepath.Join(mount, "index"), nil)
			if err != nil {
				t.Fatal(err)
			}
			put := func(n int) error {
				return b.Update(t.Context(), func(tx index.Tx) error {
					return tx.Put(fmt.Appendf(nil, "key%d", n), make([]byte, 500))
				})
			}
			for n := range 100 {
				if err := put(n); err != nil {
					t.Fatal(err)
				}
			}
			foreign := filepath.Join(mount, "foreign")
			disktest.TakeAll(t, foreign)
			for n := 100; n < records; n++ {
				if err := put(n); err != nil {
					t.Fatalf("Update %d: %v", n, err)
				}
			}
			for n := 0; err == nil; n++ { // until the log is full
				err = b.Update(t.Context(), func(tx index.Tx) error {
					return tx.Put(fmt.Appendf(nil, "large%d", n), make([]byte, 40<<10))
				})
			}
			if !errors.Is(err, index.ErrNoSpace) {
				t.Errorf("Update: %v, want ErrNoSpace once the log is full", err)
			}
			if err := b.Close(); !errors.Is(err, index.ErrNoSpace) || !errors.Is(err, index.ErrStillOpen) {
				t.Errorf("Close: %v, want ErrNoSpace and ErrStillOpen", err)
			}
			disktest.GiveBack(t, foreign)
			closeStore(t, b)
			b, err = badger.Open(t.Context(), filepath.Join(mount, "index"), nil)
			if err != nil {
				t.Fatal(err)
			}
			err = b.View(t.Context(), func(r index.Reader) error {
				for n := range records {
					if _, err := r.Get(fmt.Appendf(nil, "key%d", n)); err != nil {
						return fmt.Errorf("key %d: %w", n, err)
					}
				}
				return nil
			})
			if err != nil {
				t.Error(err)
			}
			closeStore(t, b)
		})
	}
}

// TestBadgerOpenFilled opens, after a proper close and after a crash, an index on a disk that others
// have filled to its last block, and leave one block after the other. That is refused, until there is
// space or the owner gives up what it has set aside; the process does not die.
func TestBadgerOpenFilled(t *testing.T) {
	for _, kind := range []string{"tmpfs", "ext4", "xfs", "btrfs"} {
		for _, gives := range []string{"closed", "crashed", "closed and gives up", "crashed and gives up"} {
			t.Run(kind+" "+gives, func(t *testing.T) { testOpenFilled(t, kind, gives) })
		}
	}
}

func testOpenFilled(t *testing.T, kind, state string) {
	mount := disktest.Mount(t, kind, 320<<20)
	dir, reserve, foreign := filepath.Join(mount, "index"), filepath.Join(mount, "reserve"), filepath.Join(mount, "foreign")
	b, err := badger.Open(t.Context(), dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	value := make([]byte, 1000)
	err = b.Update(t.Context(), func(tx index.Tx) error { return tx.Put([]byte("key"), value) })
	if err != nil {
		t.Fatal(err)
	}
	image := filepath.Join(mount, "image")
	if err := os.CopyFS(image, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	closeStore(t, b)
	if strings.HasPrefix(state, "crashed") {
		dir = image
	}
	opts := &badger.Options{}
	if strings.HasSuffix(state, "gives up") {
		f, err := os.Create(reserve)
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(disk.Preallocate(f, 0, 32<<20), f.Close()); err != nil {
			t.Fatal(err)
		}
		opts.GiveUp = func() error { return os.Remove(reserve) }
	}
	disktest.TakeAll(t, foreign)
	info, err := os.Stat(foreign)
	if err != nil {
		t.Fatal(err)
	}
	for left, step := info.Size(), int64(disk.BlockSize); ; left -= step {
		b, err = badger.Open(t.Context(), dir, opts)
		if err == nil {
			break
		}
		if !errors.Is(err, index.ErrNoSpace) || left < step || opts.GiveUp != nil {
			t.Fatalf("Open: %v", err)
		}
		if info.Size()-left > 16*disk.BlockSize {
			step = 1 << 20
		}
		if err := os.Truncate(foreign, left-step); err != nil {
			t.Fatal(err)
		}
	}
	err = b.View(t.Context(), func(r index.Reader) error {
		got, err := r.Get([]byte("key"))
		if err == nil && !bytes.Equal(got, value) {
			err = fmt.Errorf("the value has %d bytes", len(got))
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
	disktest.GiveBack(t, foreign)
	closeStore(t, b)
}
