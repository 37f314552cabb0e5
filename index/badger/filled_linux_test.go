package badger_test

import (
	"fmt"
	"path/filepath"
	"testing"

	"github.com/gabion-storage/gabion/index"
	"github.com/gabion-storage/gabion/index/badger"
	"github.com/gabion-storage/gabion/internal/disktest"
)

// TestBadgerFilled has others fill the disk to its last byte, after an update. The next ones, among
// them those that free space, go on as long as the log has room that is set aside; the process does
// not die.
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
