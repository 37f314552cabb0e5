package engine

import (
	"encoding/binary"
	"fmt"
	"maps"
	"math"
	"slices"
	"time"

	"github.com/gabion-storage/gabion/crypto"
	"github.com/gabion-storage/gabion/index"
)

// A seal of a chunk says what the chunk is; the MACs of records say where it belongs. The records
// of encrypted content carry one each, under the data key of the content: a page says which chunks
// follow each other, a part which manifest it has, a directory which parts, an object which
// content, and an upload what was said when it began. So who writes the disk without the key can
// destroy, but not exchange, reorder or drop.
//
// What is authenticated is a message of its own, not the record as the index encodes it, so that
// another program can make it and the encoding may change. A message begins with its label. Numbers
// are big endian of 1, 2, 4 or 8 bytes (be8 to be64); a text is its length (be32) and its bytes; a
// time is its unix nanoseconds (be64), of which the smallest number stands for no time; a map is
// the count of its entries (be32), then their names and values as texts in ascending order of
// names; a yes is 1, a no is 0 (be8).
//
//	"gabion/v1 page\x00"       manifest 16, page be32, start be64, count be32, of each chunk: id 32, size be32, CRC-64 be64
//	"gabion/v1 inline\x00"     manifest 16, id 32, size be32, CRC-64 be64
//	"gabion/v1 part\x00"       number be16, MD5 16, size be64, CRC-64 be64, modified (time), manifest 16, chunks be32,
//	                           inline be8, checksum (text), kind of scope be8, id of scope 16
//	"gabion/v1 directory\x00"  page be32, start be64, count be32, of each part: number be16, size be64, manifest 16
//	"gabion/v1 object\x00"     bucket, key (texts), content 16, type, ETag (texts), size be64, CRC-64 be64, parts be32,
//	                           modified (time), attributes, encryption, checksum, its value, MD5 (texts)
//	"gabion/v1 upload\x00"     bucket, key (texts), attributes, encryption, checksum
//
//	"gabion/v2 object\x00"     as v1, then: extension, algorithm of the checksums of the parts (text)
//	"gabion/v2 upload\x00"     as v1, then: extension
//
//	attributes                 Content-Type, Cache-Control, Content-Disposition, Content-Encoding, Expires,
//	                           storage class (texts), metadata, tags (maps)
//	encryption                 algorithm, key id (texts), under a client's key (be8)
//	checksum                   algorithm, type (texts)
//	extension                  Content-Language, website redirect (texts), annotations (map)
//
// Of an object or upload the message is that of v2 if anything that v1 does not cover is not empty,
// and else that of v1. So the record alone says which it is, and who takes the one for the other
// changes what the MAC is of.
//
// The CRC-64 of a chunk of encrypted content is 0: see draft.entry.
//
// The data key is of one content alone, so the id of the content is not in what belongs to it:
// Complete may move parts to another. Neither is what RotateKeys changes, the wrapped data key and
// the id of what it is wrapped under.
//
// A store may have a key of its own, see Options.AuthenticateRecords. It makes the MACs that no
// data key makes: of content without encryption, and of what is done without the client's key. It
// is of all contents, so the messages of a part, a directory and an upload have the id of the
// content (16) behind them then. Pages and inline contents have not: what they belong to is the
// manifest, which nothing else has.

// seals makes and verifies the MACs of the records of one content. The zero value is for content
// without encryption in a store without a key, whose records have none.
type seals struct {
	auth    *crypto.Authenticator // under the data key, or store; nil for records that have no MACs
	store   *crypto.Authenticator // under the key of the store; nil if it has none
	content index.ContentID
	unknown bool // the data key is not there: nothing under it can be verified
}

// sealsOf returns the seals of a content. cipher is nil without encryption.
func (e *Engine) sealsOf(id index.ContentID, cipher *crypto.Cipher) seals {
	s := seals{auth: e.records, store: e.records, content: id}
	if cipher != nil {
		s.auth = cipher.Authenticator()
	}
	return s
}

// sealsWithoutKey returns the seals of an encrypted content whose data key is not there.
func (e *Engine) sealsWithoutKey(id index.ContentID) seals {
	return seals{store: e.records, content: id, unknown: true}
}

// ofStore returns what stands in for a client that does not give its key.
func (s seals) ofStore() seals {
	return seals{auth: s.store, store: s.store, content: s.content, unknown: s.store == nil}
}

// underStore says whether the MACs are under the key of the store.
func (s seals) underStore() bool { return s.auth != nil && s.auth == s.store }

// placed ends the message of a record that belongs to the content.
func (s seals) placed(message []byte) []byte {
	if s.underStore() {
		message = append(message, s.content[:]...)
	}
	return message
}

// of returns the MAC of a message, none without encryption. The message is only made when it is
// needed, in a buffer that is used again.
func (s seals) of(message func(buf []byte) []byte) []byte {
	if s.auth == nil {
		return nil
	}
	return s.auth.MAC(message)
}

// none says whether a record has no MAC and needs none. It spares reads of plain content what verify
// takes to say so.
func (s seals) none(mac []byte) bool { return s.auth == nil && !s.unknown && len(mac) == 0 }

// verify compares a record's MAC. A MAC where there is to be none has lost its key, which is no
// better than a wrong one.
func (s seals) verify(mac []byte, message func(buf []byte) []byte, what string, args ...any) error {
	var err error
	switch {
	case s.unknown:
	case s.auth != nil:
		err = s.auth.Verify(message, mac)
	case len(mac) > 0:
		err = crypto.ErrAuthentication
	}
	if err != nil {
		err = &CorruptionError{
			What: "the record of " + fmt.Sprintf(what, args...), Where: "index", Err: err,
		}
	}
	return err
}

// Page verifies a page of a manifest.
func (s seals) Page(id index.ManifestID, n int, rec *index.Page) error {
	if s.none(rec.MAC) {
		return nil
	}
	return s.verify(
		rec.MAC, func(buf []byte) []byte { return pageMessage(buf, id, n, rec) },
		"page %d of manifest %s", n, id,
	)
}

// Inline verifies a content that the index has itself.
func (s seals) Inline(id index.ManifestID, rec *index.Inline) error {
	if s.none(rec.MAC) {
		return nil
	}
	return s.verify(
		rec.MAC, func(buf []byte) []byte { return inlineMessage(buf, id, rec) },
		"the content of manifest %s", id,
	)
}

// part verifies a part.
func (s seals) part(number int, rec *index.Part) error {
	if s.none(rec.MAC) {
		return nil
	}
	return s.verify(
		rec.MAC, func(buf []byte) []byte { return s.placed(partMessage(buf, number, rec)) },
		"part %d, manifest %s", number, rec.Manifest,
	)
}

// directory verifies a page of a directory.
func (s seals) directory(id index.ContentID, n int, rec *index.Directory) error {
	return s.verify(
		rec.MAC, func(buf []byte) []byte { return s.placed(directoryMessage(buf, n, rec)) },
		"page %d of the directory of content %s", n, id,
	)
}

// upload verifies what an open upload says.
func (s seals) upload(bucket, key string, rec *index.Upload) error {
	return s.verify(
		rec.MAC, func(buf []byte) []byte { return s.placed(uploadMessage(buf, bucket, key, rec)) },
		"the upload of %s/%s", bucket, key,
	)
}

// object verifies an object. One that was completed without the client's key has the MAC of its
// upload, of what the client said; which parts were chosen is under the store's key, if there is
// one.
func (s seals) object(bucket, key string, rec *index.Object) error {
	if completedWithoutKey(rec) {
		up := index.Upload{
			Attributes: rec.Attributes, Encryption: rec.Encryption, Checksum: rec.Checksum,
		}
		message := func(buf []byte) []byte { return uploadMessage(buf, bucket, key, &up) }
		if err := s.verify(rec.UploadMAC, message, "object %s/%s", bucket, key); err != nil {
			return err
		}
		s = s.ofStore()
	}
	if s.none(rec.MAC) {
		return nil
	}
	return s.verify(
		rec.MAC, func(buf []byte) []byte { return objectMessage(buf, bucket, key, rec) },
		"object %s/%s", bucket, key,
	)
}

// signChanged gives an object whose attributes have changed its MACs, under the key that it has been
// verified with.
func (s seals) signChanged(bucket, key string, rec *index.Object) {
	if completedWithoutKey(rec) {
		up := index.Upload{
			Attributes: rec.Attributes, Encryption: rec.Encryption, Checksum: rec.Checksum,
		}
		rec.UploadMAC = s.of(func(buf []byte) []byte { return uploadMessage(buf, bucket, key, &up) })
	}
	s.signObject(bucket, key, rec)
}

func completedWithoutKey(rec *index.Object) bool {
	return rec.Encryption.Customer && len(rec.UploadMAC) > 0
}

// ofDirectory returns the seals of the directory of an object.
func (s seals) ofDirectory(rec *index.Object) seals {
	if completedWithoutKey(rec) {
		return s.ofStore()
	}
	return s
}

// signUpload gives an upload its MAC, when what a client said of it is final.
func (s seals) signUpload(bucket, key string, rec *index.Upload) {
	rec.MAC = s.of(
		func(buf []byte) []byte { return s.placed(uploadMessage(buf, bucket, key, rec)) },
	)
}

// signPage gives a page of a manifest its MAC, when everything else in it is final.
func (s seals) signPage(id index.ManifestID, n int, rec *index.Page) {
	rec.MAC = s.of(func(buf []byte) []byte { return pageMessage(buf, id, n, rec) })
}

// signInline gives a content that the index has itself its MAC.
func (s seals) signInline(id index.ManifestID, rec *index.Inline) {
	rec.MAC = s.of(func(buf []byte) []byte { return inlineMessage(buf, id, rec) })
}

// signPart gives a part its MAC, when everything else in it is final.
func (s seals) signPart(number int, rec *index.Part) {
	rec.MAC = s.of(func(buf []byte) []byte { return s.placed(partMessage(buf, number, rec)) })
}

// signMoved gives parts that move to the content their MACs. A MAC under the data key, which moves
// with them, stays.
func (s seals) signMoved(parts []numberedPart) {
	if !s.underStore() {
		return
	}
	for i := range parts {
		s.signPart(parts[i].number, &parts[i].Part)
	}
}

// signDirectory gives a page of a directory its MAC, when everything else in it is final.
func (s seals) signDirectory(n int, rec *index.Directory) {
	rec.MAC = s.of(func(buf []byte) []byte { return s.placed(directoryMessage(buf, n, rec)) })
}

// signObject gives an object its MAC, when everything else in it is final.
func (s seals) signObject(bucket, key string, rec *index.Object) {
	if completedWithoutKey(rec) {
		s = s.ofStore()
	}
	rec.MAC = s.of(func(buf []byte) []byte { return objectMessage(buf, bucket, key, rec) })
}

func pageMessage(buf []byte, id index.ManifestID, n int, rec *index.Page) []byte {
	m := message(buf)
	m.label("page")
	m.bytes(id[:])
	m.be32(n)
	m.be64(rec.Start)
	m.be32(len(rec.Chunks))
	for i := range rec.Chunks {
		m.bytes(rec.Chunks[i].ID[:])
		m.be32(int(rec.Chunks[i].Size))
		m.be64(int64(rec.Chunks[i].CRC64))
	}
	return m
}

func inlineMessage(buf []byte, id index.ManifestID, rec *index.Inline) []byte {
	m := message(buf)
	m.label("inline")
	m.bytes(id[:])
	m.bytes(rec.ID[:])
	m.be32(int(rec.Size))
	m.be64(int64(rec.CRC64))
	return m
}

func partMessage(buf []byte, number int, rec *index.Part) []byte {
	m := message(buf)
	m.label("part")
	m.be16(number)
	m.bytes(rec.ETag[:])
	m.be64(rec.Size)
	m.be64(int64(rec.CRC64))
	m.time(rec.Modified)
	m.bytes(rec.Manifest[:])
	m.be32(rec.Chunks)
	m.bool(rec.Inline)
	m.text(string(rec.Checksum))
	m.bytes([]byte{byte(rec.Scope.Kind)})
	m.bytes(rec.Scope.ID[:])
	return m
}

func directoryMessage(buf []byte, n int, rec *index.Directory) []byte {
	m := message(buf)
	m.label("directory")
	m.be32(n)
	m.be64(rec.Start)
	m.be32(len(rec.Parts))
	for i := range rec.Parts {
		p := &rec.Parts[i]
		m.be16(int(p.Number))
		m.be64(p.Size)
		m.bytes(p.Manifest[:])
	}
	return m
}

func objectMessage(buf []byte, bucket, key string, rec *index.Object) []byte {
	m := message(buf)
	extended := isExtended(&rec.Attributes) || rec.PartAlgorithm != ""
	m.versioned("object", extended)
	m.text(bucket)
	m.text(key)
	m.bytes(rec.Content[:])
	m.text(rec.Type)
	m.text(rec.ETag)
	m.be64(rec.Size)
	m.be64(int64(rec.CRC64))
	m.be32(rec.Parts)
	m.time(rec.Modified)
	m.attributes(&rec.Attributes)
	m.encryption(&rec.Encryption)
	m.checksum(&rec.Checksum)
	m.text(string(rec.Checksum.Value))
	m.text(string(rec.MD5))
	if extended {
		m.extension(&rec.Attributes)
		m.text(rec.PartAlgorithm)
	}
	return m
}

func uploadMessage(buf []byte, bucket, key string, rec *index.Upload) []byte {
	m := message(buf)
	extended := isExtended(&rec.Attributes)
	m.versioned("upload", extended)
	m.text(bucket)
	m.text(key)
	m.attributes(&rec.Attributes)
	m.encryption(&rec.Encryption)
	m.checksum(&rec.Checksum)
	if extended {
		m.extension(&rec.Attributes)
	}
	return m
}

// isExtended says whether attributes say anything that the messages of v1 do not cover.
func isExtended(a *index.Attributes) bool {
	return a.ContentLanguage != "" || a.WebsiteRedirect != "" || len(a.Annotations) > 0
}

// A message is what a MAC is made of.
type message []byte

func (m *message) label(kind string) { *m = append(*m, "gabion/v1 "+kind+"\x00"...) }

// versioned is the label of a message that has a v2.
func (m *message) versioned(kind string, extended bool) {
	if extended {
		*m = append(*m, "gabion/v2 "+kind+"\x00"...)
		return
	}
	m.label(kind)
}

func (m *message) bytes(b []byte) { *m = append(*m, b...) }
func (m *message) be16(n int)     { *m = binary.BigEndian.AppendUint16(*m, uint16(n)) }
func (m *message) be32(n int)     { *m = binary.BigEndian.AppendUint32(*m, uint32(n)) }
func (m *message) be64(n int64)   { *m = binary.BigEndian.AppendUint64(*m, uint64(n)) }

func (m *message) bool(b bool) {
	if b {
		*m = append(*m, 1)
	} else {
		*m = append(*m, 0)
	}
}

func (m *message) text(s string) {
	m.be32(len(s))
	*m = append(*m, s...)
}

func (m *message) time(t time.Time) {
	if t.IsZero() {
		m.be64(math.MinInt64)
		return
	}
	m.be64(t.UnixNano())
}

func (m *message) texts(entries map[string]string) {
	m.be32(len(entries))
	for _, name := range slices.Sorted(maps.Keys(entries)) {
		m.text(name)
		m.text(entries[name])
	}
}

func (m *message) attributes(a *index.Attributes) {
	for _, s := range []string{
		a.ContentType, a.CacheControl, a.ContentDisposition, a.ContentEncoding, a.Expires,
		a.StorageClass,
	} {
		m.text(s)
	}
	m.texts(a.Metadata)
	m.texts(a.Tags)
}

func (m *message) extension(a *index.Attributes) {
	m.text(a.ContentLanguage)
	m.text(a.WebsiteRedirect)
	m.texts(a.Annotations)
}

func (m *message) encryption(enc *index.Encryption) {
	m.text(enc.Algorithm)
	m.text(enc.KeyID)
	m.bool(enc.Customer)
}

func (m *message) checksum(c *index.Checksum) {
	m.text(c.Algorithm)
	m.text(c.Type)
}
