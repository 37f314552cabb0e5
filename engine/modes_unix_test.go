//go:build unix

package engine_test

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/gabion-storage/gabion/crypto"
	"github.com/gabion-storage/gabion/engine"
)

// TestModes leads whole lives of stores under masks that would let everybody in, and the owner not.
// In each a process opens the store, uses and closes it, opens it again and is killed; another
// finds what it left. They are no superuser's, who may do everything.
func TestModes(t *testing.T) {
	for _, mask := range []string{"0", "0277", "0777"} {
		t.Run(mask, func(t *testing.T) {
			t.Parallel()
			top := t.TempDir()
			child := func(life string) string {
				t.Helper()
				cmd := exec.Command(os.Args[0], "-test.run=^TestModesChild$", "-test.v")
				if os.Getuid() == 0 {
					const nobody = 65534
					for _, path := range []string{top, filepath.Dir(top)} {
						if err := os.Chown(path, nobody, nobody); err != nil {
							t.Skipf("this file system has no owners: %v", err)
						}
					}
					if runtime.GOOS == "linux" { // the path leads through directories that are root's alone
						cmd.Path = "/proc/self/exe"
					}
					cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
				}
				cmd.Dir = top
				cmd.Env = append(os.Environ(), "GABION_MODES_DIR="+top, "GABION_MODES_MASK="+mask, "GABION_MODES_LIFE="+life, "TMPDIR="+top)
				out, err := cmd.CombinedOutput()
				if err != nil && life != "killed" {
					t.Fatalf("%v: %s", err, out)
				}
				return string(out)
			}
			if out := child("killed"); !strings.Contains(out, "all was well") {
				t.Fatal(out)
			}
			child("last")
		})
	}
}

// TestModesChild is the process that TestModes starts.
func TestModesChild(t *testing.T) {
	top := os.Getenv("GABION_MODES_DIR")
	if top == "" {
		t.Skip("runs only as a child of another test")
	}
	mask, err := strconv.ParseInt(os.Getenv("GABION_MODES_MASK"), 8, 32)
	if err != nil {
		t.Fatal(err)
	}
	syscall.Umask(int(mask))
	ring, err := keysAt(filepath.Join(top, "keyring"))
	if err != nil {
		t.Fatal(err)
	}
	m := &modes{top: top, dir: filepath.Join(top, "parent", "store"), ring: ring}
	m.open(t)
	m.check(t, "opened", m.isBadgers) // after a crash it writes a table in the background
	m.use(t, 1)
	m.check(t, "used", m.isBadgers)
	if err := m.e.Close(); err != nil {
		t.Fatal(err)
	}
	m.check(t, "closed", nil)
	m.open(t)
	m.check(t, "opened again", nil)
	m.use(t, 2)
	if t.Failed() {
		return
	}
	if os.Getenv("GABION_MODES_LIFE") == "killed" {
		fmt.Println("all was well")
		if err := syscall.Kill(os.Getpid(), syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
	}
	if err := m.e.Close(); err != nil {
		t.Fatal(err)
	}
	m.check(t, "closed at the end", nil)
}

// modes is a store whose modes are looked at.
type modes struct {
	top, dir string
	ring     *crypto.Keyring
	e        *engine.Engine
}

func (m *modes) open(t *testing.T) {
	t.Helper()
	alarm := func(err error) { t.Errorf("Alarm: %v", err) }
	e, err := engine.Open(t.Context(), m.dir, &engine.Options{
		Keys: m.ring, ChunkSize: 32 << 10, VolumeSize: 1 << 20, Events: &engine.Events{Alarm: alarm},
	})
	if err != nil {
		t.Fatal(err)
	}
	m.e = e
}

// use makes objects, rotates the keys, and makes room, of volumes and of the index.
func (m *modes) use(t *testing.T, round uint64) {
	t.Helper()
	const objects = 40
	for i := range uint64(objects) {
		sse := []string{"", "AES256"}[i%2]
		mustObject(t, m.e, "bucket", fmt.Sprint(round, i), sse, random(100*round+i, 110_000), random(i, 10))
	}
	mustRotate(t, m.ring)
	mustRotateKeys(t, m.e)
	for i := range uint64(objects - 2) {
		mustDelete(t, m.e, "bucket", fmt.Sprint(round, i))
	}
	if _, err := m.e.Reclaim(context.Background(), &engine.ReclaimRequest{}); err != nil {
		t.Error(err)
	}
}

// isBadgers tells the files that Badger makes as the mask says. They are private because the
// directory around them is, until the index is closed or opened the next time, or the volume, which
// may be about to be, is sealed.
func (m *modes) isBadgers(path string) bool {
	rel, err := filepath.Rel(m.dir, path)
	if err != nil {
		return false
	}
	parts := strings.Split(rel, string(filepath.Separator))
	return len(parts) > 2 && (parts[0] == "index" || strings.HasSuffix(parts[1], ".badger"))
}

// check looks at everything but the files that are spared.
func (m *modes) check(t *testing.T, when string, spared func(path string) bool) {
	t.Helper()
	err := filepath.WalkDir(m.top, func(path string, d fs.DirEntry, err error) error {
		if err != nil || path == m.top {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		want := fs.FileMode(0o600)
		if d.IsDir() {
			want = fs.ModeDir | 0o700
		} else if spared != nil && spared(path) {
			return nil
		}
		if info.Mode() != want {
			t.Errorf("%s: %s is %v", when, path, info.Mode())
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}
