package engine_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/gabion-storage/gabion/blob"
	"github.com/gabion-storage/gabion/engine"
	"github.com/gabion-storage/gabion/index"
)

// TestSharedCondemnedVolume has two parts of the same content under way at one node while the
// volume that it lies in is condemned and removed. The first began before and holds that up; the
// second began after, must not count on what the first has found, and outlives both.
func TestSharedCondemnedVolume(t *testing.T) {
	inFleet(t, func(f *fleet) {
		a, b := f.open("a"), f.open("b")
		content := random(1, 25*minChunk)
		mustObject(f, a.Engine, "bucket", "keep", "", content)
		mustObject(f, a.Engine, "bucket", "drop", "", random(2, 225*minChunk))
		mustObject(f, a.Engine, "bucket", "fill", "", random(3, 25*minChunk)) // begins another volume
		volume := stats(f, a.Engine).Volumes[0].ID
		mustDelete(f, b.Engine, "bucket", "drop")
		f.waitSwept(b)
		first := mustInitiate(f, a.Engine, "bucket", "first", "")
		second := mustInitiate(f, a.Engine, "bucket", "second", "")

		before := a.part("first", first)
		before.send(content)
		mustDelete(f, b.Engine, "bucket", "keep")
		f.waitFor("the volume is condemned", func() bool { return f.condemned(volume) })
		time.Sleep(lease / 2) // every node has seen it
		after := a.part("second", second)
		after.send(content)
		time.Sleep(5 * lease)
		if !f.has(volume) {
			f.Fatal("the volume was removed under a part that had begun before it was condemned")
		}
		if err := before.fail(); !errors.Is(err, engine.ErrIncompleteBody) {
			f.Errorf("UploadPart: %v", err)
		}
		f.waitFor("the volume is removed", func() bool { return !f.has(volume) })
		if err := after.end(); err != nil {
			f.Fatalf("UploadPart: %v", err)
		}
		mustComplete(f, b.Engine, "bucket", "second", second)
		if !bytes.Equal(readAll(f, b.Engine, "bucket", "second"), content) {
			f.Error("the object reads back wrong")
		}
	})
}

// TestSharedMove has a part under way at one node that was found to be stored already, in a volume
// that another empties. The part is committed in time, and its chunks move along.
func TestSharedMove(t *testing.T) {
	inFleet(t, func(f *fleet) {
		a, b := f.open("a"), f.open("b")
		content := random(1, 25*minChunk)
		mustObject(f, a.Engine, "bucket", "keep", "", content)
		mustObject(f, a.Engine, "bucket", "drop", "", random(2, 225*minChunk))
		mustObject(f, a.Engine, "bucket", "fill", "", random(3, 25*minChunk))
		volume := stats(f, a.Engine).Volumes[0].ID
		mustDelete(f, b.Engine, "bucket", "drop")
		f.waitSwept(b)
		id := mustInitiate(f, a.Engine, "bucket", "part", "")
		part := a.part("part", id)
		part.send(content)
		f.waitFor("the volume is condemned", func() bool { return f.condemned(volume) })
		mustDelete(f, b.Engine, "bucket", "keep")
		if err := part.end(); err != nil {
			f.Fatalf("UploadPart: %v", err)
		}
		f.waitFor("the volume is removed", func() bool { return !f.has(volume) })
		f.waitSwept(a)
		mustComplete(f, a.Engine, "bucket", "part", id)
		for _, n := range f.nodes {
			if !bytes.Equal(readAll(f, n.Engine, "bucket", "part"), content) {
				f.Errorf("node %s reads the object back wrong", n.name)
			}
		}
	})
}

// TestSharedStoppedMove stops a node that empties a volume when the copies are made, and the index
// does not name them yet. Another removes the copies, in which nothing lives, but cannot empty the
// volume. When the first goes on, it must not name the copies any more.
func TestSharedStoppedMove(t *testing.T) {
	inFleet(t, func(f *fleet) {
		a := f.open("a")
		content := random(1, 25*minChunk)
		mustObject(f, a.Engine, "bucket", "keep", "", content)
		mustObject(f, a.Engine, "bucket", "drop", "", random(2, 225*minChunk))
		mustObject(f, a.Engine, "bucket", "fill", "", random(3, 225*minChunk)) // in another volume
		volumes := stats(f, a.Engine).Volumes
		if err := f.blobs.Seal(f.Context(), volumes[1].ID); err != nil {
			f.Fatal(err)
		}
		mustDelete(f, a.Engine, "bucket", "drop")
		var copies []uint64
		stop := func(volumes []uint64) {
			a.index.stop()
			copies = volumes
			for _, v := range volumes {
				if err := f.blobs.Seal(context.Background(), v); err != nil {
					f.Error(err)
				}
			}
		}
		a.blobs.synced.Store(&stop)
		f.waitFor("a node stops", a.index.isStopped)
		a.blobs.synced.Store(nil)

		b := f.open("b")
		b.blobs.full.Store(true)
		f.waitFor("the copies are removed", func() bool {
			_, err := b.Reclaim(f.Context(), nil)
			if err != nil && !errors.Is(err, engine.ErrNoSpace) {
				f.Fatal(err)
			}
			return !slices.ContainsFunc(copies, f.has)
		})
		if !f.has(volumes[0].ID) {
			f.Fatal("the volume is gone, too: the test has lost its grip")
		}
		a.index.goOn()
		time.Sleep(lease)
		b.blobs.full.Store(false)
		if !bytes.Equal(readAll(f, b.Engine, "bucket", "keep"), content) {
			f.Error("the object reads back wrong")
		}
		b.forget(engine.ErrNoSpace)
	})
}

// TestSharedRemovedTwice has a node that has lost the turn remove volumes just before the one that
// has it. They are as good as removed by that.
func TestSharedRemovedTwice(t *testing.T) {
	inFleet(t, func(f *fleet) {
		a := f.open("a")
		a.blobs.late.Store(true)
		mustObject(f, a.Engine, "bucket", "key", "", random(1, 300_000))
		mustDelete(f, a.Engine, "bucket", "key")
		mustReclaim(f, a.Engine)
		f.checkEmpty(a)
	})
}

// TestSharedFull has no space to copy what lives in a condemned volume. One in which nothing lives is
// removed all the same, and the other when there is space.
func TestSharedFull(t *testing.T) {
	inFleet(t, func(f *fleet) {
		a := f.open("a")
		for n, key := range []string{"keep", "drop", "next", "last"} {
			mustObject(f, a.Engine, "bucket", key, "", random(uint64(n), 120*minChunk))
		}
		volumes := stats(f, a.Engine).Volumes
		if len(volumes) != 2 || volumes[1].LiveBytes == 0 {
			f.Fatalf("the volumes are %+v", volumes)
		}
		for _, key := range []string{"drop", "next", "last"} {
			mustDelete(f, a.Engine, "bucket", key)
		}
		a.blobs.full.Store(true)
		_, err := a.Reclaim(f.Context(), nil)
		if !errors.Is(err, engine.ErrNoSpace) {
			f.Errorf("Reclaim: %v, want ErrNoSpace", err)
		}
		if !f.has(volumes[0].ID) || f.has(volumes[1].ID) {
			f.Errorf("the volumes are %+v, want the first alone", stats(f, a.Engine).Volumes)
		}
		a.blobs.full.Store(false)
		mustReclaim(f, a.Engine)
		if f.has(volumes[0].ID) {
			f.Error("the volume that could not be copied is still there")
		}
		a.forget(engine.ErrNoSpace)
	})
}

// TestSharedDamagedCondemnation damages the record that says in which epoch a volume was condemned. It
// is condemned anew, emptied and removed.
func TestSharedDamagedCondemnation(t *testing.T) {
	inFleet(t, func(f *fleet) {
		a := f.open("a")
		content := random(1, 100*minChunk)
		mustObject(f, a.Engine, "bucket", "key", "", content)
		volume := stats(f, a.Engine).Volumes[0].ID
		err := errors.Join(
			f.blobs.Seal(f.Context(), volume),
			f.index.Update(f.Context(), func(tx index.Tx) error {
				return index.Put(tx, index.CondemnedKey(volume), &index.Condemned{Epoch: 1})
			}),
		)
		if err != nil {
			f.Fatal(err)
		}
		damageRecord(f.T, f.index, index.CondemnedKey(volume))
		mustReclaim(f, a.Engine)
		if f.has(volume) || f.condemned(volume) {
			f.Error("the volume is not removed, or not forgotten")
		}
		if !bytes.Equal(readAll(f, a.Engine, "bucket", "key"), content) {
			f.Error("the object reads back wrong")
		}
	})
}

// TestSharedOpenObject deletes, at one node, what is open at another. It stays whole until it is
// closed, and then its space comes back.
func TestSharedOpenObject(t *testing.T) {
	inFleet(t, func(f *fleet) {
		a, b := f.open("a"), f.open("b")
		parts := [][]byte{random(1, minPart), random(2, minPart)}
		mustObject(f, a.Engine, "bucket", "key", "AES256", parts...)
		obj := mustGet(f, a.Engine, "bucket", "key", "")
		mustDelete(f, b.Engine, "bucket", "key")
		for range 3 {
			mustReclaim(f, b.Engine)
		}
		got, err := io.ReadAll(obj)
		if err != nil || !bytes.Equal(got, slices.Concat(parts...)) {
			f.Errorf("the open object reads back wrong, %d bytes, %v", len(got), err)
		}
		if err := obj.Close(); err != nil {
			f.Error(err)
		}
		f.checkEmpty(b)
	})
}

// TestSharedProvisional reclaims at one node while another is amid parts of several pages. What is
// committed of them is not taken for garbage, unless they fail.
func TestSharedProvisional(t *testing.T) {
	inFleet(t, func(f *fleet) {
		a, b := f.open("a"), f.open("b")
		id := mustInitiate(f, a.Engine, "bucket", "key", "")
		head, tail := random(1, 2*index.MaxPageChunks*minChunk), random(2, index.MaxPageChunks*minChunk)
		stays, fails := a.part("key", id), a.part("key", id)
		stays.send(head)
		fails.send(tail)
		fails.send(head)
		for range 3 {
			mustReclaim(f, b.Engine)
		}
		stays.send(tail)
		if err := stays.end(); err != nil {
			f.Fatalf("UploadPart: %v", err)
		}
		if err := fails.fail(); !errors.Is(err, engine.ErrIncompleteBody) {
			f.Errorf("UploadPart: %v", err)
		}
		mustReclaim(f, b.Engine)
		checkData(f, b.Engine)
		mustComplete(f, b.Engine, "bucket", "key", id)
		if !bytes.Equal(readAll(f, b.Engine, "bucket", "key"), slices.Concat(head, tail)) {
			f.Error("the object reads back wrong")
		}
		mustDelete(f, a.Engine, "bucket", "key")
		f.checkEmpty(b)
	})
}

// TestSharedLeaseLost stops a node for longer than its lease, amid a commit and with an object open
// that another deletes meanwhile. It says that it has lost its lease, never that data is damaged.
func TestSharedLeaseLost(t *testing.T) {
	inFleet(t, func(f *fleet) {
		a, b := f.open("a"), f.open("b")
		parts := [][]byte{random(1, minPart), random(2, minPart)}
		mustObject(f, a.Engine, "bucket", "key", "AES256", parts...)
		mustObject(f, a.Engine, "bucket", "small", "AES256", []byte("in the index"))
		id := mustInitiate(f, a.Engine, "bucket", "part", "")
		objects := []*engine.Object{
			mustGet(f, a.Engine, "bucket", "key", ""), mustGet(f, a.Engine, "bucket", "small", ""),
		}
		part := a.part("part", id)
		part.send(random(3, minPart))
		a.index.stop()
		mustDelete(f, b.Engine, "bucket", "key")
		mustDelete(f, b.Engine, "bucket", "small")
		mustReclaim(f, b.Engine) // waits for the lease, and no longer
		if got := tallyOf(f, b.Engine); got.Chunks != 0 || got.Parts != 0 {
			f.Errorf("after the lease of the stopped node has ended there is %+v", got)
		}
		a.index.goOn()
		if err := part.end(); !errors.Is(err, engine.ErrLeaseLost) {
			f.Errorf("UploadPart: %v, want ErrLeaseLost", err)
		}
		for _, obj := range objects {
			_, err := io.ReadAll(obj)
			if !errors.Is(err, engine.ErrLeaseLost) || isCorruption(err) {
				f.Errorf("reading what is gone: %v, want ErrLeaseLost", err)
			}
			if err := obj.Close(); err != nil {
				f.Error(err)
			}
		}
		for range 3 {
			_, err := a.CreateBucket(f.Context(), &engine.CreateBucketRequest{Bucket: "other"})
			if !errors.Is(err, engine.ErrLeaseLost) || asError(f, err).HTTPStatus != 503 {
				f.Errorf("CreateBucket: %v, want ErrLeaseLost", err)
			}
		}
		time.Sleep(10 * lease) // in which the background finds it out, too
		if told := a.told(); len(told) != 1 || !errors.Is(told[0], engine.ErrLeaseLost) {
			f.Errorf("Events.Alarm was told %v, want ErrLeaseLost once", told)
		}
		if _, err := a.Reclaim(f.Context(), nil); !errors.Is(err, engine.ErrLeaseLost) {
			f.Errorf("Reclaim: %v, want ErrLeaseLost", err)
		}
		if _, err := a.Check(f.Context(), nil); !errors.Is(err, engine.ErrLeaseLost) {
			f.Errorf("Check: %v, want ErrLeaseLost", err)
		}
		a.close()
		mustObject(f, f.open("a").Engine, "bucket", "key", "", parts...)
	})
}

// TestSharedDeath has a node die amid uploads, with the turn. Another gives back what it has left.
func TestSharedDeath(t *testing.T) {
	inFleet(t, func(f *fleet) {
		a, b := f.open("a"), f.open("b")
		id := mustInitiate(f, a.Engine, "bucket", "key", "")
		var parts []*partUnderWay
		for n := range 3 {
			parts = append(parts, a.part("key", id))
			parts[n].send(random(uint64(n), (n+1)*index.MaxPageChunks*minChunk/2))
		}
		obj := mustGetPut(f, a.Engine, "bucket", "open", random(9, minPart))
		dying := make(chan error)
		go func() {
			_, err := a.Reclaim(context.Background(), nil)
			dying <- err
		}()
		time.Sleep(lease / 8) // it has the turn, and waits for its own parts
		a.index.stop()
		abort := engine.AbortMultipartUploadRequest{Bucket: "bucket", Key: "key", UploadID: id}
		if _, err := b.AbortMultipartUpload(f.Context(), &abort); err != nil {
			f.Error(err)
		}
		mustDelete(f, b.Engine, "bucket", "open")
		f.checkEmpty(b)

		a.index.goOn() // it only looked dead
		if err := <-dying; !errors.Is(err, engine.ErrLeaseLost) {
			f.Errorf("Reclaim: %v, want ErrLeaseLost", err)
		}
		for _, p := range parts {
			if err := p.end(); !errors.Is(err, engine.ErrLeaseLost) {
				f.Errorf("UploadPart: %v, want ErrLeaseLost", err)
			}
		}
		if err := obj.Close(); err != nil {
			f.Error(err)
		}
	})
}

// TestSharedRest: nodes in which nothing happens look for something to do once a lease, and list the
// volumes, which costs more, only now and then. What an upload that failed has left is found then.
func TestSharedRest(t *testing.T) {
	inFleet(t, func(f *fleet) {
		a, b := f.open("a"), f.open("b")
		mustGetPut(f, a.Engine, "bucket", "key", random(1, minPart)).Close()
		time.Sleep(100 * lease) // until nothing is left to do
		listed := func() int64 { return a.blobs.listed.Load() + b.blobs.listed.Load() }
		before, volumes := listed(), len(stats(f, b.Engine).Volumes)

		id := mustInitiate(f, a.Engine, "bucket", "other", "")
		p := a.part("other", id)
		p.send(random(2, index.MaxPageChunks*minChunk))
		if err := p.fail(); err == nil {
			f.Error("the part has not failed")
		}
		const leases = 200
		time.Sleep(leases * lease)
		if n := listed() - before; n > leases/4 {
			f.Errorf("in %d leases volumes were listed %d times", leases, n)
		}
		if n := len(stats(f, b.Engine).Volumes); n > volumes {
			f.Errorf("there are %d volumes, and were %d before an upload failed", n, volumes)
		}
	})
}

// TestSharedTurn has all nodes reclaim and check at once. They wait for each other.
func TestSharedTurn(t *testing.T) {
	inFleet(t, func(f *fleet) {
		var nodes []*node
		for _, name := range []string{"a", "b", "c"} {
			nodes = append(nodes, f.open(name))
		}
		for n := range uint64(8) {
			mustObject(f, nodes[n%3].Engine, "bucket", string(rune('a'+n)), "", random(n, 300_000))
			mustDelete(f, nodes[(n+1)%3].Engine, "bucket", string(rune('a'+n)))
		}
		var all sync.WaitGroup
		for _, n := range nodes {
			all.Go(func() { mustReclaim(f, n.Engine) })
			all.Go(func() { checkData(f, n.Engine) })
		}
		all.Wait()
		f.checkEmpty(nodes[0])
		ctx, cancel := context.WithTimeout(f.Context(), lease)
		defer cancel()
		obj := mustGetPut(f, nodes[0].Engine, "bucket", "open", random(9, minPart))
		defer obj.Close()
		mustDelete(f, nodes[0].Engine, "bucket", "open")
		all.Go(func() { mustReclaim(f, nodes[1].Engine) })
		time.Sleep(lease / 8)
		if _, err := nodes[2].Check(ctx, nil); !errors.Is(err, engine.ErrRequestTimeout) {
			f.Errorf("Check while another has the turn: %v, want ErrRequestTimeout", err)
		}
		all.Wait()
	})
}

// TestSharedExpiry has a node die that alone has uploads. Another aborts them when they are stale.
func TestSharedExpiry(t *testing.T) {
	inFleet(t, func(f *fleet) {
		a := f.open("a")
		b, err := f.tryOpen("b", &engine.Options{UploadExpiry: time.Minute})
		if err != nil {
			f.Fatal(err)
		}
		mustBucket(f, b.Engine, "bucket")
		time.Sleep(5 * time.Minute)
		mustInitiate(f, a.Engine, "bucket", "key", "")
		a.index.stop()
		time.Sleep(5 * time.Minute)
		if n := stats(f, b.Engine).Uploads; n != 0 {
			f.Errorf("%d uploads are open", n)
		}
	})
}

// TestSharedRefuses opens engines that must not be nodes.
func TestSharedRefuses(t *testing.T) {
	_, err := engine.Open(t.Context(), t.TempDir(), &engine.Options{Node: "a"})
	if !errors.Is(err, engine.ErrInvalidArgument) {
		t.Errorf("Open of a directory as a node: %v, want ErrInvalidArgument", err)
	}
	inFleet(t, func(f *fleet) {
		a := f.open("a")
		if _, err := f.tryOpen("a", &engine.Options{}); !errors.Is(err, engine.ErrInUse) {
			f.Errorf("a second node of a name: %v, want ErrInUse", err)
		}
		_, err := engine.OpenStores(f.Context(), f.index, f.blobs, nil)
		if !errors.Is(err, engine.ErrInUse) {
			f.Errorf("an engine that is no node, beside one: %v, want ErrInUse", err)
		}
		a.index.stop()
		mustBucket(f, f.open("a").Engine, "bucket") // the first is waited for, and given up
	})
}

// TestSharedKeys opens nodes with other keys than the first has, which are refused, also when its
// keys have been rotated.
func TestSharedKeys(t *testing.T) {
	inFleet(t, func(f *fleet) {
		a := f.open("a")
		refused := func() {
			f.Helper()
			ours := f.keys
			defer func() { f.keys = ours }()
			f.keys = keys(f)
			if _, err := f.tryOpen("b", &engine.Options{}); !errors.Is(err, engine.ErrKeyNotFound) {
				f.Errorf("a node with other keys: %v, want ErrKeyNotFound", err)
			}
			o := &engine.Options{Node: "b"}
			_, err := engine.OpenStores(f.Context(), f.index, f.blobs, o)
			if !errors.Is(err, engine.ErrKmsServiceNotEnabled) {
				f.Errorf("a node without keys: %v, want ErrKmsServiceNotEnabled", err)
			}
		}
		refused()
		id := mustRotate(f, f.keys)
		mustRotateKeys(f, a.Engine)
		err := f.index.View(f.Context(), func(r index.Reader) error {
			fleet, err := index.Get(r, index.FleetKey())
			if fleet.Keys.Wrapper != id {
				f.Errorf("the nodes' key is wrapped under %q, want %q", fleet.Keys.Wrapper, id)
			}
			return err
		})
		if err != nil {
			f.Error(err)
		}
		refused()
		f.open("b")
	})
}

// TestSharedFirst has three nodes make one store of two that are empty.
func TestSharedFirst(t *testing.T) {
	inFleet(t, func(f *fleet) {
		var all sync.WaitGroup
		opened := make(chan *node, 3)
		for _, name := range []string{"a", "b", "c"} {
			all.Go(func() { opened <- f.open(name) })
		}
		all.Wait()
		body := random(1, 300_000)
		mustObject(f, (<-opened).Engine, "bucket", "key", "AES256", body)
		for range 2 {
			if !bytes.Equal(readAll(f, (<-opened).Engine, "bucket", "key"), body) {
				f.Error("the object reads back wrong")
			}
		}
	})
}

// TestSharedStats asks a node for the others.
func TestSharedStats(t *testing.T) {
	inFleet(t, func(f *fleet) {
		a, b := f.open("a"), f.open("b")
		b.index.stop()
		time.Sleep(lease * 7 / 8) // three renewals, at each of which time counts
		nodes := stats(f, a.Engine).Nodes
		if len(nodes) != 2 {
			f.Fatalf("the nodes are %+v", nodes)
		}
		for _, n := range nodes {
			if want := map[bool]string{true: "a", false: "b"}[n.Self]; n.Name != want {
				f.Errorf("node %q is taken for %q", n.Name, want)
			}
			if stopped := n.Still >= lease/2; stopped == n.Self {
				f.Errorf("%+v; the other one is stopped", n)
			}
		}
	})
	e := openStores(t, index.NewMemory(), blob.NewMemory(0), nil)
	if nodes := stats(t, e).Nodes; nodes != nil {
		t.Errorf("an engine that is alone has nodes %+v", nodes)
	}
}
