package engine_test

import (
	"bytes"
	"cmp"
	"context"
	"flag"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/gabion-storage/gabion/crypto"
	"github.com/gabion-storage/gabion/engine"
)

// Golden stores are committed as they are on disk, sound and damaged ones, and beside each a text
// of what it says: what it lists, the digests of what can be read, what Check finds, errors and
// alarms. Every later version has to open them and say the same. They are
//
//	testdata/golden/<format>/keyring       the key ring of all of them
//	testdata/golden/<format>/<name>.tar.gz a store, as storeImage.pack makes it
//	testdata/golden/<format>/<name>.txt    what it says
//
// When an error's words change, or more is told, the texts are written anew by the first command;
// the second makes the stores of today's format, too. The directory of a format that was released
// stays as it is, but for the texts.
//
//	go test ./engine -run TestGoldenStores -update
//	go test ./engine -run TestGoldenStores -update-stores
var (
	updateTexts  = flag.Bool("update", false, "write down what the golden stores say")
	updateStores = flag.Bool("update-stores", false, "make the golden stores, and write down what they say")
)

const goldenDir = "testdata/golden/1"

// goldenOptions are those that the stores were made with.
func goldenOptions(ring *crypto.Keyring) *engine.Options {
	return &engine.Options{Keys: ring, ChunkSize: goldenChunk, VolumeSize: 1 << 20}
}

// A goldenStore is one that is not damaged.
type goldenStore struct {
	name          string
	authenticated bool // with a key of its own
	killed        bool // the image is of a process that had it open
	few           bool // with less in it
	volumes       engine.VolumeKind
}

// goldenStores are those that are not damaged. The damaged ones are made of those with few in them.
var goldenStores = []goldenStore{
	{name: "few", few: true, volumes: engine.VolumesLog},
	{name: "sound", volumes: engine.VolumesLog},
	{name: "authenticated", authenticated: true, volumes: engine.VolumesLog},
	{name: "crashed", killed: true, volumes: engine.VolumesLog},
	{
		name: "crashed-authenticated", authenticated: true, killed: true,
		volumes: engine.VolumesLog,
	},
	{name: "badger-few", few: true, volumes: engine.VolumesBadger},
	{name: "badger-sound", volumes: engine.VolumesBadger},
	{name: "badger-crashed", killed: true, volumes: engine.VolumesBadger},
}

// TestGoldenStores opens each of the stores and compares what it says. Those that are sound are
// used then, and are sound afterwards.
func TestGoldenStores(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("paths and the system's errors have other words there")
	}
	if *updateStores {
		makeGoldenStores(t)
	}
	names := []string{}
	for _, s := range goldenStores {
		names = append(names, s.name)
	}
	for _, d := range goldenDamages {
		names = append(names, d.name)
	}
	for _, name := range names {
		t.Run(name, func(t *testing.T) {
			dir := unpackGolden(t, name)
			ring := goldenKeyring(t)
			told := tellStore(t.Context(), dir, goldenOptions(ring))
			path := filepath.Join(goldenDir, name+".txt")
			if *updateTexts || *updateStores {
				if err := os.WriteFile(path, []byte(told), 0o666); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			diffLines(t, path, string(want), told)
			if slices.ContainsFunc(goldenDamages, func(d goldenDamage) bool { return d.name == name }) {
				return
			}
			useGolden(t, dir, ring)
		})
	}
	committed, err := filepath.Glob(filepath.Join(goldenDir, "*.tar.gz"))
	if err != nil || len(committed) != len(names) {
		t.Errorf("%d stores are committed, %d are known, %v", len(committed), len(names), err)
	}
}

// goldenKeyring opens a copy of the golden stores' key ring: in a checkout its file has other
// modes.
func goldenKeyring(t *testing.T) *crypto.Keyring {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(goldenDir, "keyring"))
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "keyring")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	ring, err := crypto.OpenKeyring(path)
	if err != nil {
		t.Fatal(err)
	}
	return ring
}

// unpackGolden makes a directory of a golden store.
func unpackGolden(t *testing.T, name string) (dir string) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(goldenDir, name+".tar.gz"))
	if err != nil {
		t.Fatal(err)
	}
	img, err := unpack(data)
	if err != nil {
		t.Fatal(err)
	}
	dir = filepath.Join(t.TempDir(), "store")
	if err := img.write(dir); err != nil {
		t.Fatal(err)
	}
	return dir
}

// useGolden goes on with a sound store: it writes, completes what is open, deletes and reclaims,
// and has all of it when it is opened again.
func useGolden(t *testing.T, dir string, ring *crypto.Keyring) {
	t.Helper()
	ctx := context.Background()
	e := open(t, dir, goldenOptions(ring))
	body := random(1000, 100_000)
	mustPut(t, e, engine.PutObjectRequest{Bucket: "of-oss", Key: "new", Body: bytes.NewReader(body), EncryptionRequest: engine.EncryptionRequest{ServerSideEncryption: "KMS"}})
	completed := []string{}
	for up, err := range e.Uploads(ctx, &engine.ListMultipartUploadsRequest{Bucket: "of-oss"}) {
		if err != nil {
			t.Fatal(err)
		}
		if up.Key == "open-empty" {
			continue // has no parts to make an object of
		}
		_, err := e.CompleteMultipartUpload(ctx, &engine.CompleteMultipartUploadRequest{
			Bucket: "of-oss", Key: up.Key, UploadID: up.UploadID, All: true, SSECustomerKey: customerOf(up.Encryption),
		})
		if err != nil {
			t.Error(err)
		}
		completed = append(completed, up.Key)
	}
	mustDelete(t, e, "of-oss", "noise")
	mustReclaim(t, e)
	mustClose(t, e)
	e = open(t, dir, goldenOptions(ring))
	if got := readAll(t, e, "of-oss", "new"); !bytes.Equal(got, body) {
		t.Error("what was put into it is read as something else")
	}
	objects := map[string]bool{}
	for obj, err := range e.Objects(ctx, &engine.ListObjectsRequest{Bucket: "of-oss"}) {
		if err != nil {
			t.Fatal(err)
		}
		objects[obj.Key] = true
	}
	for _, key := range completed {
		if !objects[key] {
			t.Errorf("object %s, which was completed, is not listed", key)
		}
	}
	for _, p := range checkAll(t, e).Problems {
		t.Error(p)
	}
	mustClose(t, e)
}

// diffLines shows the lines that differ.
func diffLines(t *testing.T, name, want, got string) {
	t.Helper()
	wanted, told := strings.Split(want, "\n"), strings.Split(got, "\n")
	const most = 10
	differ := 0
	for i := range max(len(wanted), len(told)) {
		var w, g string
		if i < len(wanted) {
			w = wanted[i]
		}
		if i < len(told) {
			g = told[i]
		}
		if w == g {
			continue
		}
		if differ++; differ <= most {
			t.Errorf("%s, line %d:\n got %s\nwant %s", name, i+1, g, w)
		}
	}
	if differ > most {
		t.Errorf("%s: %d lines differ", name, differ)
	}
}

// makeGoldenStores makes the stores, and the key ring.
func makeGoldenStores(t *testing.T) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "golden")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	ring, err := crypto.CreateKeyring(filepath.Join(dir, "keyring"))
	if err != nil {
		t.Fatal(err)
	}
	save := func(name string, img *storeImage) {
		data, err := img.pack()
		if err == nil {
			err = os.WriteFile(filepath.Join(goldenDir, name), data, 0o666)
		}
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%s has %d bytes", name, len(data))
	}
	if err := os.MkdirAll(goldenDir, 0o777); err != nil {
		t.Fatal(err)
	}
	few := map[string]*storeImage{}
	for _, s := range goldenStores {
		img := goldenImage(t, ring, s)
		if s.few {
			few[s.name] = img
		}
		save(s.name+".tar.gz", img)
	}
	for _, d := range goldenDamages {
		dir := filepath.Join(t.TempDir(), "store")
		if err := few[cmp.Or(d.to, "few")].write(dir); err != nil {
			t.Fatal(err)
		}
		d.hit(t, dir)
		img, err := readImage(dir)
		if err != nil {
			t.Fatal(err)
		}
		save(d.name+".tar.gz", img)
	}
	data, err := os.ReadFile(filepath.Join(dir, "keyring"))
	if err == nil {
		err = os.WriteFile(filepath.Join(goldenDir, "keyring"), data, 0o666)
	}
	if err != nil {
		t.Fatal(err)
	}
}
