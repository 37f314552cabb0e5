package engine_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"

	"github.com/gabion-storage/gabion/crypto"
	"github.com/gabion-storage/gabion/engine"
)

// A teller writes down what a store says, in lines that stay the same as long as the store does.
type teller struct {
	dir  string
	e    *engine.Engine
	text strings.Builder

	mu     sync.Mutex
	alarms []string
}

// tellStore opens a store, has it say everything that it says, and closes it.
func tellStore(ctx context.Context, dir string, o *engine.Options) string {
	s := &teller{dir: dir}
	o.Events = &engine.Events{Alarm: func(err error) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.alarms = append(s.alarms, err.Error())
	}}
	var err error
	s.e, err = engine.Open(ctx, dir, o)
	s.say("Open: %s", s.outcome(err))
	if err == nil {
		s.buckets(ctx)
		s.check(ctx, false)
		s.check(ctx, true)
		_, err = s.e.Reclaim(ctx, nil)
		s.say("Reclaim: %s", s.outcome(err))
		s.stats(ctx)
		s.say("Close: %s", s.outcome(s.e.Close()))
	}
	slices.Sort(s.alarms)
	for _, alarm := range slices.Compact(s.alarms) {
		s.say("alarm: %s", alarm)
	}
	return s.text.String()
}

// say writes a line, in which the store's directory has no name.
func (s *teller) say(format string, args ...any) {
	line := fmt.Sprintf(format, args...)
	fmt.Fprintln(&s.text, strings.ReplaceAll(line, s.dir, "$STORE"))
}

// outcome says what became of a call: which of the errors that a caller tells apart it is, and its
// words.
func (s *teller) outcome(err error) string {
	if err == nil {
		return "done"
	}
	kind := "error"
	if _, ok := errors.AsType[*engine.CorruptionError](err); ok {
		kind = "corruption"
	}
	if _, ok := errors.AsType[*engine.FormatError](err); ok {
		kind = "newer format"
	}
	return kind + ": " + err.Error()
}

func (s *teller) buckets(ctx context.Context) {
	list, err := s.e.ListBuckets(ctx, nil)
	if err != nil {
		s.say("ListBuckets: %s", s.outcome(err))
		return
	}
	for _, b := range list.Buckets {
		s.say("bucket %s: %s, scope %s, created %s", b.Name, b.Rules, b.DedupScope, b.Created.Format("15:04:05"))
		for obj, err := range s.e.Objects(ctx, &engine.ListObjectsRequest{Bucket: b.Name}) {
			if err != nil {
				s.say("  ListObjects: %s", s.outcome(err))
				break
			}
			s.object(ctx, b.Name, obj.Key)
		}
		for up, err := range s.e.Uploads(ctx, &engine.ListMultipartUploadsRequest{Bucket: b.Name}) {
			if err != nil {
				s.say("  ListMultipartUploads: %s", s.outcome(err))
				break
			}
			s.upload(ctx, b.Name, &up)
		}
	}
}

// customerOf is the key that content with this encryption is to be read with.
func customerOf(enc engine.Encryption) crypto.CustomerKey {
	if enc.SSECustomerAlgorithm == "" {
		return nil
	}
	return goldenCustomer
}

func encryptionText(enc engine.Encryption) string {
	switch {
	case enc.SSECustomerAlgorithm != "":
		return "under a client's key"
	case enc.ServerSideEncryption != "":
		return strings.TrimSpace(string(enc.ServerSideEncryption) + " " + enc.ServerSideEncryptionKeyID)
	}
	return "plain"
}

func checksumText(c engine.Checksum) string {
	return strings.Trim(fmt.Sprint(c.Algorithm, " ", c.Type, " ", c.Value), " ")
}

func (s *teller) object(ctx context.Context, bucket, key string) {
	req := engine.HeadObjectRequest{Bucket: bucket, Key: key}
	info, err := s.e.HeadObject(ctx, &req)
	if errors.Is(err, engine.ErrInvalidRequest) { // it is under a client's key
		req.SSECustomerKey = goldenCustomer
		info, err = s.e.HeadObject(ctx, &req)
	}
	if err != nil {
		s.say("  object %s: %s", key, s.outcome(err))
		return
	}
	s.say("  object %s: %d bytes, %s of %d parts, %s, %s", key, info.Size, info.Type, info.Parts, encryptionText(info.Encryption),
		info.LastModified.Format("15:04:05"))
	s.say("    ETag %s, MD5 %q, CRC-64 %016x, checksum %q", info.ETag, info.ContentMD5, info.CRC64, checksumText(info.Checksum))
	s.say("    %q %q %q %q %q %q %v %v", info.ContentType, info.CacheControl, info.ContentDisposition, info.ContentEncoding, info.Expires,
		info.StorageClass, info.Metadata, info.Tags)
	obj, err := s.e.GetObject(ctx, &engine.GetObjectRequest{Bucket: bucket, Key: key, SSECustomerKey: customerOf(info.Encryption)})
	if err != nil {
		s.say("    GetObject: %s", s.outcome(err))
		return
	}
	sum := sha256.New()
	n, err := io.Copy(sum, obj)
	err = errors.Join(err, obj.Close())
	s.say("    read %d bytes, SHA-256 %x: %s", n, sum.Sum(nil), s.outcome(err))
}

func (s *teller) upload(ctx context.Context, bucket string, up *engine.MultipartUpload) {
	s.say("  upload of %s: %s, sequential %t, %s, checksum %q", up.Key, up.UploadID, up.Sequential, encryptionText(up.Encryption), checksumText(up.Checksum))
	for part, err := range s.e.Parts(ctx, &engine.ListPartsRequest{Bucket: bucket, Key: up.Key, UploadID: up.UploadID}) {
		if err != nil {
			s.say("    ListParts: %s", s.outcome(err))
			break
		}
		s.say("    part %d: %d bytes, ETag %s, CRC-64 %016x, checksum %q, %s", part.PartNumber, part.Size, part.ETag, part.CRC64,
			checksumText(part.Checksum), part.LastModified.Format("15:04:05"))
	}
}

func (s *teller) check(ctx context.Context, data bool) {
	res, err := s.e.Check(ctx, &engine.CheckRequest{Data: data})
	if err != nil {
		s.say("Check of data %t: %s", data, s.outcome(err))
		return
	}
	s.say("Check of data %t: %d objects, %d uploads, %d parts, %d chunks, %d bytes; %d parts not opened: %d problems", data,
		res.Objects, res.Uploads, res.Parts, res.Chunks, res.Bytes, res.Unopened, len(res.Problems))
	var problems []string
	for _, p := range res.Problems {
		problems = append(problems, p.String())
	}
	slices.Sort(problems)
	for _, p := range problems {
		s.say("  %s", p)
	}
}

func (s *teller) stats(ctx context.Context) {
	res, err := s.e.Stats(ctx, nil)
	if err != nil {
		s.say("Stats: %s", s.outcome(err))
		return
	}
	s.say("Stats: %d objects, %d uploads, %d parts, %d chunks, %d references, %d damaged, %d bytes, %d stored, %d in the index, %d parts in the trash",
		res.Objects, res.Uploads, res.Parts, res.Chunks, res.References, res.DamagedChunks, res.LogicalBytes, res.StoredBytes,
		res.InlineBytes, res.TrashParts)
}
