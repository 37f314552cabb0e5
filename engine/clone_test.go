package engine_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/gabion-storage/gabion/blob"
	"github.com/gabion-storage/gabion/engine"
	"github.com/gabion-storage/gabion/index"
)

// A site is where a store is or goes: a directory, or two stores in memory that outlive whoever has
// them open.
type site struct {
	dir     string
	index   index.Store
	blobs   blob.Store
	options engine.Options
}

func inDir(t *testing.T, o engine.Options) *site { return &site{dir: t.TempDir(), options: o} }

func inMemory(t *testing.T, o engine.Options) *site {
	idx, blobs := index.NewMemory(), blob.NewMemory(o.VolumeSize)
	t.Cleanup(func() {
		if err := errors.Join(idx.Close(), blobs.Close()); err != nil {
			t.Error(err)
		}
	})
	return &site{index: lastingIndex{idx}, blobs: lastingBlobs{blobs}, options: o}
}

// open opens the store that is there, or makes it.
func (p *site) open(t *testing.T) *engine.Engine {
	t.Helper()
	if p.dir != "" {
		return open(t, p.dir, &p.options)
	}
	return openStores(t, p.index, p.blobs, &p.options)
}

// tryOpen opens and closes the store.
func (p *site) tryOpen(ctx context.Context) error {
	e, err := engine.OpenStores(ctx, p.index, p.blobs, &p.options)
	if p.dir != "" {
		e, err = engine.Open(ctx, p.dir, &p.options)
	}
	if err == nil {
		err = e.Close()
	}
	return err
}

// clone opens the clone that is there, or makes it. The test's cleanup closes it.
func (p *site) clone(t *testing.T) *engine.Clone {
	t.Helper()
	c, err := p.tryClone(t)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil && !errors.Is(err, engine.ErrClosed) {
			t.Errorf("closing a clone: %v", err)
		}
	})
	return c
}

func (p *site) tryClone(t *testing.T) (*engine.Clone, error) {
	if p.dir != "" {
		return engine.OpenClone(t.Context(), p.dir, &p.options)
	}
	return engine.OpenCloneStores(t.Context(), p.index, p.blobs, &p.options)
}

func mustPull(t *testing.T, c *engine.Clone, from *engine.Engine) *engine.PullResult {
	t.Helper()
	res, err := c.Pull(t.Context(), from, nil)
	if err != nil {
		t.Fatalf("Pull: %v", err)
	}
	if len(res.Problems) > 0 {
		t.Errorf("Pull has met %v", res.Problems)
	}
	return res
}

func mustCloseClone(t *testing.T, c *engine.Clone) {
	t.Helper()
	if err := c.Close(); err != nil {
		t.Fatalf("closing a clone: %v", err)
	}
}

// mustBeSame compares what two stores list, and proves all that the second one has.
func mustBeSame(t *testing.T, first, second *engine.Engine) *engine.CompareResult {
	t.Helper()
	res, err := engine.Compare(t.Context(), first, second)
	if err != nil {
		t.Fatalf("Compare: %v", err)
	}
	for _, d := range res.Differences {
		t.Errorf("the two stores differ: %v", d)
	}
	check, err := second.Check(t.Context(), &engine.CheckRequest{Data: true})
	if err != nil {
		t.Fatalf("Check: %v", err)
	}
	for _, p := range check.Problems {
		t.Errorf("Check: %v", p)
	}
	return res
}

// A furnished store has something of everything that a store can have.
type furnished struct {
	objects map[string][]byte // in bucket "bucket"
	open    map[string]string // uploads by key, of a part openPart each
	done    string            // an upload that has become object "done" of bucket "other-rules"
}

var openPart = random(100, 120<<10)

func furnish(t *testing.T, e *engine.Engine) *furnished {
	t.Helper()
	f := &furnished{objects: map[string][]byte{}, open: map[string]string{}}
	for i, sse := range []string{"", "AES256"} {
		key, parts := orElse(sse, "plain"), [][]byte{random(1, 120<<10), random(1, 120<<10), random(uint64(i), 9000)}
		mustObject(t, e, "bucket", key, sse, parts...)
		f.objects[key] = bytes.Join(parts, nil)
		mustCopy(t, e, engine.CopyObjectRequest{Key: "copy of " + key, SourceKey: key})
		f.objects["copy of "+key] = f.objects[key]
		f.objects["small "+key] = random(uint64(10+i), 700) // in the index
		mustPut(t, e, engine.PutObjectRequest{
			Key: "small " + key, Body: bytes.NewReader(f.objects["small "+key]),
			EncryptionRequest: engine.EncryptionRequest{ServerSideEncryption: engine.EncryptionAlgorithm(sse)},
			Attributes: engine.Attributes{
				ContentType: "text/plain", Tags: map[string]string{"tag": "value"},
				Metadata: map[string]string{"name": "value"}, Annotations: map[string]string{"front": "end"},
			},
		})
		f.open["open "+key] = mustInitiate(t, e, "bucket", "open "+key, sse)
		f.open["sequential "+key] = mustSequential(t, e, "sequential "+key, sse)
		for _, open := range []string{"open ", "sequential "} {
			mustPart(t, e, "bucket", open+key, f.open[open+key], 1, openPart)
		}
		mustObject(t, e, "bucket", "deleted", sse, random(uint64(20+i), 120<<10), random(uint64(30+i), 100))
		mustDelete(t, e, "bucket", "deleted")
	}
	customerUpload(t, e, nil)
	_, err := e.CreateBucket(t.Context(), &engine.CreateBucketRequest{
		Bucket: "other-rules", Rules: engine.S3, DedupScope: engine.DedupBucket,
		Annotations: map[string]string{"location": "here"},
	})
	if err != nil {
		t.Fatal(err)
	}
	f.done = mustInitiate(t, e, "other-rules", "done", "")
	mustPart(t, e, "other-rules", "done", f.done, 1, random(1, 120<<10))
	mustComplete(t, e, "other-rules", "done", f.done)
	return f
}

// mustServe proves that a copy of a furnished store goes on where that has stopped.
func (f *furnished) mustServe(t *testing.T, e *engine.Engine) {
	t.Helper()
	for key, want := range f.objects {
		if !bytes.Equal(readAll(t, e, "bucket", key), want) {
			t.Errorf("object %q reads back wrong", key)
		}
	}
	for key, id := range f.open {
		rest := random(101, 5000)
		mustPart(t, e, "bucket", key, id, 2, rest)
		mustComplete(t, e, "bucket", key, id)
		if want := append(bytes.Clone(openPart), rest...); !bytes.Equal(readAll(t, e, "bucket", key), want) {
			t.Errorf("upload %q, completed in the copy, reads back wrong", key)
		}
	}
	before := stats(t, e).Chunks
	mustObject(t, e, "bucket", "again", "", random(1, 120<<10))
	if now := stats(t, e).Chunks; now != before {
		t.Errorf("%d chunks are stored again", now-before)
	}
	mustComplete(t, e, "other-rules", "done", f.done) // answered as remembered
}

// TestClone copies a store that has something of everything to a place of each kind, opens the
// copy, and copies that back. All three are the same.
func TestClone(t *testing.T) {
	for _, authenticate := range []bool{false, true} {
		o := engine.Options{ChunkSize: 32 << 10, VolumeSize: 1 << 20, Keys: keys(t), AuthenticateRecords: authenticate}
		logs := o
		logs.Volumes = engine.VolumesLog
		for name, sites := range map[string][2]*site{
			"memory to memory":       {inMemory(t, o), inMemory(t, o)},
			"directory to memory":    {inDir(t, o), inMemory(t, o)},
			"directory to directory": {inDir(t, o), inDir(t, logs)},
		} {
			// MACs are of the records, which are carried as they are, whatever the stores are.
			if authenticate && name != "directory to memory" {
				continue
			}
			if authenticate {
				name += ", authenticated"
			}
			t.Run(name, func(t *testing.T) {
				first := sites[0].open(t)
				f := furnish(t, first)
				second := moved(t, first, sites[1])
				back := inDir(t, o)
				third := moved(t, second, back)
				if res := mustBeSame(t, first, third); res.Objects != 8 || res.Uploads != 4 || res.Parts != 4 {
					t.Errorf("compared were %+v", res)
				}
				if got, want := tallyOf(t, third), tallyOf(t, first); got != want {
					t.Errorf("reclaimed, the copy has %+v, the store %+v", got, want)
				}
				f.mustServe(t, third)
				mustClose(t, third)
				third = back.open(t)
				if want := f.objects["plain"]; !bytes.Equal(readAll(t, third, "bucket", "plain"), want) {
					t.Error("the copy, opened again, reads back wrong")
				}
			})
		}
	}
}

// moved makes a copy of a store and opens it.
func moved(t *testing.T, from *engine.Engine, to *site) *engine.Engine {
	t.Helper()
	c := to.clone(t)
	mustPull(t, c, from)
	mustCloseClone(t, c)
	e := to.open(t)
	mustBeSame(t, from, e)
	return e
}

// TestPullAgain changes a store between two Pulls. The second one brings the copy up to date, and
// copies no chunk that is there. While it goes on nobody can open the copy.
func TestPullAgain(t *testing.T) {
	ring := keys(t)
	o := engine.Options{ChunkSize: 32 << 10, VolumeSize: 1 << 20, Keys: ring}
	from, to := inMemory(t, o).open(t), inMemory(t, o)
	f := furnish(t, from)
	c := to.clone(t)
	if all := mustPull(t, c, from); all.Chunks != stats(t, from).Chunks {
		t.Errorf("pulled were %d chunks, of %d", all.Chunks, stats(t, from).Chunks)
	}
	if again := mustPull(t, c, from); again.Chunks+again.Bytes+again.Records != 0 {
		t.Errorf("pulled again were %+v", again)
	}
	mustDelete(t, from, "bucket", "small plain")
	mustDelete(t, from, "bucket", "plain")
	mustDelete(t, from, "bucket", "copy of plain")
	mustReclaim(t, from)
	mustComplete(t, from, "bucket", "open plain", f.open["open plain"])
	mustObject(t, from, "bucket", "new", "AES256", random(50, 100<<10))
	if _, err := ring.Rotate(); err != nil {
		t.Fatal(err)
	}
	if _, err := from.RotateKeys(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	res, err := c.Pull(t.Context(), from, &engine.PullRequest{Progress: func(engine.PullProgress) {
		if err := to.tryOpen(context.Background()); !errors.Is(err, engine.ErrUnfinishedClone) {
			t.Errorf("opening the copy amid a Pull: %v", err)
		}
	}})
	if err != nil || res.Chunks != 4 {
		t.Errorf("pulled were %+v, %v; new are 4 chunks", res, err)
	}
	mustCloseClone(t, c)
	mustBeSame(t, from, to.open(t))
}

// TestPullUnderLoad pulls while others upload, replace, copy, delete and reclaim. What is copied then
// is a store as it was at some moment, and sound; what is copied when they have stopped is the store.
func TestPullUnderLoad(t *testing.T) {
	o := engine.Options{ChunkSize: 16 << 10, VolumeSize: 1 << 20, Keys: keys(t)}
	from := inMemory(t, o).open(t)
	mustObject(t, from, "bucket", "first", "", random(1, 120<<10))
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		var load sync.WaitGroup
		for worker := range 4 {
			load.Go(func() { upset(t, from, worker) })
		}
		load.Wait()
	}()
	amid, moved := inMemory(t, o), inMemory(t, o)
	pull := func(to *site) {
		c := to.clone(t)
		mustPull(t, c, from)
		mustCloseClone(t, c)
	}
	for loaded := true; loaded; {
		pull(amid)
		pull(moved)
		select {
		case <-stopped:
			loaded = false
		default:
		}
	}
	pull(moved)
	mustBeSame(t, from, moved.open(t))
	e := amid.open(t)
	if res := mustBeSame(t, e, e); res.Objects == 0 {
		t.Error("what was copied under load has no objects")
	}
}

// upset uploads, replaces, copies and deletes objects of a worker, and reclaims.
func upset(t *testing.T, e *engine.Engine, worker int) {
	for n := range 30 {
		key, sse := fmt.Sprint("object ", worker, " ", n%5), []string{"", "AES256"}[n%2]
		mustObject(t, e, "bucket", key, sse, random(uint64(n%7), 120<<10), random(uint64(n), 20<<10))
		mustCopy(t, e, engine.CopyObjectRequest{Key: "copy of " + key, SourceKey: key})
		if n%3 == 0 {
			mustDelete(t, e, "bucket", key)
			id := mustInitiate(t, e, "bucket", key, "")
			mustPart(t, e, "bucket", key, id, 1, random(uint64(n%11), 50<<10))
		}
		if n%4 == 0 {
			mustReclaim(t, e)
		}
	}
}

// TestClonesRefuse makes calls that a clone is not for.
func TestClonesRefuse(t *testing.T) {
	o := engine.Options{ChunkSize: 32 << 10}
	from := inMemory(t, o).open(t)
	mustObject(t, from, "bucket", "key", "", random(1, 100<<10))
	refuse := func(what string, err, want error) {
		t.Helper()
		if !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", what, err, want)
		}
	}
	store := inDir(t, o)
	mustClose(t, store.open(t))
	_, err := store.tryClone(t)
	refuse("a clone in the directory of a store", err, engine.ErrInvalidArgument)

	to := inMemory(t, o)
	c := to.clone(t)
	_, err = c.Pull(t.Context(), nil, nil)
	refuse("pulling from nothing", err, engine.ErrInvalidArgument)
	mustPull(t, c, from)
	_, err = c.Pull(t.Context(), inMemory(t, o).open(t), nil)
	refuse("pulling from another store", err, engine.ErrInvalidArgument)
	if err := to.tryOpen(t.Context()); err != nil {
		t.Fatal(err)
	}
	_, err = c.Pull(t.Context(), from, nil)
	refuse("pulling to what was opened as a store", err, engine.ErrInvalidArgument)
	mustCloseClone(t, c)
	_, err = c.Pull(t.Context(), from, nil)
	refuse("pulling after Close", err, engine.ErrClosed)
	_, err = to.tryClone(t)
	refuse("a clone of what was opened as a store", err, engine.ErrInvalidArgument)

	for name, open := range map[string]func() (*engine.Clone, error){
		"options": func() (*engine.Clone, error) {
			return engine.OpenClone(t.Context(), t.TempDir(), &engine.Options{ChunkSize: 1})
		},
		"no index": func() (*engine.Clone, error) { return engine.OpenCloneStores(t.Context(), nil, blob.NewMemory(0), nil) },
		"no name":  func() (*engine.Clone, error) { return engine.OpenClone(t.Context(), "", nil) },
	} {
		_, err := open()
		refuse(name, err, engine.ErrInvalidArgument)
	}
}

// TestPullsAtOnce begins a Pull amid another one, by a clone of its own on the same stores. The first
// one fails, and the copy is that of the second.
func TestPullsAtOnce(t *testing.T) {
	o := engine.Options{ChunkSize: 32 << 10}
	from, to := inMemory(t, o).open(t), inMemory(t, o)
	mustObject(t, from, "bucket", "key", "", random(1, 100<<10))
	first, second := to.clone(t), to.clone(t)
	var passes []engine.PullProgress
	_, err := first.Pull(t.Context(), from, &engine.PullRequest{Progress: func(p engine.PullProgress) {
		if len(passes) == 0 {
			mustPull(t, second, from)
		}
		passes = append(passes, p)
	}})
	if !errors.Is(err, engine.ErrInUse) || len(passes) == 0 {
		t.Errorf("the first Pull, amid which another began: %v, after %+v", err, passes)
	}
	mustBeSame(t, from, to.open(t))
}

// TestPullProgress follows a Pull.
func TestPullProgress(t *testing.T) {
	o := engine.Options{ChunkSize: 32 << 10}
	from, to := inMemory(t, o).open(t), inMemory(t, o)
	mustObject(t, from, "bucket", "key", "", random(1, 128<<10))
	var last engine.PullProgress
	res, err := to.clone(t).Pull(t.Context(), from, &engine.PullRequest{Progress: func(p engine.PullProgress) {
		if p.Pass < last.Pass || p.Chunks < last.Chunks || p.Bytes < last.Bytes || p.Records < last.Records {
			t.Errorf("after %+v came %+v", last, p)
		}
		last = p
	}})
	if err != nil {
		t.Fatal(err)
	}
	want := engine.PullProgress{
		Pass: 2, Last: true, Seen: 4, Of: 4, Chunks: 4, Bytes: stats(t, from).StoredBytes, Records: res.Records,
	}
	if last != want || res.Chunks != 4 || res.Bytes != want.Bytes {
		t.Errorf("the last progress is %+v, want %+v; the result is %+v", last, want, res)
	}
}

// TestPullCancelled ends a Pull by its context. The next one goes on.
func TestPullCancelled(t *testing.T) {
	o := engine.Options{ChunkSize: 32 << 10}
	from, to := inMemory(t, o).open(t), inMemory(t, o)
	mustObject(t, from, "bucket", "key", "", random(1, 128<<10))
	c := to.clone(t)
	ctx, cancel := context.WithCancel(t.Context())
	_, err := c.Pull(ctx, from, &engine.PullRequest{Progress: func(engine.PullProgress) { cancel() }})
	if !errors.Is(err, engine.ErrRequestTimeout) || asError(t, err).Op != "Pull" {
		t.Errorf("a Pull whose context ends: %v", err)
	}
	if res := mustPull(t, c, from); res.Chunks != 0 {
		t.Errorf("pulled again were %d chunks", res.Chunks)
	}
	mustCloseClone(t, c)
	mustBeSame(t, from, to.open(t))
}

// TestPullFromNode pulls from one of two nodes, while the other uploads, deletes and reclaims.
func TestPullFromNode(t *testing.T) {
	inFleet(t, func(f *fleet) {
		a, b := f.open("a"), f.open("b")
		mustObject(t, b.Engine, "bucket", "kept", "AES256", random(1, 120<<10))
		to := inMemory(f.T, engine.Options{Keys: f.keys})
		c := to.clone(f.T)
		stopped := make(chan struct{})
		go func() {
			defer close(stopped)
			upset(f.T, b.Engine, 1)
		}()
		mustPull(f.T, c, a.Engine)
		<-stopped
		mustPull(f.T, c, a.Engine)
		mustCloseClone(f.T, c)
		mustBeSame(f.T, a.Engine, to.open(f.T))
	})
}
