package engine_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gabion-storage/gabion/engine"
)

// A version is a body that a race uploads under some number, and the time, on the race's own
// clock, in which it did.
type version struct {
	body       []byte
	began, end int64
	err        error
}

// TestRaces lets uploads of one number, Completes and Aborts of one upload meet. One of Complete
// and Abort wins; the object is a version that could have been the latest when Complete took
// effect.
func TestRaces(t *testing.T) {
	const chunk = 4 << 10
	e := openTemp(t, &engine.Options{ChunkSize: chunk, MemoryBudget: 8 * chunk})
	rng := rand.New(rand.NewPCG(seed(t), 0))
	ctx := context.Background()
	completions, aborts := 0, 0
	for round := range 40 {
		id := mustInitiate(t, e, "bucket", "key", "")
		var clock atomic.Int64
		var race sync.WaitGroup
		start := make(chan struct{})
		run := func(fn func()) {
			pause := rng.IntN(60)
			race.Go(func() {
				<-start
				for range pause {
					runtime.Gosched()
				}
				fn()
			})
		}

		versions := []*version{{body: random(uint64(round), 10), began: -2, end: -1}}
		mustPart(t, e, "bucket", "key", id, 7, versions[0].body)
		for i := range 8 {
			v := &version{body: random(uint64(round*100+i), rng.IntN(3*chunk))}
			versions = append(versions, v)
			run(func() {
				v.began = clock.Add(1)
				_, v.err = e.UploadPart(ctx, &engine.UploadPartRequest{Bucket: "bucket", Key: "key", UploadID: id, PartNumber: 7, Body: bytes.NewReader(v.body)})
				v.end = clock.Add(1)
			})
		}
		ends := make([]error, 4) // of two Completes and two Aborts
		var began, end [2]int64
		for i := range 2 {
			run(func() {
				began[i] = clock.Add(1)
				_, ends[i] = e.CompleteMultipartUpload(ctx, &engine.CompleteMultipartUploadRequest{Bucket: "bucket", Key: "key", UploadID: id, All: true})
				end[i] = clock.Add(1)
			})
			run(func() {
				_, ends[2+i] = e.AbortMultipartUpload(ctx, &engine.AbortMultipartUploadRequest{Bucket: "bucket", Key: "key", UploadID: id})
			})
		}
		close(start)
		race.Wait()

		winner := -1
		for i, err := range ends {
			switch {
			case err == nil && winner >= 0:
				t.Fatalf("both %d and %d of two Completes and two Aborts won", winner, i)
			case err == nil:
				winner = i
			case !errors.Is(err, engine.ErrNoSuchUpload):
				t.Fatalf("end %d: %v", i, err)
			}
		}
		for i, v := range versions {
			if v.err != nil && !errors.Is(v.err, engine.ErrNoSuchUpload) {
				t.Fatalf("version %d: %v", i, v.err)
			}
		}
		switch winner {
		case -1:
			t.Fatal("neither a Complete nor an Abort won")
		case 0, 1:
			completions++
			checkVersion(t, readAll(t, e, "bucket", "key"), versions, began[winner], end[winner])
			mustDelete(t, e, "bucket", "key")
		default:
			aborts++
			if _, err := e.HeadObject(ctx, &engine.HeadObjectRequest{Bucket: "bucket", Key: "key"}); !errors.Is(err, engine.ErrNoSuchKey) {
				t.Fatalf("after Abort won, HeadObject: %v", err)
			}
		}
		if got := tallyOf(t, e); got != (tally{}) {
			t.Fatalf("round %d leaves %+v", round, got)
		}
	}
	t.Logf("%d times a Complete won, %d times an Abort", completions, aborts)
}

// checkVersion checks that the object is a version that was acknowledged, not one that had been
// replaced for sure before Complete began, nor one that began after it.
func checkVersion(t *testing.T, object []byte, versions []*version, began, end int64) {
	t.Helper()
	i := slices.IndexFunc(versions, func(v *version) bool { return bytes.Equal(v.body, object) })
	if i < 0 || versions[i].err != nil {
		t.Fatalf("the object of %d bytes is version %d, which was not acknowledged", len(object), i)
	}
	if versions[i].began > end {
		t.Fatalf("version %d began after Complete had returned", i)
	}
	for j, later := range versions {
		if later.err == nil && later.began > versions[i].end && later.end < began {
			t.Fatalf("the object is version %d, which version %d had replaced", i, j)
		}
	}
	for j, v := range versions {
		if v.err == nil && v.began > end {
			t.Fatalf("version %d was acknowledged though it began after Complete", j)
		}
		if v.err != nil && v.end < began {
			t.Fatalf("version %d failed before Complete began, with Abort the loser: %v", j, v.err)
		}
	}
}

// TestLastFinisherWins begins an upload of a part, uploads another under the same number, and then
// lets the first one finish.
func TestLastFinisherWins(t *testing.T) {
	ctx := context.Background()
	early, late := random(1, 100), random(2, 200)
	for _, row := range []struct {
		name string
		mid  func(e *engine.Engine, id string) error // before the first one finishes
		want error                                   // what the first one gets then
	}{
		{"part", func(*engine.Engine, string) error { return nil }, nil},
		{"part after Complete", func(e *engine.Engine, id string) error {
			_, err := e.CompleteMultipartUpload(ctx, &engine.CompleteMultipartUploadRequest{Bucket: "bucket", Key: "key", UploadID: id, All: true})
			return err
		}, engine.ErrNoSuchUpload},
		{"part after Abort", func(e *engine.Engine, id string) error {
			_, err := e.AbortMultipartUpload(ctx, &engine.AbortMultipartUploadRequest{Bucket: "bucket", Key: "key", UploadID: id})
			return err
		}, engine.ErrNoSuchUpload},
	} {
		t.Run(row.name, func(t *testing.T) {
			e := openTemp(t, &engine.Options{ChunkSize: 4 << 10})
			id := mustInitiate(t, e, "bucket", "key", "")
			body := stalling(t, late)
			finished := make(chan error, 1)
			go func() {
				_, err := e.UploadPart(ctx, &engine.UploadPartRequest{Bucket: "bucket", Key: "key", UploadID: id, PartNumber: 1, Body: body})
				finished <- err
			}()
			<-body.stalled
			if got := partsOf(t, e, "bucket", "key", id); len(got) != 0 {
				t.Errorf("a part under way is listed: %v", got)
			}
			mustPart(t, e, "bucket", "key", id, 1, early)
			if err := row.mid(e, id); err != nil {
				t.Fatal(err)
			}
			body.goOn()
			err := <-finished
			if !errors.Is(err, row.want) {
				t.Fatalf("the last to finish: %v, want %v", err, row.want)
			}
			if row.want != nil {
				if asError(t, err).EC != "0042-00000104" {
					t.Errorf("EC is %s", asError(t, err).EC)
				}
				mustDelete(t, e, "bucket", "key")
				if got := tallyOf(t, e); got != (tally{}) {
					t.Errorf("the late part leaves %+v", got)
				}
				return
			}
			_, err = e.CompleteMultipartUpload(ctx, &engine.CompleteMultipartUploadRequest{
				Bucket: "bucket", Key: "key", UploadID: id, Parts: []engine.CompletedPart{{PartNumber: 1, ETag: md5ETag(early)}},
			})
			if !errors.Is(err, engine.ErrInvalidPart) {
				t.Errorf("Complete with the ETag of the first to finish: %v", err)
			}
			mustComplete(t, e, "bucket", "key", id, engine.CompletedPart{PartNumber: 1, ETag: md5ETag(late)})
			if !bytes.Equal(readAll(t, e, "bucket", "key"), late) {
				t.Error("the object is not of the last to finish")
			}
		})
	}
}

// atOnce calls fn n times at the same time and returns the errors.
func atOnce(n int, fn func(i int) error) []error {
	errs := make([]error, n)
	start := make(chan struct{})
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			<-start
			errs[i] = fn(i)
		})
	}
	close(start)
	all.Wait()
	return errs
}

// checkOneWins checks that one has won, and that the others got this error.
func checkOneWins(t *testing.T, errs []error, others error) (winner int) {
	t.Helper()
	winner = -1
	for i, err := range errs {
		switch {
		case err == nil && winner >= 0:
			t.Fatalf("%d and %d both won", winner, i)
		case err == nil:
			winner = i
		case !errors.Is(err, others):
			t.Fatalf("%d: %v, want %v", i, err, others)
		}
	}
	if winner < 0 {
		t.Fatalf("nobody won: %v", errs)
	}
	return winner
}

// TestCompletesAtOnce completes one upload many times at once, and many uploads of one key that
// must not overwrite each other.
func TestCompletesAtOnce(t *testing.T) {
	e := openTemp(t, nil)
	ctx := context.Background()
	for range 10 {
		id := mustInitiate(t, e, "bucket", "key", "")
		p := mustPart(t, e, "bucket", "key", id, 1, []byte("content"))
		checkOneWins(t, atOnce(8, func(int) error {
			_, err := e.CompleteMultipartUpload(ctx, &engine.CompleteMultipartUploadRequest{
				Bucket: "bucket", Key: "key", UploadID: id, Parts: []engine.CompletedPart{{PartNumber: 1, ETag: p.ETag}},
			})
			return err
		}), engine.ErrNoSuchUpload)
		mustDelete(t, e, "bucket", "key")

		for _, req := range []engine.CompleteMultipartUploadRequest{
			{Bucket: "bucket", Key: "key", All: true, Preconditions: engine.Preconditions{ForbidOverwrite: true}},
			{Bucket: "bucket", Key: "key", All: true, Preconditions: engine.Preconditions{IfNoneMatch: "*"}},
		} {
			var ids []string
			for i := range 8 {
				ids = append(ids, mustInitiate(t, e, "bucket", "key", ""))
				mustPart(t, e, "bucket", "key", ids[i], 1, []byte{byte(i)})
			}
			want := error(engine.ErrFileAlreadyExists)
			if req.IfNoneMatch != "" {
				want = engine.ErrPreconditionFailed
			}
			winner := checkOneWins(t, atOnce(8, func(i int) error {
				req := req
				req.UploadID = ids[i]
				_, err := e.CompleteMultipartUpload(ctx, &req)
				return err
			}), want)
			if got := readAll(t, e, "bucket", "key"); !bytes.Equal(got, []byte{byte(winner)}) {
				t.Errorf("the object is %v, the winner %d", got, winner)
			}
			for i, id := range ids { // the losers are open still; the last to complete replaces
				if i != winner {
					mustComplete(t, e, "bucket", "key", id)
				}
			}
			mustDelete(t, e, "bucket", "key")
		}
	}
	if got := tallyOf(t, e); got != (tally{}) {
		t.Errorf("the store holds %+v", got)
	}
}

// TestMemoryBudget uploads 32 parts at once through four chunk buffers, plain and encrypted.
func TestMemoryBudget(t *testing.T) {
	const chunk = 4 << 10
	e := openTemp(t, &engine.Options{ChunkSize: chunk, MemoryBudget: 4 * chunk, Keys: keys(t)})
	for _, sse := range []string{"", "AES256"} {
		id := mustInitiate(t, e, "bucket", "key", sse)
		var want [][]byte
		for i := range 32 {
			want = append(want, random(uint64(i), minPart+i*100))
		}
		for i, err := range atOnce(len(want), func(i int) error {
			_, err := e.UploadPart(context.Background(), &engine.UploadPartRequest{
				Bucket: "bucket", Key: "key", UploadID: id, PartNumber: i + 1, Body: bytes.NewReader(want[i]), Size: int64(len(want[i])),
			})
			return err
		}) {
			if err != nil {
				t.Fatalf("part %d: %v", i+1, err)
			}
		}
		if got := mustComplete(t, e, "bucket", "key", id); got.ETag != ossETag(want...) {
			t.Errorf("the object is %+v", got)
		}
		if !bytes.Equal(readAll(t, e, "bucket", "key"), slices.Concat(want...)) {
			t.Error("the object reads differently")
		}
	}
}

// TestIdenticalAtOnce uploads the same content as 16 parts at once. It is stored once, even for an
// instant: nothing is dead.
func TestIdenticalAtOnce(t *testing.T) {
	const chunk, chunks, parts = 4 << 10, 20, 16
	e := openTemp(t, &engine.Options{ChunkSize: chunk})
	body := random(1, chunk*chunks)
	id := mustInitiate(t, e, "bucket", "key", "")
	for _, err := range atOnce(parts, func(i int) error {
		_, err := e.UploadPart(context.Background(), &engine.UploadPartRequest{Bucket: "bucket", Key: "key", UploadID: id, PartNumber: i + 1, Body: bytes.NewReader(body)})
		return err
	}) {
		if err != nil {
			t.Fatal(err)
		}
	}
	got := stats(t, e)
	if got.Chunks != chunks || got.References != chunks*parts || got.StoredBytes > chunks*(chunk+100) || got.DeadBytes != 0 {
		t.Errorf("the store holds %+v", got)
	}
	// And some fail, while others carry the same: that must not take their chunks away.
	for i, err := range atOnce(parts, func(i int) error {
		fresh := random(2, chunk*chunks)
		req := &engine.UploadPartRequest{Bucket: "bucket", Key: "key", UploadID: id, PartNumber: i + 1, Body: bytes.NewReader(fresh)}
		if i%2 == 1 {
			req.Body = failing(string(fresh), io.ErrClosedPipe)
		}
		_, err := e.UploadPart(context.Background(), req)
		return err
	}) {
		if (err != nil) != (i%2 == 1) {
			t.Errorf("part %d: %v", i+1, err)
		}
	}
	if got := tallyOf(t, e); got.Chunks != 2*chunks || got.References != chunks*parts || got.Parts != parts {
		t.Errorf("the store holds %+v", got)
	}
	mustComplete(t, e, "bucket", "key", id, engine.CompletedPart{PartNumber: 1, ETag: md5ETag(random(2, chunk*chunks))})
	if !bytes.Equal(readAll(t, e, "bucket", "key"), random(2, chunk*chunks)) {
		t.Error("the object reads differently")
	}
}

// TestReadersWhileDeleting reads an object over and over while it is overwritten, deleted and
// reclaimed: each reader sees one version whole, or none.
func TestReadersWhileDeleting(t *testing.T) {
	const chunk = 4 << 10
	e := openTemp(t, &engine.Options{ChunkSize: chunk})
	versions := make([][]byte, 4) // each shares a chunk with the next
	for i := range versions {
		versions[i] = slices.Concat(random(uint64(i), chunk), random(uint64(i+1), chunk), random(uint64(100+i), 3*chunk))
	}
	mustBucket(t, e, "bucket")
	stop := make(chan struct{})
	var readers sync.WaitGroup
	var reads atomic.Int64
	for range 4 {
		readers.Go(func() {
			for {
				select {
				case <-stop:
					return
				case <-time.After(time.Millisecond): // readers that spin take the processors from the writer
				}
				obj, err := e.GetObject(context.Background(), &engine.GetObjectRequest{Bucket: "bucket", Key: "key"})
				if errors.Is(err, engine.ErrNoSuchKey) {
					continue
				}
				if err != nil {
					t.Errorf("GetObject: %v", err)
					return
				}
				got, err := io.ReadAll(obj)
				if err != nil || !slices.ContainsFunc(versions, func(v []byte) bool { return bytes.Equal(v, got) }) {
					t.Errorf("reads %d bytes that are no version, %v", len(got), err)
				}
				if len(got) > 0 && obj.ETag != ossETag(got) {
					t.Error("the ETag is of another version")
				}
				obj.Close()
				reads.Add(1)
			}
		})
	}
	for i := range 30 {
		mustObject(t, e, "bucket", "key", "", versions[i%len(versions)])
		mustReclaim(t, e)
		if i%3 == 2 {
			mustDelete(t, e, "bucket", "key")
			mustReclaim(t, e)
		}
	}
	eventually(func() bool { return reads.Load() > 10 || t.Failed() })
	close(stop)
	readers.Wait()
	mustDelete(t, e, "bucket", "key")
	if got := tallyOf(t, e); got != (tally{}) {
		t.Errorf("the store holds %+v", got)
	}
}

// TestReclaimWhileWriting reclaims all the time while parts are uploaded whose chunks take several
// pages to list: what is half written is not garbage.
func TestReclaimWhileWriting(t *testing.T) {
	const chunk = 4 << 10
	e := openTemp(t, &engine.Options{ChunkSize: chunk})
	id := mustInitiate(t, e, "bucket", "key", "")
	stop := make(chan struct{})
	var sweeping sync.WaitGroup
	sweeping.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
			}
			if _, err := e.Reclaim(context.Background(), &engine.ReclaimRequest{}); err != nil {
				t.Errorf("Reclaim: %v", err)
				return
			}
		}
	})
	body := random(1, 4500*chunk)
	for range 3 { // each replaces the one before
		mustPart(t, e, "bucket", "key", id, 1, body)
	}
	close(stop)
	sweeping.Wait()
	mustComplete(t, e, "bucket", "key", id)
	if !bytes.Equal(readAll(t, e, "bucket", "key"), body) {
		t.Error("the object reads differently")
	}
	if got := tallyOf(t, e); got.Chunks != 4500 || got.References != 4500 {
		t.Errorf("the store holds %+v", got)
	}
}

// TestCloseWhileReading closes an Object whose content has been deleted under many readers. They
// end with fs.ErrClosed; what is swept then is not corruption.
func TestCloseWhileReading(t *testing.T) {
	const chunk = 4 << 10
	e := openTemp(t, &engine.Options{ChunkSize: chunk})
	for round := range 10 {
		body := random(uint64(round), 40*chunk)
		mustObject(t, e, "bucket", "key", "", body)
		obj := mustGet(t, e, "bucket", "key", "")
		mustDelete(t, e, "bucket", "key")
		var started sync.WaitGroup
		started.Add(4)
		done := make(chan error, 4)
		for g := range 4 {
			go func() {
				buf := make([]byte, chunk)
				for i := 0; ; i++ {
					off := (i*7 + g) % 40 * chunk
					_, err := obj.ReadAt(buf, int64(off))
					if i == 0 {
						started.Done()
					}
					if err == nil && !bytes.Equal(buf, body[off:off+chunk]) {
						err = fmt.Errorf("chunk at %d reads differently", off)
					}
					if err != nil {
						done <- err
						return
					}
				}
			}()
		}
		started.Wait()
		if err := obj.Close(); err != nil {
			t.Fatal(err)
		}
		mustReclaim(t, e)
		for range 4 {
			if err := <-done; !errors.Is(err, fs.ErrClosed) {
				t.Fatalf("round %d: reading ends with %v, want fs.ErrClosed", round, err)
			}
		}
	}
}

// TestCloseAmidCalls closes the engine among running calls. Each succeeds or fails with ErrClosed;
// what succeeded is there when the store is opened again.
func TestCloseAmidCalls(t *testing.T) {
	const chunk = 4 << 10
	dir := t.TempDir()
	o := &engine.Options{ChunkSize: chunk}
	ctx := context.Background()
	acknowledged := map[int]string{} // ETags by number
	id := ""
	for round := range 3 {
		e := open(t, dir, o)
		if id == "" {
			id = mustInitiate(t, e, "bucket", "key", "")
		}
		var mu sync.Mutex
		errs := make(chan error, 9)
		for g := range 8 {
			go func() {
				for i := 0; ; i++ {
					n := 1 + g*1000 + i%50
					body := random(uint64(round*1e6+g*1e4+i), i%3*chunk+i)
					p, err := e.UploadPart(ctx, &engine.UploadPartRequest{Bucket: "bucket", Key: "key", UploadID: id, PartNumber: n, Body: bytes.NewReader(body)})
					if err != nil {
						errs <- err
						return
					}
					mu.Lock()
					acknowledged[n] = p.ETag
					mu.Unlock()
				}
			}()
		}
		eventually(func() bool { mu.Lock(); defer mu.Unlock(); return len(acknowledged) >= 40*(round+1) })
		errs <- e.Close()
		for range 9 {
			if err := <-errs; err != nil && !errors.Is(err, engine.ErrClosed) {
				t.Errorf("round %d: %v", round, err)
			}
		}
	}
	e := open(t, dir, o)
	got := map[int]string{}
	for p, err := range e.Parts(ctx, &engine.ListPartsRequest{Bucket: "bucket", Key: "key", UploadID: id}) {
		if err != nil {
			t.Fatal(err)
		}
		got[p.PartNumber] = p.ETag
	}
	for n, etag := range acknowledged {
		if got[n] != etag {
			t.Errorf("part %d is %q, acknowledged was %s", n, got[n], etag)
		}
	}
	if len(got) != len(acknowledged) {
		t.Errorf("%d parts, %d were acknowledged", len(got), len(acknowledged))
	}
}
