package engine

import (
	"context"
	"errors"
	"fmt"

	"github.com/gabion-storage/gabion/blob"
	"github.com/gabion-storage/gabion/crypto"
	"github.com/gabion-storage/gabion/index"
)

// CheckRequest says how thorough a check is.
type CheckRequest struct {
	// Data also reads and verifies every byte of every object and part. Otherwise the metadata is
	// checked, and that every chunk's volume is there.
	Data bool
}

// CheckResult says what was found.
type CheckResult struct {
	Problems []Problem // none: the store is sound

	// What was checked.
	Objects, Uploads, Parts, Chunks, Volumes int64
	Bytes                                    int64 // read and verified; 0 without Data
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
		contents:  map[index.ContentID]bool{},
		manifests: map[index.ManifestID]bool{},
	}
	err = e.index.View(ctx, func(r index.Reader) error {
		k.r = r
		return k.run(ctx)
	})
	if err != nil {
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
	contents  map[index.ContentID]bool  // seen with an owner
	manifests map[index.ManifestID]bool // seen in a part or in the queue
	totals    index.Totals              // as they should be
	scratch   chunkData
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
		k.listVolumes, k.listChunks, k.buckets, k.trash, k.orphans, k.counts, k.accounts,
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
		k.chunks[id] = c
		k.totals.Chunks++
		k.totals.StoredBytes += int64(c.Stored)
	}
	k.res.Chunks = k.totals.Chunks
	return nil
}

func (k *check) buckets(ctx context.Context) error {
	for entry, err := range index.Scan(k.r, index.Buckets()) {
		if err != nil {
			return err
		}
		bucket, err := index.ParseBucketKey(entry.Key)
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
		parts, err := k.content(ctx, hit, rec.Content, &rec.Encryption)
		if err != nil {
			return err
		}
		var size int64
		for _, p := range parts {
			size += p.Size
		}
		if len(parts) != rec.Parts || size != rec.Size || combinedCRC64(records(parts)) != rec.CRC64 {
			hit.Err = fmt.Errorf("its parts are %d of %d bytes, its record says %d of %d, or the CRC-64 differs", len(parts), size, rec.Parts, rec.Size)
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
		if _, err := k.content(ctx, hit, id, &entry.Record.Encryption); err != nil {
			return err
		}
	}
	k.res.Uploads = k.totals.Uploads
	return nil
}

// content checks the parts of an object or upload and returns them.
func (k *check) content(ctx context.Context, hit Problem, id index.ContentID, enc *index.Encryption) ([]numberedPart, error) {
	if k.contents[id] {
		hit.Err = fmt.Errorf("content %s has two owners", id)
		k.problem(hit)
	}
	k.contents[id] = true
	parts, err := partsOf(k.r, id)
	if err != nil {
		return nil, err
	}
	var cipher *crypto.Cipher
	if k.data {
		if cipher, err = k.engine.ciphers.of(ctx, id, enc); err != nil {
			hit.Err = err
			k.problem(hit)
			return parts, nil
		}
	}
	for i := range parts {
		hit.PartNumber = parts[i].number
		if hit.Err = k.part(ctx, &parts[i].Part, cipher); hit.Err != nil {
			k.problem(hit)
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
	}
	return parts, nil
}

// part checks one part and counts its references. The error is the first thing wrong with it.
func (k *check) part(ctx context.Context, rec *index.Part, cipher *crypto.Cipher) error {
	list := &partChunks{}
	err := list.fill(k.r, rec)
	if k.manifests[rec.Manifest] {
		err = errors.Join(err, fmt.Errorf("manifest %s has two owners", rec.Manifest))
	}
	k.manifests[rec.Manifest] = true
	for _, c := range list.chunks {
		if chunkErr := k.reference(ctx, c, cipher); err == nil {
			err = chunkErr
		}
	}
	return err
}

// reference counts one use of a chunk and, if the data is to be checked, reads it once.
func (k *check) reference(ctx context.Context, c index.PageChunk, cipher *crypto.Cipher) error {
	k.totals.References++
	rec := k.chunks[c.ID]
	if rec == nil {
		return &CorruptionError{What: "chunk " + c.ID.String(), Where: "index", Err: errors.New("its record is missing")}
	}
	rec.counted++
	if k.data && !rec.read && rec.err == nil {
		rec.read = true
		ref := blob.Ref{ID: blob.ID(c.ID), Volume: rec.Volume, Size: rec.Stored}
		plain, err := k.engine.readFrame(ctx, ref, int(c.Size), cipher, &k.scratch)
		rec.err = err
		k.res.Bytes += int64(len(plain))
	}
	return rec.err
}

// trash counts what the queue still refers to.
func (k *check) trash(ctx context.Context) error {
	for entry, err := range index.Scan(k.r, index.TrashQueue()) {
		if err != nil {
			return err
		}
		id, err := index.ParseTrashKey(entry.Key)
		if err != nil {
			return err
		}
		if entry.Record.Kind == index.TrashContent {
			err = k.trashContent(id)
		} else {
			err = k.trashManifest(id)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (k *check) trashContent(id index.ContentID) error {
	if k.contents[id] {
		k.miscounted("content %s is in use and in the trash queue", id)
	}
	k.contents[id] = true
	parts, err := partsOf(k.r, id)
	for _, p := range parts {
		err = errors.Join(err, k.trashManifest(p.Manifest))
	}
	return err
}

// trashManifest counts the references of a manifest of which any number of pages may be gone.
func (k *check) trashManifest(id index.ManifestID) error {
	if k.manifests[id] {
		k.miscounted("manifest %s is in use and in the trash queue", id)
	}
	k.manifests[id] = true
	for entry, err := range index.Scan(k.r, index.PagesOf(id)) {
		if err != nil {
			return err
		}
		for _, c := range entry.Record.Chunks {
			k.totals.References++
			if rec := k.chunks[c.ID]; rec != nil {
				rec.counted++
			}
		}
	}
	return nil
}

// orphans looks for parts and pages that nothing refers to.
func (k *check) orphans(context.Context) error {
	for entry, err := range index.Scan(k.r, index.AllParts()) {
		if err != nil {
			return err
		}
		content, number, err := index.ParsePartKey(entry.Key)
		if err != nil {
			return err
		}
		k.totals.Parts++
		if !k.contents[content] {
			k.miscounted("part %d of content %s has no owner", number, content)
		}
	}
	k.res.Parts = k.totals.Parts
	for entry, err := range index.Scan(k.r, index.AllPages()) {
		if err != nil {
			return err
		}
		manifest, number, err := index.ParsePageKey(entry.Key)
		if err != nil {
			return err
		}
		if !k.manifests[manifest] {
			k.miscounted("page %d of manifest %s has no owner", number, manifest)
		}
	}
	return nil
}

// counts compares the references counted with those recorded.
func (k *check) counts(context.Context) error {
	for id, c := range k.chunks {
		if c.Refs != c.counted {
			k.miscounted("chunk %s is referred to %d times, its record says %d", id, c.counted, c.Refs)
		}
	}
	return nil
}

// accounts compares the accounts of volumes and the totals with the truth.
func (k *check) accounts(context.Context) error {
	want := map[uint64]index.Volume{}
	for _, c := range k.chunks {
		v := want[c.Volume]
		v.LiveBytes += int64(c.Stored)
		v.LiveChunks++
		want[c.Volume] = v
	}
	for entry, err := range index.Scan(k.r, index.Volumes()) {
		if err != nil {
			return err
		}
		id, err := index.ParseVolumeKey(entry.Key)
		if err != nil {
			return err
		}
		if entry.Record != want[id] {
			k.miscounted("volume %d has %+v live, its record says %+v", id, want[id], entry.Record)
		}
		delete(want, id)
	}
	for id, v := range want {
		k.miscounted("volume %d has %+v live, and no record", id, v)
	}
	totals, err := totalsOf(k.r)
	if err == nil && totals != k.totals {
		k.miscounted("the totals are %+v, the record says %+v", k.totals, totals)
	}
	return err
}
