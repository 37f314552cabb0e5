package engine_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/gabion-storage/gabion/engine"
)

// A damagedStore is a cleanly closed store and what it holds.
type damagedStore struct {
	dir     string
	options *engine.Options
	objects map[string][]byte
	upload  string // an open one, with these parts
	parts   [][]byte
}

const damageBucket, damageUpload = "damage", "open"

// buildDamaged makes a store in several small volumes, reopened once so that its index has more
// than one generation of files.
func buildDamaged(t *testing.T) *damagedStore {
	t.Helper()
	s := &damagedStore{
		dir:     t.TempDir(),
		options: &engine.Options{Keys: keys(t), ChunkSize: 32 << 10, VolumeSize: 1 << 20},
		objects: map[string][]byte{},
	}
	text := bytes.Repeat([]byte("all that is stored compresses well "), 8000)
	for life := range 2 {
		s.options.Volumes = volumeKinds[1-life] // the store has volumes of both kinds
		e := open(t, s.dir, s.options)
		for i, sse := range []string{"", "AES256", "", "AES256"} {
			key := "object-" + strconv.Itoa(life) + "-" + strconv.Itoa(i)
			parts := [][]byte{random(uint64(10*life+i), 130_000), text, random(uint64(i), 40_000)}
			mustObject(t, e, damageBucket, key, sse, parts...)
			s.objects[key] = bytes.Join(parts, nil)
			small := random(uint64(1000+10*life+i), 20_000) // in the index
			mustPut(t, e, engine.PutObjectRequest{Bucket: damageBucket, Key: "small-" + key, Body: bytes.NewReader(small), EncryptionRequest: engine.EncryptionRequest{ServerSideEncryption: engine.EncryptionAlgorithm(sse)}})
			s.objects["small-"+key] = small
		}
		mustCopy(t, e, engine.CopyObjectRequest{Bucket: damageBucket, Key: "copy", SourceBucket: damageBucket, SourceKey: "object-0-0"})
		s.objects["copy"] = s.objects["object-0-0"]
		if life == 1 {
			s.upload = mustInitiate(t, e, damageBucket, damageUpload, "")
			for n := 1; n <= 3; n++ {
				body := random(uint64(100+n), 150_000)
				mustPart(t, e, damageBucket, damageUpload, s.upload, n, body)
				s.parts = append(s.parts, body)
			}
		}
		if err := e.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

// TestDamage flips one bit at a time in the files of a cleanly closed store. Open may refuse with a
// typed error; else everything reads back right or as a CorruptionError, and nothing that exists
// is called absent. GABION_FLIPS sets the number of flips.
func TestDamage(t *testing.T) {
	flips := 60
	if text := os.Getenv("GABION_FLIPS"); text != "" {
		var err error
		if flips, err = strconv.Atoi(text); err != nil {
			t.Fatal(err)
		}
	}
	s := buildDamaged(t)
	files := regularFiles(t, s.dir)
	rng := rand.New(rand.NewPCG(seed(t), 2))
	refused, hit := 0, 0
	for i := range flips {
		file := pickFile(rng, files, i%2 == 0)
		at := rng.Int64N(files[file])
		image := t.TempDir()
		if err := os.CopyFS(filepath.Join(image, "s"), os.DirFS(s.dir)); err != nil {
			t.Fatal(err)
		}
		flipBit(t, filepath.Join(image, "s", file), at, rng.IntN(8))
		outcome := s.check(t, filepath.Join(image, "s"))
		switch {
		case t.Failed():
			t.Fatalf("flip %d: %s at %d of %d", i, file, at, files[file])
		case outcome == "refused":
			refused++
		case outcome == "hit":
			hit++
		}
		if err := os.RemoveAll(image); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("%d flips over %d files: Open refused %d, reads were hit in %d, harmless %d", flips, len(files), refused, hit, flips-refused-hit)
	if refused == 0 || hit == 0 {
		t.Error("no flip was noticed by Open, or none by a read: the test has lost its grip")
	}
}

// TestMissingFiles removes each of the store's files in turn.
func TestMissingFiles(t *testing.T) {
	s := buildDamaged(t)
	for file := range regularFiles(t, s.dir) {
		if filepath.Base(file) == "LOCK" {
			continue // holds nothing and is made anew
		}
		image := filepath.Join(t.TempDir(), "s")
		if err := os.CopyFS(image, os.DirFS(s.dir)); err != nil {
			t.Fatal(err)
		}
		if err := os.Remove(filepath.Join(image, file)); err != nil {
			t.Fatal(err)
		}
		s.check(t, image)
		if t.Failed() {
			t.Fatalf("without %s", file)
		}
	}
}

// regularFiles returns the size of each file that is not empty. Files that vanish while it looks,
// as those of an open store may, are left out.
func regularFiles(t *testing.T, dir string) map[string]int64 {
	t.Helper()
	files := map[string]int64{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		info, err := d.Info()
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(dir, path)
		if info.Size() > 0 {
			files[rel] = info.Size()
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// pickFile picks any file with the same chance, or, weighted, any byte.
func pickFile(rng *rand.Rand, files map[string]int64, weighted bool) string {
	var total int64
	weight := func(size int64) int64 {
		if weighted {
			return size
		}
		return 1
	}
	for _, size := range files {
		total += weight(size)
	}
	at := rng.Int64N(total)
	for _, file := range sortedKeys(files) {
		if at -= weight(files[file]); at < 0 {
			return file
		}
	}
	panic("unreachable: at is below the total")
}

func flipBit(t *testing.T, path string, at int64, bit int) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	data[at] ^= 1 << bit
	if err := os.WriteFile(path, data, 0o666); err != nil {
		t.Fatal(err)
	}
}

// check opens a copy of the store and reads everything. It returns "refused", "hit" or "whole".
func (s *damagedStore) check(t *testing.T, dir string) (outcome string) {
	t.Helper()
	ctx := context.Background()
	e, err := engine.Open(ctx, dir, s.options)
	if err != nil {
		s.damage(t, "Open", err)
		return "refused"
	}
	defer func() {
		if err := e.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	}()
	outcome = "whole"
	hit := func(what string, err error) bool {
		if err != nil {
			s.damage(t, what, err)
			outcome = "hit"
		}
		return err != nil
	}
	for key, want := range s.objects {
		info, err := e.HeadObject(ctx, &engine.HeadObjectRequest{Bucket: damageBucket, Key: key})
		if hit("HeadObject", err) {
			continue
		}
		if info.Size != int64(len(want)) {
			t.Errorf("object %s has %d bytes, wanted are %d", key, info.Size, len(want))
		}
		obj, err := e.GetObject(ctx, &engine.GetObjectRequest{Bucket: damageBucket, Key: key})
		if hit("GetObject", err) {
			continue
		}
		got, err := io.ReadAll(obj)
		if !bytes.HasPrefix(want, got) || err == nil && len(got) != len(want) {
			t.Errorf("object %s: wrong bytes were served", key)
		}
		hit("reading", err)
		if err := obj.Close(); err != nil {
			t.Error(err)
		}
	}
	list, err := e.ListObjects(ctx, &engine.ListObjectsRequest{Bucket: damageBucket})
	if !hit("ListObjects", err) && len(list.Objects) != len(s.objects) {
		t.Errorf("%d objects are listed, there are %d", len(list.Objects), len(s.objects))
	}
	parts, err := e.ListParts(ctx, &engine.ListPartsRequest{Bucket: damageBucket, Key: damageUpload, UploadID: s.upload})
	if !hit("ListParts", err) {
		for i, body := range s.parts {
			if len(parts.Parts) != len(s.parts) || parts.Parts[i].ETag != md5ETag(body) {
				t.Errorf("the open upload lists parts %v", parts.Parts)
			}
		}
	}
	return outcome
}

// damage checks that an error is the one for damage.
func (s *damagedStore) damage(t *testing.T, what string, err error) {
	t.Helper()
	var corrupt *engine.CorruptionError
	var format *engine.FormatError
	if !errors.As(err, &corrupt) && !errors.As(err, &format) {
		t.Errorf("%s fails with another error than that for damage: %v", what, err)
	}
}
