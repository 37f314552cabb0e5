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
	// Data also reads and verifies every byte of every object and part. Otherwise the metadata is
	// checked, and that every chunk's volume is there. What is under a client's key cannot be opened
	// without it: then the checksums of what is stored are all that is verified.
	Data bool
}

// CheckResult says what was found.
type CheckResult struct {
	Problems []Problem // none: the store is sound

	// What was checked.
	Objects, Uploads, Parts, Chunks, Volumes int64
	Bytes                                    int64 // read and verified, of what copies share once; 0 without Data
}

// A Problem is one thing that is not as it should be.
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
	// BadAccounting: a count is wrong. All data can be read, but space may leak.
	BadAccounting ProblemKind = "bad accounting"
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
// references counted are those that exist, and the accounts of volumes and of Stats are true. What
// is wrong is in the result; the error is for a check that could not be done. Other calls go on
// meanwhile, but reclaiming waits. It checks one snapshot, and takes about 100 bytes of memory a
// chunk.
func (e *Engine) Check(ctx context.Context, req *CheckRequest) (_ *CheckResult, err error) {
	req = orEmpty(req)
	c, err := e.begin(ctx, call{op: "Check"})
	defer c.end(&err)
	if err != nil {
		return nil, err
	}
	// Reclaiming would move chunks and remove volumes under the snapshot.
	if err := e.sweeper.take(ctx); err != nil {
		return nil, err
	}
	defer e.sweeper.pass()
	k := &check{
		engine: e, data: req.Data, res: &CheckResult{},
		volumes:   map[uint64]blob.VolumeInfo{},
		chunks:    map[index.ChunkID]*chunkCheck{},
		contents:  map[index.ContentID]*contentCheck{},
		manifests: map[index.ManifestID]bool{},
		failed:    map[blob.Ref]error{},
	}
	err = e.index.View(ctx, func(r index.Reader) error {
		k.r = r
		return k.run(ctx)
	})
	if err != nil {
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
	contents  map[index.ContentID]*contentCheck // seen with an owner or in the queue
	manifests map[index.ManifestID]bool         // seen in a part or in the queue
	totals    index.Totals                      // as they should be
	scratch   chunkData

	failed map[blob.Ref]error // places that turned out to be damaged
	sound  []blob.Ref         // and those that were known as such, and are not
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
		k.listVolumes, k.listChunks, k.buckets, k.trash, k.orphans, k.shared, k.completed, k.idle, k.counts, k.accounts,
	} {
		if err := errors.Join(step(ctx), ctx.Err()); err != nil {
			return err
		}
	}
	return nil
}

func (k *check) problem(p Problem) {
	p.Err = typed(p.Err)
	k.res.Problems = append(k.res.Problems, p)
}

func (k *check) miscounted(format string, args ...any) {
	k.problem(Problem{Kind: BadAccounting, Err: fmt.Errorf(format, args...)})
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
	for entry, err := range index.Scan(k.r, index.Chunks()) {
		if err != nil {
			return err
		}
		id, err := index.ParseChunkKey(entry.Key)
		if err != nil {
			return err
		}
		c := &chunkCheck{Chunk: entry.Record}
		if v, there := k.volumes[c.Volume]; !there {
			c.err = &CorruptionError{What: "chunk " + id.String(), Where: fmt.Sprintf("volume %d", c.Volume), Err: errors.New("the volume is missing")}
		} else if v.Damage != nil {
			c.err = &CorruptionError{What: "chunk " + id.String(), Where: fmt.Sprintf("volume %d", c.Volume), Err: v.Damage}
		}
		if c.err == nil && !k.data { // reading it will tell
			c.err = k.engine.damage.knownIn(id, &entry.Record)
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

func (k *check) buckets(ctx context.Context) error {
	for bucket, err := range bucketNames(k.r) {
		if err != nil {
			return err
		}
		if err := errors.Join(k.objects(ctx, bucket), k.uploads(ctx, bucket)); err != nil {
			return err
		}
	}
	return nil
}

func (k *check) objects(ctx context.Context, bucket string) error {
	for entry, err := range index.Scan(k.r, index.ObjectsOf(bucket)) {
		if err != nil {
			return err
		}
		_, key, err := index.ParseObjectKey(entry.Key)
		if err != nil {
			return err
		}
		rec := &entry.Record
		k.totals.Objects++
		k.totals.LogicalBytes += rec.Size
		hit := Problem{Kind: DataLost, Bucket: bucket, Key: key}
		c, err := k.content(ctx, hit, rec.Content, &rec.Encryption)
		if err != nil {
			return err
		}
		if c.parts != rec.Parts || c.size != rec.Size || c.crc64 != rec.CRC64 {
			hit.Err = fmt.Errorf("its parts are %d of %d bytes, its record says %d of %d, or the CRC-64 differs", c.parts, c.size, rec.Parts, rec.Size)
			k.problem(hit)
		}
	}
	k.res.Objects = k.totals.Objects
	return nil
}

func (k *check) uploads(ctx context.Context, bucket string) error {
	for entry, err := range index.Scan(k.r, index.UploadsOf(bucket)) {
		if err != nil {
			return err
		}
		_, key, id, err := index.ParseUploadKey(entry.Key)
		if err != nil {
			return err
		}
		k.totals.Uploads++
		hit := Problem{Kind: DataLost, Bucket: bucket, Key: key, UploadID: id.String()}
		c, err := k.content(ctx, hit, id, &entry.Record.Encryption)
		if err != nil {
			return err
		}
		c.upload = true
	}
	k.res.Uploads = k.totals.Uploads
	return nil
}
