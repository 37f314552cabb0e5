package engine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gabion-storage/gabion/crypto"
	"github.com/gabion-storage/gabion/index"
)

// Defaults of UploadRequest, for fields that are zero, and its limits.
const (
	DefaultPartSize = 8 << 20 // bytes
	DefaultParallel = 4
	MaxParallel     = 64
)

// abortTimeout bounds the clean-up after a failure, which goes on when the caller's context has
// ended.
const abortTimeout = 30 * time.Second

// UploadRequest describes an object to upload in parts.
type UploadRequest struct {
	Bucket string
	Key    string // as in InitiateMultipartUploadRequest

	// Body becomes the object; a nil Body is an empty one. If it is an io.ReaderAt and Size is
	// given, sections of it are read side by side, from offset 0 on, whatever its Read position. (A
	// file that cannot do that, such as a pipe, must be wrapped so that only Read shows.) Any other
	// Body is read once and in order. Either is read to one byte over Size. It is read from
	// goroutines of the engine's; when Upload has returned with an error, one last Read, or one
	// ReadAt for each part under way, may still be going on.
	Body io.Reader

	// Size is the length of Body in bytes, at most 10000 times 5 GiB; 0 means that it is not known,
	// EmptyBody that there is none.
	Size int64

	// PartSize is the size in bytes of the parts but the last, at most 5 GiB and at least what the
	// bucket's rules demand; 8 MiB by default. Parts become larger where 10000 of them would not be
	// enough: all of them if Size is known. If it is not, their size doubles after each 1000 parts,
	// up to 5 GiB; unless that bound is reached, the body may have 1023000 times PartSize, 7.8 TiB
	// by default.
	PartSize int64

	Parallel int // parts under way at once, at most 64; 4 by default, and 1 if Sequential

	// Progress is called with the bytes taken in so far, now and then, from the caller's goroutine.
	// The number never falls, and is the whole size before Upload completes the object.
	Progress func(done int64)

	// UploadID resumes an upload instead of initiating one. What Initiate was told about the object
	// stays; what this request says of it is ignored.
	UploadID string

	// KeepParts leaves the upload open when Upload fails, to be resumed under Error.UploadID,
	// instead of aborting it. One that was resumed stays open in any case.
	KeepParts bool

	// As in InitiateMultipartUploadRequest. An upload that is resumed needs SSECustomerKey again;
	// Checksum may be left out, and must fit it. Parts of a sequential one go one after another.
	// Checksum.Value, or what its Trailer gives, must be that of the object, as in
	// CompleteMultipartUploadRequest.
	Attributes
	EncryptionRequest
	Sequential bool
	Checksum   Checksum

	Preconditions
}

// Upload stores a body of any size as an object: it initiates an upload, uploads the parts, several
// at once, and completes it. When it returns without error the object is durable. An empty body
// becomes one empty part. It takes memory for the parts under way, within Options.MemoryBudget.
//
// When it fails, it stops the other parts, waits for them and aborts the upload that it has begun,
// unless KeepParts is set. It does so even if ctx has ended, the engine is being closed, or Progress
// has panicked. If the abort fails as well, its error is in the cause, and the upload stays open
// until it is aborted or expires. The error's PartNumber is the part that failed first.
//
// With UploadID it resumes an upload. PartSize should be what it was; 0 means the size of part 1,
// if that is there. If the parts of Body can be read side by side, each part that the upload has in
// the right size is compared by MD5, and uploaded only if it differs. Any other Body is uploaded
// all over again: chunks that are stored are found and not stored twice (except in a bucket with
// DedupNone, where they take space twice until the parts that they replace are reclaimed), but a
// sequential upload that has parts fails with ErrPartAlreadyExist. The object has the parts of this
// Body only; others that the upload had are given up.
//
// When a resumed upload fails it stays open, with the parts that it had and those uploaded since:
// they are worth another try. Who does not want one calls AbortMultipartUpload. What each part would
// be refused for is found out before Body is read, such as a wrong SSECustomerKey, or a Checksum
// that no object of the upload can have.
//
// It fails with ErrInvalidArgument when a field is out of its range or the body is longer than
// Size, ErrIncompleteBody when it is shorter or fails, ErrEntityTooLarge when it does not fit in
// 10000 parts, ErrInvalidRequest when Checksum does not fit the upload, and otherwise as
// InitiateMultipartUpload, UploadPart, ListParts and CompleteMultipartUpload do.
func (e *Engine) Upload(
	ctx context.Context, req *UploadRequest,
) (_ *CompleteMultipartUploadResult, err error) {
	req = orEmpty(req)
	c, err := e.begin(
		ctx, call{op: "Upload", bucket: req.Bucket, key: req.Key, uploadID: req.UploadID},
	)
	defer c.end(&err)
	if err != nil {
		return nil, err
	}
	c.pass() // its parts are calls of their own
	if err := req.check(); err != nil {
		return nil, err
	}
	u := &managedUpload{
		engine: e, req: req, done: map[int]CompletedPart{}, moved: make(chan struct{}, 1), reported: -1,
	}
	if err := u.open(ctx); err != nil {
		return nil, err
	}
	c.uploadID = u.id
	return u.run(ctx)
}

// check validates what needs no look at the store.
func (req *UploadRequest) check() error {
	if err := checkNames(req.Bucket, req.Key); err != nil {
		return err
	}
	switch {
	case req.Size < 0 && req.Size != EmptyBody:
		return ErrInvalidArgument.saying("Size is %d, must not be negative.", req.Size).
			about("Size", req.Size)
	case req.Parallel < 0 || req.Parallel > MaxParallel:
		return ErrInvalidArgument.saying(
			"Parallel is %d, must be 0 to %d.", req.Parallel, MaxParallel,
		).about("Parallel", req.Parallel)
	}
	if req.UploadID == "" {
		begun, err := checksumOfUpload(req.initiation().Checksum)
		if err == nil {
			err = req.checkChecksum(&begun)
		}
		if err != nil {
			return err
		}
	}
	return req.Preconditions.validate()
}

// checkChecksum refuses a Checksum that no object of an upload with this one can have, or that
// cannot be one at all.
func (req *UploadRequest) checkChecksum(begun *index.Checksum) error {
	asked := req.Checksum
	if asked.Trailer != nil && asked.Value != "" {
		return ErrInvalidRequest.saying("Checksum.Value and Trailer exclude each other.")
	}
	if err := checkAsked(asked, checksumOf(begun)); err != nil || asked.Value == "" {
		return err
	}
	value := asked.Value
	if begun.Type == string(ChecksumComposite) {
		value, _, _ = strings.Cut(value, "-") // the number of parts
	}
	_, err := parseChecksum(crypto.ChecksumAlgorithm(begun.Algorithm), value)
	return err
}

// initiation is the request that begins the upload.
func (req *UploadRequest) initiation() *InitiateMultipartUploadRequest {
	return &InitiateMultipartUploadRequest{
		Bucket: req.Bucket, Key: req.Key,
		Attributes: req.Attributes, EncryptionRequest: req.EncryptionRequest,
		Checksum:        Checksum{Algorithm: req.Checksum.Algorithm, Type: req.Checksum.Type},
		Sequential:      req.Sequential,
		ForbidOverwrite: req.ForbidOverwrite,
	}
}

// part is the request that uploads one part.
func (req *UploadRequest) part(
	id string, p *bodyPart, progress func(done int64),
) *UploadPartRequest {
	size := p.size
	if req.Size == EmptyBody {
		size = EmptyBody
	}
	return &UploadPartRequest{
		Bucket: req.Bucket, Key: req.Key, UploadID: id,
		PartNumber: p.number, Body: p.body, Size: size, Progress: progress,
		SSECustomerKey: req.SSECustomerKey,
	}
}

// completion is the request that makes the object.
func (req *UploadRequest) completion(
	id string, parts []CompletedPart,
) *CompleteMultipartUploadRequest {
	return &CompleteMultipartUploadRequest{
		Bucket: req.Bucket, Key: req.Key, UploadID: id, Parts: parts, Checksum: req.Checksum,
		SSECustomerKey: req.SSECustomerKey, Preconditions: req.Preconditions,
	}
}

// A managedUpload is an Upload under way.
type managedUpload struct {
	engine *Engine
	req    *UploadRequest
	id     string
	plan   partPlan
	source partSource
	begun  *openUpload  // the upload that is resumed, or nil
	there  map[int]Part // of that

	mu     sync.Mutex            // guards done and stored
	done   map[int]CompletedPart // the parts that are done, by number
	stored int64                 // bytes of those parts

	taken    atomic.Int64  // bytes
	moved    chan struct{} // holds a token when taken has grown
	reported int64         // what Progress was told last; of the caller's goroutine
}

// open judges the request and finds or begins the upload. The body is not read yet.
func (u *managedUpload) open(ctx context.Context) error {
	e, req := u.engine, u.req
	r, err := e.fetchObject(ctx, req.Bucket, req.Key)
	if err != nil {
		return err
	}
	bucket, err := openBucketFor(r, req.Bucket, req.Key)
	if err != nil {
		return err
	}
	when := overwriting{req.Bucket, req.Key, req.Preconditions}
	if err := when.check(r); err != nil {
		return err
	}
	if req.UploadID != "" {
		if err := u.resume(ctx); err != nil {
			return err
		}
	}
	wanted := req.PartSize
	if first := u.there[1].Size; wanted == 0 && first >= bucket.rules.minPartSize {
		wanted = first
	}
	u.plan, err = planParts(
		max(req.Size, 0), wanted, bucket.rules.minPartSize, int64(e.opts.ChunkSize),
	)
	if err != nil {
		return err
	}
	if u.id = req.UploadID; u.id == "" {
		up, err := e.InitiateMultipartUpload(ctx, req.initiation())
		if err != nil {
			return err
		}
		u.id = up.UploadID
	}
	if at, ok := req.Body.(io.ReaderAt); ok && req.Size > 0 {
		u.source = &sections{body: at, plan: u.plan}
		return nil
	}
	body := req.Body
	if body == nil {
		body = strings.NewReader("")
	}
	u.source = newStream(body, u.plan)
	return u.checkSendAll()
}

// resume finds the upload that goes on, and its parts. It refuses what each part, or at last the
// object, would be refused for.
func (u *managedUpload) resume(ctx context.Context) (err error) {
	e, req := u.engine, u.req
	if u.begun, err = e.lookUpload(ctx, req.Bucket, req.Key, req.UploadID); err != nil {
		return ecForUpload(err, ecListParts)
	}
	if err := req.checkChecksum(&u.begun.Checksum); err != nil {
		return err
	}
	at := partPlace{bucket: req.Bucket, key: req.Key, uploadID: req.UploadID}
	if _, err := e.cipherOfUpload(ctx, at, u.begun, req.SSECustomerKey); err != nil {
		return err
	}
	return u.list(ctx)
}

// checkSendAll refuses to resume an upload by sending all its parts again where none would be
// taken. Where parts are compared, it may be that none has to be sent.
func (u *managedUpload) checkSendAll() error {
	switch {
	case u.begun == nil:
		return nil
	case u.begun.Sequential && len(u.there) > 0:
		return ErrPartAlreadyExist
	}
	return u.engine.room()
}

// list finds out which parts a resumed upload has.
func (u *managedUpload) list(ctx context.Context) error {
	u.there = map[int]Part{}
	req := &ListPartsRequest{Bucket: u.req.Bucket, Key: u.req.Key, UploadID: u.req.UploadID}
	for p, err := range u.engine.Parts(ctx, req) {
		if err != nil {
			return err
		}
		u.there[p.PartNumber] = p
	}
	return nil
}

// run uploads the parts and completes the upload, or gives it up.
func (u *managedUpload) run(ctx context.Context) (res *CompleteMultipartUploadResult, err error) {
	defer func() {
		if res == nil { // an error, or a panic of the caller's progress function
			err = u.giveUp(ctx, err)
		}
	}()
	if err := u.sendAll(ctx); err != nil {
		return nil, err
	}
	// What is missing of a body whose size was not known is not missed.
	if err := checkSize(u.stored, u.req.Size, maxObjectSize); err != nil {
		return nil, err
	}
	u.report()
	parts := make([]CompletedPart, len(u.done))
	for i := range parts {
		parts[i] = u.done[i+1]
	}
	done := u.req.completion(u.id, parts)
	if done.Checksum.Trailer != nil {
		value, err := askTrailer(done.Checksum.Trailer)
		if err != nil {
			return nil, err
		}
		done.Checksum.Value, done.Checksum.Trailer = value, nil
	}
	return u.engine.CompleteMultipartUpload(ctx, done)
}

// parallel is how many parts may be under way at once.
func (u *managedUpload) parallel() int {
	switch {
	case u.req.Sequential || u.begun != nil && u.begun.Sequential:
		return 1
	case u.req.Parallel == 0:
		return DefaultParallel
	}
	return u.req.Parallel
}

// errAbandoned stops the parts under way of an upload that goes no further.
var errAbandoned = errors.New("engine: the upload was abandoned")

// sendAll uploads the parts, several at once. The first error stops the others and is returned.
// When it returns, no part is under way.
func (u *managedUpload) sendAll(caller context.Context) error {
	ctx, cancel := context.WithCancelCause(caller)
	var workers sync.WaitGroup
	defer func() {
		cancel(errAbandoned)
		workers.Wait()
	}()
	for range min(u.parallel(), u.plan.parts()) {
		workers.Go(func() {
			if err := u.work(ctx); err != nil {
				cancel(err)
			}
		})
	}
	done := make(chan struct{})
	go func() {
		workers.Wait()
		close(done)
	}()
	for {
		select {
		case <-u.moved:
			u.report()
		case <-done:
			return ended(caller, context.Cause(ctx))
		}
	}
}

// work uploads one part after the other until there is none left.
func (u *managedUpload) work(ctx context.Context) error {
	for {
		p, err := u.source.next(ctx)
		if p == nil || err != nil {
			return err
		}
		if err := u.send(ctx, p); err != nil {
			return err
		}
	}
}

// send uploads one part, unless it is there.
func (u *managedUpload) send(ctx context.Context, p *bodyPart) error {
	if section, ok := p.body.(*io.SectionReader); ok {
		old, same, err := u.compare(ctx, p.number, section, p.size)
		if err != nil {
			return err
		}
		if same {
			u.took(p.size)
			u.keep(
				CompletedPart{
					PartNumber: p.number, ETag: old.ETag, Checksum: old.Checksum.Value,
				},
				old.Size,
			)
			return nil
		}
	}
	told := int64(0)
	res, err := u.engine.UploadPart(ctx, u.req.part(u.id, p, func(done int64) {
		u.took(done - told)
		told = done
	}))
	if err != nil {
		return err
	}
	u.keep(CompletedPart{PartNumber: p.number, ETag: res.ETag, Checksum: res.Checksum.Value}, res.Size)
	return nil
}

// compare tells whether the section is there as this part. It leaves the section at its start.
func (u *managedUpload) compare(
	ctx context.Context, number int, section *io.SectionReader, size int64,
) (old Part, same bool, err error) {
	old, ok := u.there[number]
	if !ok || old.Size != size {
		return old, false, nil
	}
	body := newIncoming(io.LimitReader(section, size+1), 0, nil)
	sum, n, err := u.engine.intake.MD5(ctx, body.Body)
	if err != nil {
		err = bodyError(err, body.tooLarge)
		(&call{part: number, ctx: ctx}).wrap(&err)
		return old, false, err
	}
	_, err = section.Seek(0, io.SeekStart)
	return old, n == size && ruleSets[OSS].etag(sum) == normalETag(old.ETag), err
}

// keep remembers a part that is done.
func (u *managedUpload) keep(p CompletedPart, size int64) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.done[p.PartNumber] = p
	u.stored += size
}

// took counts bytes for Progress. It does not wait for that: a slow Progress hears of several at
// once.
func (u *managedUpload) took(n int64) {
	u.taken.Add(n)
	select {
	case u.moved <- struct{}{}:
	default:
	}
}

// report calls Progress. It runs on the caller's goroutine, whose panics are the caller's.
func (u *managedUpload) report() {
	done := u.taken.Load()
	if u.req.Progress == nil || done <= u.reported {
		return
	}
	u.reported = done
	u.req.Progress(done)
}

// giveUp aborts an upload that failed with err, if this call has begun it, and returns what is to
// be said of both. Close may have begun, and waits for this call, so no other is made.
func (u *managedUpload) giveUp(ctx context.Context, err error) error {
	if u.req.KeepParts || u.begun != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), abortTimeout)
	defer cancel()
	e := u.engine
	abortErr := e.index.Update(ctx, func(tx index.Tx) error {
		up, err := findRecord(tx, u.req.Bucket, u.req.Key, u.id)
		if err != nil {
			return err
		}
		_, err = e.abort(tx, u.req.Bucket, u.req.Key, up)
		return err
	})
	// Somebody may have aborted or completed it already.
	if errors.Is(abortErr, ErrNoSuchUpload) || errors.Is(abortErr, ErrNoSuchBucket) {
		return err
	}
	if abortErr != nil {
		failed := *asError(ctx, err)
		failed.Err = errors.Join(
			failed.Err, fmt.Errorf("the upload could not be aborted: %w", abortErr),
		)
		return &failed
	}
	e.worker.wake()
	return err
}
