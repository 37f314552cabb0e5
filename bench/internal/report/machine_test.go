package report_test

import (
	"runtime"
	"strings"
	"testing"

	"github.com/gabion-storage/gabion/bench/internal/report"
)

func TestCPUModel(t *testing.T) {
	const info = "processor\t: 0\nmodel\t\t: 85\nmodel name\t: Some CPU @ 2.00GHz\nflags : a\n"
	if got, want := report.CPUModel(info), "Some CPU @ 2.00GHz"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := report.CPUModel(""); got != "" {
		t.Errorf("of nothing: got %q", got)
	}
}

func TestMountType(t *testing.T) {
	const mounts = `/dev/vda / ext4 rw 0 0
proc /proc proc rw 0 0
/dev/vdb /data xfs rw 0 0
tmpfs /data/a\040b tmpfs rw 0 0
overlay /over ext4 rw 0 0
overlay /over btrfs rw 0 0
`
	for dir, want := range map[string]string{
		"/": "ext4", "/home": "ext4", "/data": "xfs", "/data/x": "xfs", "/database": "ext4",
		"/data/a b/c": "tmpfs", "/over/x": "btrfs",
	} {
		if got := report.MountType(mounts, dir); got != want {
			t.Errorf("%s: got %q, want %q", dir, got, want)
		}
	}
}

func TestThisMachine(t *testing.T) {
	m := report.ThisMachine(t.TempDir())
	if text := m.String(); !strings.HasPrefix(text, runtime.GOOS+"/"+runtime.GOARCH+", ") || !strings.HasSuffix(text, runtime.Version()) {
		t.Errorf("got %q", text)
	}
	if runtime.GOOS == "linux" && (m.FileSystem == "" || m.Kernel == "") {
		t.Errorf("got %+v, want file system and kernel", m)
	}
}
