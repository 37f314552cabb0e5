package engine_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gabion-storage/gabion/engine"
	"github.com/gabion-storage/gabion/internal/disk"
)

// reclaimOptions make many small volumes.
func reclaimOptions(t *testing.T, k engine.VolumeKind) *engine.Options {
	return &engine.Options{
		Keys: keys(t), ChunkSize: 32 << 10, VolumeSize: 1 << 20, Volumes: k,
	}
}

// fillStore makes n objects of many sizes, half of them encrypted, some sharing content.
func fillStore(t *testing.T, e *engine.Engine, n int, rng *rand.Rand) map[string][]byte {
	t.Helper()
	objects := map[string][]byte{}
	for i := range n {
		key := fmt.Sprintf("object-%03d", i)
		parts := [][]byte{random(rng.Uint64N(uint64(n)), 102_400+rng.IntN(200_000)), random(uint64(i), rng.IntN(100_000))}
		mustObject(t, e, "reclaim", key, []string{"", "AES256"}[i%2], parts...)
		objects[key] = bytes.Join(parts, nil)
	}
	return objects
}

func checkObjects(t *testing.T, e *engine.Engine, objects map[string][]byte) {
	t.Helper()
	for key, want := range objects {
		if got := readAll(t, e, "reclaim", key); !bytes.Equal(got, want) {
			t.Errorf("object %s reads back wrong", key)
		}
	}
}

// TestReclaim deletes most of a store and wants the disk space back, also after a reopen, and all
// of it when the rest is deleted.
func TestReclaim(t *testing.T) { forVolumeKinds(t, testReclaim) }

func testReclaim(t *testing.T, k engine.VolumeKind) {
	dir := t.TempDir()
	o := reclaimOptions(t, k)
	rng := rand.New(rand.NewPCG(seed(t), 3))
	e := open(t, dir, o)
	objects := fillStore(t, e, 120, rng)
	for key := range objects {
		if rng.IntN(10) > 0 {
			mustDelete(t, e, "reclaim", key)
			delete(objects, key)
		}
	}
	mustReclaim(t, e)
	checkObjects(t, e, objects)
	checkDisk(t, e, dir, 2)
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	e = open(t, dir, o)
	mustReclaim(t, e)
	checkObjects(t, e, objects)
	for key := range objects {
		mustDelete(t, e, "reclaim", key)
	}
	mustReclaim(t, e)
	checkDisk(t, e, dir, 2)
	if s := stats(t, e); len(s.Volumes) > 0 || s.StoredBytes != 0 || s.DeadBytes != 0 {
		t.Errorf("with everything deleted there is left: %+v", s)
	}
}

// checkDisk wants at most 1.3 times the live bytes on disk, beside what does not depend on them:
// the reserve file, the index, and what is set aside for active volumes.
func checkDisk(t *testing.T, e *engine.Engine, dir string, active int64) {
	t.Helper()
	s := stats(t, e)
	const fixed = 64 << 20
	if limit := s.StoredBytes*13/10 + fixed; s.DiskBytes > limit {
		t.Errorf("%d bytes live and %d are on disk, the limit is %d", s.StoredBytes, s.DiskBytes, limit)
	}
	var inVolumes int64
	for _, v := range s.Volumes {
		inVolumes += v.LiveBytes + v.DeadBytes
	}
	if limit := s.StoredBytes*13/10 + active<<20; inVolumes > limit {
		t.Errorf("%d bytes live and %d are in volumes, the limit is %d", s.StoredBytes, inVolumes, limit)
	}
	used, err := disk.Usage(dir)
	if err != nil || used < s.DiskBytes*9/10 || used > s.DiskBytes*11/10 {
		t.Errorf("Stats says %d bytes on disk, there are %d, %v", s.DiskBytes, used, err)
	}
}

// TestReclaimTiny fills volumes with chunks that compress to almost nothing: each volume is full,
// although it holds few bytes of them. Copying them would end the same, over and over.
func TestReclaimTiny(t *testing.T) {
	o := &engine.Options{ChunkSize: 4 << 10, VolumeSize: 1 << 20}
	e := open(t, t.TempDir(), o)
	const chunks = 20_000
	body := make([]byte, chunks*o.ChunkSize)
	for i := range chunks {
		binary.BigEndian.PutUint64(body[i*o.ChunkSize:], uint64(i))
	}
	mustBucket(t, e, "reclaim")
	mustObject(t, e, "reclaim", "tiny", "", body)
	before := stats(t, e)
	for range 2 {
		res, err := e.Reclaim(context.Background(), &engine.ReclaimRequest{})
		if err != nil || res.Volumes > 0 {
			t.Errorf("nothing is dead in %d volumes, copied were %d, %v", len(before.Volumes), res.Volumes, err)
		}
	}
}

// TestReclaimStopped stops a reclaiming that is held to a crawl. What it has done stays done, the
// store is sound, and the next one does the rest and tells of each volume.
func TestReclaimStopped(t *testing.T) { forVolumeKinds(t, testReclaimStopped) }

func testReclaimStopped(t *testing.T, k engine.VolumeKind) {
	dir := t.TempDir()
	o := reclaimOptions(t, k)
	o.ReclaimRate = 1
	e := open(t, dir, o)
	engine.WithoutHoles(e)
	objects := fillStore(t, e, 30, rand.New(rand.NewPCG(seed(t), 8)))
	for i, key := range slices.Sorted(maps.Keys(objects)) {
		if i%3 == 0 {
			mustDelete(t, e, "reclaim", key)
			delete(objects, key)
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
	defer cancel()
	if _, err := e.Reclaim(ctx, &engine.ReclaimRequest{}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a reclaiming of a byte a second was done in no time: %v", err)
	}
	checkStore(t, e)
	checkObjects(t, e, objects)
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}

	var told atomic.Int64
	o.ReclaimRate = 0
	o.Events = &engine.Events{VolumeReclaimed: func(engine.VolumeReclaimed) { told.Add(1) }}
	e = open(t, dir, o)
	engine.WithoutHoles(e)
	res, err := e.Reclaim(context.Background(), &engine.ReclaimRequest{})
	if n := told.Load(); err != nil || n == 0 || n < res.Volumes { // the background may have been first
		t.Errorf("Reclaim: %+v, %v; %d volumes were told of", res, err, told.Load())
	}
	checkObjects(t, e, objects)
}

// TestReclaimBeside reclaims over and over while uploads come that repeat the content of objects
// just being deleted, and while readers read.
func TestReclaimBeside(t *testing.T) { forVolumeKinds(t, testReclaimBeside) }

func testReclaimBeside(t *testing.T, k engine.VolumeKind) {
	e := openTemp(t, reclaimOptions(t, k))
	mustBucket(t, e, "reclaim")
	start := seed(t)
	var stop atomic.Bool
	var running sync.WaitGroup
	for w := range uint64(3) {
		running.Go(func() {
			rng := rand.New(rand.NewPCG(start, w))
			for !stop.Load() {
				// Few different contents: what one worker deletes another stores again.
				key := fmt.Sprintf("worker-%d", w)
				body := random(rng.Uint64N(6), 300_000)
				if err := putAndRead(e, key, body); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	for range 60 {
		mustReclaim(t, e)
	}
	stop.Store(true)
	running.Wait()
}

// putAndRead stores an object over the last of its name, reads it and deletes it.
func putAndRead(e *engine.Engine, key string, body []byte) error {
	ctx := context.Background()
	up, err := e.InitiateMultipartUpload(ctx, &engine.InitiateMultipartUploadRequest{Bucket: "reclaim", Key: key})
	if err != nil {
		return err
	}
	_, err = e.UploadPart(ctx, &engine.UploadPartRequest{Bucket: "reclaim", Key: key, UploadID: up.UploadID, PartNumber: 1, Body: bytes.NewReader(body)})
	if err != nil {
		return err
	}
	_, err = e.CompleteMultipartUpload(ctx, &engine.CompleteMultipartUploadRequest{Bucket: "reclaim", Key: key, UploadID: up.UploadID, All: true})
	if err != nil {
		return err
	}
	obj, err := e.GetObject(ctx, &engine.GetObjectRequest{Bucket: "reclaim", Key: key})
	if err != nil {
		return err
	}
	defer obj.Close()
	if _, err := e.DeleteObject(ctx, &engine.DeleteObjectRequest{Bucket: "reclaim", Key: key}); err != nil {
		return err
	}
	got, err := io.ReadAll(obj)
	if err != nil {
		return err
	}
	if !bytes.Equal(got, body) {
		return fmt.Errorf("object %s reads back wrong", key)
	}
	return nil
}

// TestMissingVolume removes one volume by hand. Check must name exactly the objects that have lost
// data, and all others must read back.
func TestMissingVolume(t *testing.T) { forVolumeKinds(t, testMissingVolume) }

func testMissingVolume(t *testing.T, k engine.VolumeKind) {
	dir := t.TempDir()
	o := reclaimOptions(t, k)
	e := open(t, dir, o)
	objects := fillStore(t, e, 40, rand.New(rand.NewPCG(seed(t), 4)))
	for key, body := range maps.Clone(objects) { // which are hit together
		mustCopy(t, e, engine.CopyObjectRequest{Bucket: "reclaim", Key: "copy of " + key, SourceBucket: "reclaim", SourceKey: key})
		objects["copy of "+key] = body
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	volumes, err := filepath.Glob(filepath.Join(dir, "volumes", "0*"))
	if err != nil || len(volumes) < 4 {
		t.Fatalf("volumes: %v, %v", volumes, err)
	}
	if err := os.RemoveAll(volumes[len(volumes)/2]); err != nil {
		t.Fatal(err)
	}
	e, err = engine.Open(context.Background(), dir, o) // not by the helper, which wants a sound store
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	var lost []string
	for key, want := range objects {
		obj := mustGet(t, e, "reclaim", key, "")
		got, err := io.ReadAll(obj)
		switch {
		case err != nil:
			lost = append(lost, key)
		case !bytes.Equal(got, want):
			t.Errorf("object %s reads back wrong", key)
		}
	}
	if len(lost) == 0 || len(lost) == len(objects) {
		t.Errorf("%d of %d objects have lost data: the test has lost its grip", len(lost), len(objects))
	}
	for _, data := range []bool{false, true} {
		res, err := e.Check(context.Background(), &engine.CheckRequest{Data: data})
		if err != nil {
			t.Fatal(err)
		}
		var named []string
		for _, p := range res.Problems {
			if p.Kind != engine.DataLost {
				t.Errorf("Check: %v", p)
			} else if !slices.Contains(named, p.Key) {
				named = append(named, p.Key)
			}
		}
		slices.Sort(named)
		slices.Sort(lost)
		if !slices.Equal(named, lost) {
			t.Errorf("Check with Data %t names %v, lost are %v", data, named, lost)
		}
	}
}

// TestReclaimLarge is TestReclaim with GABION_RECLAIM bytes of objects of many sizes and default
// options, and then a reclaiming beside uploads and downloads, which must go on at a good part of
// their speed.
func TestReclaimLarge(t *testing.T) {
	total := int64(rounds(t, "GABION_RECLAIM", 0))
	if total == 0 {
		t.Skip("set GABION_RECLAIM to a number of bytes, such as 4294967296")
	}
	dir := t.TempDir()
	rng := rand.New(rand.NewPCG(seed(t), 7))
	e := open(t, dir, nil)
	objects := fillLarge(t, e, total, rng)
	t.Logf("full: %+v", briefStats(t, e))
	deleteMost(t, e, objects, rng)
	mustReclaim(t, e)
	t.Logf("a tenth: %+v", briefStats(t, e))
	checkDisk(t, e, dir, 2*256)
	for key, o := range objects {
		if !bytes.Equal(readAll(t, e, "reclaim", key), random(o.seed, o.size)) {
			t.Errorf("object %s reads back wrong", key)
		}
		mustDelete(t, e, "reclaim", key)
		delete(objects, key)
	}
	mustReclaim(t, e)
	s := briefStats(t, e)
	t.Logf("empty: %+v", s)
	if s.DiskBytes > 64<<20 {
		t.Errorf("the empty store occupies %d bytes", s.DiskBytes)
	}

	objects = fillLarge(t, e, total/2, rng)
	alone := work(t, e, 5*time.Second, nil)
	var reclaimed engine.ReclaimResult
	beside := work(t, e, 0, func() {
		deleteMost(t, e, objects, rng) // the background begins to reclaim meanwhile
		res, err := e.Reclaim(context.Background(), &engine.ReclaimRequest{})
		if err != nil {
			t.Errorf("Reclaim: %v", err)
			return
		}
		reclaimed = *res
	})
	t.Logf("work alone %.0f MB/s, beside reclaiming %.0f MB/s, reclaimed %+v", alone, beside, reclaimed)
}

type largeObject struct {
	seed uint64
	size int
}

func fillLarge(t *testing.T, e *engine.Engine, total int64, rng *rand.Rand) map[string]largeObject {
	t.Helper()
	objects := map[string]largeObject{}
	for total > 0 {
		o := largeObject{seed: rng.Uint64(), size: 1 << (10 + rng.IntN(15))}
		o.size += rng.IntN(o.size)
		key := fmt.Sprintf("large-%d", o.seed)
		mustObject(t, e, "reclaim", key, "", random(o.seed, o.size))
		objects[key] = o
		total -= int64(o.size)
	}
	return objects
}

func deleteMost(t *testing.T, e *engine.Engine, objects map[string]largeObject, rng *rand.Rand) {
	t.Helper()
	for _, key := range slices.Sorted(maps.Keys(objects)) {
		if rng.IntN(10) > 0 {
			mustDelete(t, e, "reclaim", key)
			delete(objects, key)
		}
	}
}

// briefStats are Stats without the list of volumes.
func briefStats(t *testing.T, e *engine.Engine) engine.StatsResult {
	t.Helper()
	s := *stats(t, e)
	s.Volumes = nil
	return s
}

// work uploads, reads and deletes from two goroutines for a time, or while meanwhile runs, and
// returns the bytes uploaded in MB/s.
func work(t *testing.T, e *engine.Engine, least time.Duration, meanwhile func()) float64 {
	t.Helper()
	var stop atomic.Bool
	var done atomic.Int64
	var workers sync.WaitGroup
	begun := time.Now()
	for w := range uint64(2) {
		workers.Go(func() {
			body := random(w, 8<<20)
			for n := byte(0); !stop.Load(); n++ {
				for i := 0; i < len(body); i += 1 << 18 {
					body[i] = n // new content
				}
				if err := putAndRead(e, fmt.Sprintf("work-%d", w), body); err != nil {
					t.Error(err)
					return
				}
				done.Add(int64(len(body)))
			}
		})
	}
	if meanwhile != nil {
		meanwhile()
	}
	time.Sleep(least)
	stop.Store(true)
	workers.Wait()
	return float64(done.Load()) / time.Since(begun).Seconds() / 1e6
}
