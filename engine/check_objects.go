package engine

import (
	"bytes"
	"context"
	"crypto/md5"
	"errors"
	"fmt"
	"slices"

	"github.com/gabion-storage/gabion/crypto"
	"github.com/gabion-storage/gabion/index"
)

// objects checks every object and its content.
func (k *check) objects(ctx context.Context) error {
	err := each(
		k, index.ScanAll(k.r, index.AllObjects()), inUse,
		func(e *checkedEntry[index.Object]) { e.content = &e.Record.Content },
		func(e *checkedEntry[index.Object]) error { return k.objectEntry(ctx, e) },
	)
	k.res.Objects = k.totals.Objects
	return err
}

func (k *check) objectEntry(ctx context.Context, e *checkedEntry[index.Object]) error {
	bucket, key, keyErr := index.ParseObjectKey(e.Key)
	hit := Problem{Kind: DataLost, Bucket: bucket, Key: key}
	if e.err != nil {
		return k.undecoded(hit, e.Key, e.err)
	}
	if keyErr != nil {
		return keyErr
	}
	rec := &e.Record
	k.totals.Objects++
	k.totals.LogicalBytes += rec.Size
	proof := func(s seals) error { return s.object(bucket, key, rec) }
	open, err := k.opener(ctx, rec.Content, &rec.Encryption, proof)
	if err != nil {
		return err
	}
	if len(rec.MD5) > 0 {
		open.sumWhole(e.parts)
	}
	if err := k.content(ctx, hit, rec.Content, open, e.parts, e.hits); err != nil {
		return err
	}
	k.scopes(hit, &rec.Encryption, e.parts)
	if err := proof(open.seals); err != nil {
		hit := hit
		hit.Err = err
		k.problem(hit)
	}
	if len(e.hits) == 0 { // else nothing can follow from the parts
		return k.object(hit, rec, e.parts, open.seals)
	}
	return nil
}

// object compares an object's record with its parts.
func (k *check) object(
	hit Problem, rec *index.Object, parts []numberedPart, s seals,
) error {
	var size int64
	for i := range parts {
		size += parts[i].Size
	}
	if len(parts) != rec.Parts || size != rec.Size {
		hit.Err = fmt.Errorf(
			"its parts are %d of %d bytes, its record says %d of %d", len(parts), size, rec.Parts,
			rec.Size,
		)
		k.problem(hit)
		return nil // nothing else can follow from them
	}
	wrong, err := k.directory(rec.Content, parts, s.ofDirectory(rec))
	if err != nil {
		return err
	}
	if wrong != nil {
		hit.Err = wrong
		k.problem(hit)
	}
	hit.Kind = BadMetadata
	if crc := combinedCRC64(parts); crc != rec.CRC64 {
		hit.Err = fmt.Errorf(
			"its parts have CRC-64 %016x together, its record says %016x", crc, rec.CRC64,
		)
		k.problem(hit)
	}
	if len(rec.MD5) > 0 || rec.Type == string(ObjectNormal) && len(parts) == 1 {
		k.wholeMD5(hit, rec.Content, parts, rec.MD5)
	}
	sum, known, err := objectSum(rec, parts)
	switch {
	case err != nil:
		hit.Err = err
		k.problem(hit)
	case known && !bytes.Equal(sum, rec.Checksum.Value):
		hit.Err = fmt.Errorf(
			"its %s is %x by its parts, its record says %x", rec.Checksum.Algorithm, sum,
			rec.Checksum.Value,
		)
		k.problem(hit)
	}
	rules, ok := k.named(hit, "object")
	if !ok {
		return nil
	}
	if etag := rules.objectETag(ObjectType(rec.Type), parts); etag != rec.ETag {
		hit.Err = fmt.Errorf("its ETag is %s by its parts, its record says %s", etag, rec.ETag)
		k.problem(hit)
	}
	return nil
}

// wholeMD5 compares what a record says of the MD5 of all parts with what is known of it.
func (k *check) wholeMD5(hit Problem, id index.ContentID, parts []numberedPart, said []byte) {
	sum := k.contents[id].md5 // by reading them
	switch len(parts) {
	case 0:
		sum = new(md5.Sum(nil))
	case 1:
		sum = &parts[0].ETag
	}
	if sum != nil && !bytes.Equal(sum[:], said) {
		hit.Err = fmt.Errorf("its parts have MD5 %x together, its record says %x", *sum, said)
		k.problem(hit)
	}
}

// objectSum is the checksum that an object's record should have, as far as its parts know it: those
// of a copy may have other checksums than the copy. The error is what cannot be one of them.
func objectSum(rec *index.Object, parts []numberedPart) (sum []byte, known bool, err error) {
	c := index.Checksum{Algorithm: rec.Checksum.Algorithm, Type: rec.Checksum.Type}
	if c.Algorithm == "" {
		return nil, true, nil
	}
	of := crypto.ChecksumAlgorithm(partAlgorithm(rec))
	for _, a := range []crypto.ChecksumAlgorithm{of, crypto.ChecksumAlgorithm(c.Algorithm)} {
		if !a.Valid() {
			return nil, false, wrongChecksum("no algorithm is named %q", a)
		}
	}
	known = rec.PartAlgorithm == ""
	for i := range parts {
		if len(parts[i].Checksum) == 0 {
			known = false
		} else if err := checkSum(of, &parts[i].Part); err != nil {
			return nil, false, err
		}
	}
	full := ChecksumType(c.Type) == ChecksumFullObject
	switch {
	case !known || full && len(parts) != 1 && !of.CanCombine():
		return nil, false, nil
	case full && len(parts) == 1:
		return parts[0].Checksum, true, nil
	}
	c, err = checksumOfParts(c, parts)
	return c.Value, err == nil, err
}

// named checks the name of an object or upload, and returns the rules of its bucket, if they are
// known.
func (k *check) named(hit Problem, what string) (rules ruleSet, ok bool) {
	bucket, there := k.buckets[hit.Bucket]
	if !there {
		k.miscounted("%s %s is in bucket %s, which is not there", what, hit.Key, hit.Bucket)
	}
	if bucket == nil {
		return rules, false
	}
	if rules, ok = ruleSets[Rules(bucket.Rules)]; !ok {
		return rules, false
	}
	if err := rules.checkKey(hit.Key); err != nil {
		hit.Kind, hit.Err = BadMetadata, fmt.Errorf("its name is not allowed: %w", err)
		k.problem(hit)
	}
	return rules, true
}

// scopes checks that the chunks of parts can be found by nobody whom the scope of their bucket
// keeps from that.
func (k *check) scopes(hit Problem, enc *index.Encryption, parts []numberedPart) {
	rec := k.buckets[hit.Bucket]
	if rec == nil || enc.Algorithm != "" {
		return
	}
	b := liveBucket{generation: rec.Generation, dedup: DedupScope(rec.Dedup)}
	if b.dedup.validate() != nil {
		return // it has been told
	}
	for i := range parts {
		if p := &parts[i]; !b.admits(p.Scope) {
			hit.Kind, hit.PartNumber = BadMetadata, p.number
			hit.Err = fmt.Errorf(
				"its chunks can be found outside of the scope %q of its bucket", rec.Dedup,
			)
			k.problem(hit)
		}
	}
}

// uploads checks every open upload and its parts.
func (k *check) uploads(ctx context.Context) error {
	err := each(
		k, index.ScanAll(k.r, index.AllUploads()), inUse,
		func(e *checkedEntry[index.Upload]) {
			if _, _, id, err := index.ParseUploadKey(e.Key); err == nil {
				e.content = &id
			}
		},
		func(e *checkedEntry[index.Upload]) error { return k.upload(ctx, e) },
	)
	k.res.Uploads = k.totals.Uploads
	return err
}

func (k *check) upload(ctx context.Context, e *checkedEntry[index.Upload]) error {
	bucket, key, id, keyErr := index.ParseUploadKey(e.Key)
	hit := Problem{Kind: DataLost, Bucket: bucket, Key: key, UploadID: id.String()}
	if e.err != nil {
		return k.undecoded(hit, e.Key, e.err)
	}
	if keyErr != nil {
		return keyErr
	}
	k.totals.Uploads++
	k.named(hit, "upload of")
	if b := k.buckets[bucket]; b != nil && b.Generation != e.Record.Generation {
		k.miscounted("upload %s of %s/%s is of an earlier bucket of that name", id, bucket, key)
	}
	proof := func(s seals) error { return s.upload(bucket, key, &e.Record) }
	open, err := k.opener(ctx, id, &e.Record.Encryption, proof)
	if err != nil {
		return err
	}
	if err := proof(open.seals); err != nil {
		hit := hit
		hit.Err = err
		k.problem(hit)
	}
	if e.Record.Sequential {
		open.sumWhole(e.parts)
	}
	if err := k.content(ctx, hit, id, open, e.parts, e.hits); err != nil {
		return err
	}
	k.contents[id].upload = true
	if e.Record.Sequential && len(e.parts) > 0 && len(e.hits) == 0 {
		hit := hit
		hit.Kind = BadMetadata
		k.wholeMD5(hit, id, e.parts, e.Record.MD5)
	}
	if err := checkSums(&e.Record.Checksum, e.parts); err != nil {
		hit := hit
		hit.Kind, hit.Err = BadMetadata, err
		k.problem(hit)
	}
	k.scopes(hit, &e.Record.Encryption, e.parts)
	return nil
}

// partsOf returns the parts of a content that can be decoded, and what hits its owners by the
// others.
func (k *check) partsOf(id index.ContentID) (parts []numberedPart, hits []Problem, err error) {
	for entry, err := range index.ScanAll(k.r, index.PartsOf(id)) {
		_, number, keyErr := index.ParsePartKey(entry.Key)
		switch {
		case err != nil && len(entry.Key) == 0:
			return nil, nil, err
		case err != nil:
			k.undecodable[string(entry.Key)] = true
			hits = append(hits, Problem{PartNumber: number, Err: err})
		case keyErr != nil:
			return nil, nil, keyErr
		default:
			parts = append(parts, numberedPart{number, entry.Record})
		}
	}
	return parts, hits, nil
}

// directory compares the directory of an object's content with the parts. wrong is what is wrong
// with it.
func (k *check) directory(
	id index.ContentID, parts []numberedPart, s seals,
) (wrong, err error) {
	want := directoryOf(directoryParts(parts))
	n := 0
	for entry, err := range index.ScanAll(k.r, index.DirectoryOf(id)) {
		if err != nil && (len(entry.Key) == 0 || !isFinding(err)) {
			return nil, err
		}
		if err != nil {
			k.undecodable[string(entry.Key)] = true
			return err, nil
		}
		_, page, err := index.ParseDirectoryKey(entry.Key)
		if err != nil {
			return err, nil
		}
		if page != n || n >= len(want) || entry.Record.Start != want[n].Start ||
			!slices.Equal(entry.Record.Parts, want[n].Parts) {
			return fmt.Errorf("page %d of the directory of its parts is not of its parts", page), nil
		}
		if err := s.directory(id, page, &entry.Record); err != nil {
			return err, nil
		}
		n++
	}
	if n != len(want) {
		wrong = fmt.Errorf("the directory of its parts has %d pages, wanted are %d", n, len(want))
	}
	return wrong, nil
}

// directories looks for directories that no object has.
func (k *check) directories(context.Context) error {
	for entry, err := range index.ScanAll(k.r, index.AllDirectories()) {
		id, page, keyErr := index.ParseDirectoryKey(entry.Key)
		if err != nil {
			if err := k.undecoded(Problem{Kind: DataLost}, entry.Key, err); err != nil {
				return err
			}
		}
		if keyErr != nil {
			return keyErr
		}
		if c := k.contents[id]; c == nil || c.upload {
			k.miscounted("page %d of the directory of content %s is of no object", page, id)
		}
	}
	return nil
}

// trash counts what the queue still refers to, and what waits to get there or to be named.
func (k *check) trash(ctx context.Context) error {
	q, err := k.queue("trash", index.TrashQueue().Ends)
	if err != nil {
		return err
	}
	for _, rg := range []index.Range[index.Trash]{index.TrashQueue().All(), index.AllWaiting()} {
		err := each(
			k, index.ScanAll(k.r, rg), discarded, ofTrash,
			func(e *checkedEntry[index.Trash]) error {
				if n, err := index.TrashQueue().ParseKey(e.Key); err == nil {
					q.has(n)
				}
				if e.err != nil {
					return k.undecoded(Problem{Kind: BadAccounting}, e.Key, e.err)
				}
				return errors.Join(k.trashed(e), ctx.Err())
			},
		)
		if err != nil {
			return err
		}
	}
	q.end()
	return nil
}

// ofTrash says what an entry of the trash refers to.
func ofTrash(e *checkedEntry[index.Trash]) {
	if e.Record.Kind == index.TrashContent {
		e.content = (*index.ContentID)(&e.Record.ID)
	} else {
		e.manifest = (*index.ManifestID)(&e.Record.ID)
	}
}

func (k *check) trashed(e *checkedEntry[index.Trash]) error {
	k.totals.TrashParts += e.Record.Parts
	k.totals.TrashBytes += e.Record.Bytes
	if e.content != nil {
		return k.trashContent(e)
	}
	return k.trashManifest(*e.manifest)
}
