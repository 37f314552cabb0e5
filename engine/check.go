package engine

import (
	"context"
	"errors"
	"fmt"

	"github.com/gabion-storage/gabion/blob"
	"github.com/gabion-storage/gabion/index"
)

// CheckRequest says how thorough a check is.
type CheckRequest struct {
	// Data also reads every byte of every object and part, and compares the MD5 and CRC-64 of every
	// part with its record, the MD5 of all parts of a sequential upload together with its record or
	// that of its object, and the CRC-64 of every chunk without encryption with its manifest.
	// Without Data only the metadata is checked, and that every chunk's volume is there. Content
	// that cannot be opened, because it is under a client's key or the key provider does not give
	// the key, is no problem: only the checksums of its stored form are verified, and Unopened
	// counts it. The key provider is asked with and without Data, since the MACs of metadata need
	// the keys, too.
	Data bool
}

// CheckResult says what was found.
type CheckResult struct {
	Problems []Problem // none: the store is sound

	// What was checked.
	Objects, Uploads, Parts, Chunks, Volumes int64
	Bytes                                    int64 // read and verified, shared ones once; 0 without Data

	// Unopened counts the parts of which only the checksums of the stored form were verified: not
	// that their chunks are those that were sent, in that order, nor that part and object belong
	// together. UnopenedCause says why, for the first of them that is not under a client's key; it
	// is nil if all are.
	Unopened      int64
	UnopenedCause error
}

// A Problem is one thing that is wrong.
type Problem struct {
	Kind ProblemKind

	// Which object or, if UploadID is set, which open upload is hit, and which of its parts (0: all
	// of it). Bucket is empty when neither is.
	Bucket, Key, UploadID string
	PartNumber            int

	Err error // what is wrong; often a *CorruptionError
}

// A ProblemKind says what a problem means for the data.
type ProblemKind string

const (
	// DataLost: content of an object or upload cannot be read. Everything else can.
	DataLost ProblemKind = "data lost"
	// BadAccounting: a count is wrong. All data can be read, but space may leak. Counts are not
	// compared while there are records that cannot be decoded.
	BadAccounting ProblemKind = "bad accounting"
	// BadMetadata: a property of an object is wrong, such as its ETag or its name. Its content is
	// whole.
	BadMetadata ProblemKind = "bad metadata"
)

// String says it in one line.
func (p Problem) String() string {
	s := string(p.Kind)
	if p.Bucket != "" {
		s += fmt.Sprintf(": %s/%s", p.Bucket, p.Key)
	}
	if p.UploadID != "" {
		s += ": upload " + p.UploadID
	}
	if p.PartNumber != 0 {
		s += fmt.Sprintf(": part %d", p.PartNumber)
	}
	return fmt.Sprintf("%s: %v", s, p.Err)
}

// Check proves the store's invariants: every object and part resolves to chunks that are there, the
// references counted are those that exist, ETags and checksums follow from the parts, no record is
// without an owner, and the accounts of volumes and of Stats are true. Problems are part of the
// result; an error means that the check could not be done. Other calls go on meanwhile, but
// reclaiming waits. Chunks that are found to be damaged no longer count as stored, as after a
// failed read.
//
// It checks one snapshot. It takes about 200 bytes of memory a chunk, 100 a part and 100 an object or
// open upload, the records of the parts of one object, and up to 20 MiB of what it reads ahead of the
// index.
//
// With Data it reads every chunk, one that several parts share once for each, at the pace of one
// MD5, or of two where an upload was sequential. Up to 32 chunks are read at a time. They take up to
// a quarter of Options.MemoryBudget, beside that budget, or one chunk if that is more.
func (e *Engine) Check(ctx context.Context, req *CheckRequest) (_ *CheckResult, err error) {
	req = orEmpty(req)
	c, err := e.begin(ctx, call{op: "Check"})
	defer c.end(&err)
	if err != nil {
		return nil, err
	}
	c.pass()
	// Reclaiming would move chunks and remove volumes under the snapshot.
	if err := e.worker.claim(ctx); err != nil {
		return nil, err
	}
	defer e.worker.yield()
	turn, err := e.waitForTurn(ctx)
	if err != nil {
		return nil, err
	}
	defer release(ctx, turn, &err)
	k := newCheck(e, req.Data)
	if req.Data {
		k.frames = newFrameReads(ctx, e.blobs, e.opts.MemoryBudget/framesShare)
		defer k.frames.close()
	}
	err = e.index.View(ctx, func(r index.Reader) error {
		k.r = r
		return k.run(ctx)
	})
	if err := errors.Join(err, e.node.Confirm(ctx)); err != nil {
		return nil, err
	}
	e.damage.note(ctx, k.failed)
	if err := e.damage.clear(ctx, k.sound); err != nil {
		return nil, err
	}
	return k.res, nil
}

// A check is one run over one snapshot.
type check struct {
	engine *Engine
	r      index.Reader
	data   bool
	res    *CheckResult

	volumes   map[uint64]blob.VolumeInfo
	chunks    map[index.ChunkID]*chunkCheck
	buckets   map[string]*index.Bucket          // nil where the record cannot be decoded
	contents  map[index.ContentID]*contentCheck // seen with an owner or in the queue
	manifests map[index.ManifestID]manifestCheck
	totals    index.Totals // as they should be
	scratch   chunkData
	plan      *pagePlan   // of the manifests that are read next; nil: none
	frames    *frameReads // nil without Data

	undecodable map[string]bool    // keys of records
	accounting  []Problem          // reported only if nothing else is wrong
	failed      map[blob.Ref]error // places that turned out to be damaged
	sound       []blob.Ref         // and those that were known as such, and are not
}

func newCheck(e *Engine, data bool) *check {
	return &check{
		engine: e, data: data, res: &CheckResult{},
		volumes:     map[uint64]blob.VolumeInfo{},
		chunks:      map[index.ChunkID]*chunkCheck{},
		buckets:     map[string]*index.Bucket{},
		contents:    map[index.ContentID]*contentCheck{},
		manifests:   map[index.ManifestID]manifestCheck{},
		undecodable: map[string]bool{},
		failed:      map[blob.Ref]error{},
	}
}

// chunkCheck is a chunk's record and what is known of it.
type chunkCheck struct {
	index.Chunk
	counted uint64
	read    bool
	err     error
}

func (k *check) run(ctx context.Context) error {
	for _, step := range []func(context.Context) error{
		k.listVolumes, k.listChunks, k.listBuckets, k.objects, k.uploads, k.trash, k.orphans,
		k.directories, k.shared, k.completed, k.idle, k.counts, k.accounts,
	} {
		if err := errors.Join(step(ctx), ctx.Err()); err != nil {
			return err
		}
	}
	if len(k.undecodable) == 0 {
		k.res.Problems = append(k.res.Problems, k.accounting...)
	}
	return nil
}

func (k *check) problem(p Problem) {
	p.Err = typed(p.Err)
	k.res.Problems = append(k.res.Problems, p)
}

func (k *check) miscounted(format string, args ...any) {
	k.accounting = append(
		k.accounting, Problem{Kind: BadAccounting, Err: typed(fmt.Errorf(format, args...))},
	)
}

// undecoded takes in a record that could not be decoded, told as p. It returns the error if it is
// of a scan as a whole, or says nothing of the record.
func (k *check) undecoded(p Problem, key []byte, err error) error {
	if len(key) == 0 || !isFinding(err) {
		return err
	}
	if !k.undecodable[string(key)] {
		k.undecodable[string(key)] = true
		p.Err = err
		k.problem(p)
	}
	return nil
}

func (k *check) listVolumes(ctx context.Context) error {
	volumes, err := k.engine.blobs.Volumes(ctx)
	for _, v := range volumes {
		k.volumes[v.ID] = v
	}
	k.res.Volumes = int64(len(volumes))
	return err
}

func (k *check) listChunks(context.Context) error {
	for entry, err := range index.ScanAll(k.r, index.Chunks()) {
		if err != nil {
			if err := k.undecoded(Problem{Kind: DataLost}, entry.Key, err); err != nil {
				return err
			}
			if id, keyErr := index.ParseChunkKey(entry.Key); keyErr == nil {
				k.chunks[id] = &chunkCheck{
					err: err,
				} // what refers to it is hit by that, and not by its absence
			}
			continue
		}
		id, err := index.ParseChunkKey(entry.Key)
		if err != nil {
			return err
		}
		c := &chunkCheck{Chunk: entry.Record}
		where := fmt.Sprintf("volume %d", c.Volume)
		if v, there := k.volumes[c.Volume]; !there {
			c.err = &CorruptionError{
				What: "chunk " + id.String(), Where: where,
				Err: errors.New("the volume is missing"),
			}
		} else if v.Damage != nil {
			c.err = &CorruptionError{What: "chunk " + id.String(), Where: where, Err: v.Damage}
		} else if !k.data { // else reading it will tell
			c.err = k.engine.damage.KnownIn(id, &entry.Record)
		}
		if c.Damaged {
			k.totals.Damaged++
		}
		k.chunks[id] = c
		k.totals.Chunks++
		k.totals.StoredBytes += int64(c.Stored)
	}
	k.res.Chunks = k.totals.Chunks
	return nil
}

func (k *check) listBuckets(context.Context) error {
	for entry, err := range index.ScanAll(k.r, index.Buckets()) {
		name, nameErr := index.ParseBucketKey(entry.Key)
		if err != nil {
			if err := k.undecoded(Problem{Kind: DataLost, Bucket: name}, entry.Key, err); err != nil {
				return err
			}
		}
		if nameErr != nil {
			return nameErr
		}
		k.buckets[name] = nil
		if err != nil {
			continue
		}
		k.buckets[name] = &entry.Record
		err = errors.Join(
			Rules(entry.Record.Rules).validate(), DedupScope(entry.Record.Dedup).validate(),
		)
		if err != nil {
			k.problem(Problem{Kind: BadMetadata, Bucket: name, Err: err})
		}
	}
	return nil
}
