package disk

import (
	"math"
	"testing"

	"golang.org/x/sys/unix"
)

// TestSpaceUnits counts the free space of file systems whose transfer size is not the unit they
// count in.
func TestSpaceUnits(t *testing.T) {
	for name, c := range map[string]struct {
		st   unix.Statfs_t
		want Space
	}{
		"ext4":            {unix.Statfs_t{Bsize: 4096, Frsize: 4096, Bavail: 1000, Files: 10, Ffree: 7}, Space{Bytes: 4_096_000, Inodes: 7}},
		"virtiofs":        {unix.Statfs_t{Bsize: 1 << 20, Frsize: 4096, Bavail: 1000, Files: 10, Ffree: 7}, Space{Bytes: 4_096_000, Inodes: 7}},
		"fuse, 512 bytes": {unix.Statfs_t{Bsize: 128 << 10, Frsize: 512, Bavail: 1000, Files: 10, Ffree: 7}, Space{Bytes: 512_000, Inodes: 7}},
		"no fragments":    {unix.Statfs_t{Bsize: 4096, Bavail: 1000, Files: 10, Ffree: 7}, Space{Bytes: 4_096_000, Inodes: 7}},
		"no inodes":       {unix.Statfs_t{Bsize: 4096, Frsize: 4096, Bavail: 1}, Space{Bytes: 4096, Inodes: math.MaxInt64}},
		"endless":         {unix.Statfs_t{Bsize: 4096, Frsize: 4096, Bavail: math.MaxUint64, Files: math.MaxUint64, Ffree: math.MaxUint64}, Space{Bytes: math.MaxInt64, Inodes: math.MaxInt64}},
		"reserved":        {unix.Statfs_t{Bsize: 4096, Frsize: 4096, Bfree: 1500, Bavail: 1000, Files: 10, Ffree: 7}, Space{Bytes: 4_096_000, Inodes: 7, Privileged: 2_048_000}},
		"full":            {unix.Statfs_t{Bsize: 4096, Frsize: 4096, Files: 10}, Space{}},
		"btrfs":           {unix.Statfs_t{Type: unix.BTRFS_SUPER_MAGIC, Bsize: 4096, Frsize: 4096, Bfree: 1, Bavail: 1}, Space{Bytes: 4096, Inodes: math.MaxInt64, Doubtful: true}},
	} {
		t.Run(name, func(t *testing.T) {
			if got := spaceFrom(&c.st); got != c.want {
				t.Errorf("free are %+v, wanted are %+v", got, c.want)
			}
		})
	}
}
