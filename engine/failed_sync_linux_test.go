package engine_test

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/gabion-storage/gabion/engine"
)

// TestReclaimAfterFailedSync has the sync of a volume fail, and then most of what lives in it be
// deleted. The volume cannot be trimmed any more, so the rest is copied and it is removed.
func TestReclaimAfterFailedSync(t *testing.T) { forVolumeKinds(t, testReclaimAfterFailedSync) }

func testReclaimAfterFailedSync(t *testing.T, k engine.VolumeKind) {
	dir := t.TempDir()
	e := open(t, dir, &engine.Options{
		Volumes: k, ChunkSize: 128 << 10,
		Events: &engine.Events{Alarm: func(error) {}}, // of the volume that cannot be sealed
	})
	engine.StopSweeper(e)
	const objects = 8
	body := func(i int) []byte { return random(uint64(i), 512<<10) }
	for i := range objects {
		mustObject(t, e, "reclaim", fmt.Sprint(i), "", body(i))
	}
	logs := volumeLogs(t, dir)
	for _, log := range logs {
		breakWrites(t, log)
	}
	_, err := e.PutObject(t.Context(), &engine.PutObjectRequest{
		Bucket: "reclaim", Key: "lost", Body: bytes.NewReader(random(objects, 512<<10)),
	})
	if err == nil {
		t.Fatal("PutObject succeeded without a sync")
	}
	for i := 1; i < objects; i++ {
		mustDelete(t, e, "reclaim", fmt.Sprint(i))
	}
	for range 2 { // nor may it fail once the volume is gone
		if res, err := e.Reclaim(t.Context(), nil); err != nil {
			t.Errorf("Reclaim: %+v, %v", res, err)
		}
	}
	left := 0
	for _, log := range logs { // the object that failed may have been in one of them only
		if _, err := os.Lstat(log); !errors.Is(err, fs.ErrNotExist) {
			left++
		}
	}
	if left == len(logs) {
		t.Error("the volume that failed is still there")
	}
	checkObjects(t, e, map[string][]byte{"0": body(0)})
}

// breakWrites puts a file that cannot be synced into the place of the handles by which the process
// writes one.
func breakWrites(t *testing.T, path string) {
	t.Helper()
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	handles, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	broken := 0
	for _, h := range handles {
		at, err := os.Readlink("/proc/self/fd/" + h.Name())
		if err != nil || at != path {
			continue
		}
		var fd, flags int
		info, err := os.ReadFile("/proc/self/fdinfo/" + h.Name())
		if err != nil {
			t.Fatal(err)
		}
		_, flagged, _ := strings.Cut(string(info), "flags:")
		_, err1 := fmt.Sscan(h.Name(), &fd)
		_, err2 := fmt.Sscanf(strings.TrimSpace(flagged), "%o", &flags)
		if err := errors.Join(err1, err2); err != nil {
			t.Fatal(err)
		}
		if flags&syscall.O_ACCMODE == syscall.O_RDONLY {
			continue
		}
		if err := syscall.Dup3(int(null.Fd()), fd, syscall.O_CLOEXEC); err != nil {
			t.Fatal(err)
		}
		broken++
	}
	if broken == 0 {
		t.Fatalf("nobody writes %s", path)
	}
}
