package index

import (
	"bytes"
	"encoding/binary"
	"strings"
)

// The tables: the first byte of every key. The whole key table is in the package comment.
const (
	headerTable  = 'H'
	bucketTable  = 'B'
	uploadTable  = 'U'
	partTable    = 'P'
	pageTable    = 'M'
	partsTable   = 'L'
	objectTable  = 'O'
	chunkTable   = 'C'
	volumeTable  = 'V'
	trashTable   = 'T'
	totalsTable  = 'S'
	inlineTable  = 'I'
	sharedTable  = 'R'
	doneTable    = 'D'
	waitingTable = 'W'
	answerTable  = 'A'
	idleTable    = 'E'
	endsTable    = 'Q'
	cloneTable   = 'K'
	separator    = 0x00 // ends a bucket name, which cannot contain it
	escapedZero  = 0xFF // follows a zero byte that belongs to an object key of the upload table
	endOfKey     = 0x01 // follows the zero byte that ends an object key of the upload table
	afterEnd     = 0x02 // sorts behind every upload of a key and before every longer key
	maxBucket    = 63
	keyRoom      = 64 // for what mostly follows a bucket's name in a key
	maxObjectKey = 1024
)

// Key is the key of a record of type R. Builders return an empty one, which every access refuses
// with ErrInvalidKey, for names that cannot be stored: an empty bucket name or one longer than 63
// bytes or with a zero byte in it, an object key longer than 1024 bytes, a number out of range.
type Key[R any] []byte

// HeaderKey is the key of the store's header.
func HeaderKey() Key[Header] { return Key[Header]{headerTable} }

// TotalsKey is the key of the store's counters.
func TotalsKey() Key[Totals] { return Key[Totals]{totalsTable} }

// CloneKey is the key of what says that the index is a copy of another store's.
func CloneKey() Key[Clone] { return Key[Clone]{cloneTable} }

// BucketKey is the key of a bucket.
func BucketKey(bucket string) Key[Bucket] {
	if !validBucket(bucket) {
		return nil
	}
	return append(Key[Bucket]{bucketTable}, bucket...)
}

// ParseBucketKey reverses BucketKey.
func ParseBucketKey(k Key[Bucket]) (bucket string, err error) {
	rest, ok := bytes.CutPrefix(k, []byte{bucketTable})
	bucket = string(rest)
	if !ok || !validBucket(bucket) {
		return "", badKey(k, "not a bucket key")
	}
	return bucket, nil
}

// UploadKey is the key of an open upload. The keys of a bucket sort by object key, then by upload
// id.
func UploadKey(bucket, key string, id ContentID) Key[Upload] {
	if !validBucket(bucket) || len(key) > maxObjectKey {
		return nil
	}
	k := append(uploadPrefix(bucket, key), separator, endOfKey)
	return append(k, id[:]...)
}

// ParseUploadKey reverses UploadKey.
func ParseUploadKey(k Key[Upload]) (bucket, key string, id ContentID, err error) {
	bucket, rest, ok := cutBucket(k, uploadTable)
	if !ok {
		return "", "", id, badKey(k, "not an upload key")
	}
	name, rest, ok := unescape(rest)
	if !ok || len(rest) != len(id) || len(name) > maxObjectKey {
		return "", "", id, badKey(k, "malformed upload key")
	}
	return bucket, name, ContentID(rest), nil
}

// PartKey is the key of a part of an upload or object. Numbers go from 0 to 65535.
func PartKey(content ContentID, number int) Key[Part] {
	if number < 0 || number > 0xFFFF {
		return nil
	}
	return binary.BigEndian.AppendUint16(
		append(Key[Part]{partTable}, content[:]...), uint16(number),
	)
}

// ParsePartKey reverses PartKey.
func ParsePartKey(k Key[Part]) (content ContentID, number int, err error) {
	const size = len(content)
	if len(k) != 1+size+2 || k[0] != partTable {
		return content, 0, badKey(k, "not a part key")
	}
	return ContentID(k[1 : 1+size]), int(binary.BigEndian.Uint16(k[1+size:])), nil
}

// PageKey is the key of a page of a manifest. Pages count from 0.
func PageKey(manifest ManifestID, page int) Key[Page] {
	if page < 0 || int64(page) > 0xFFFF_FFFF {
		return nil
	}
	return binary.BigEndian.AppendUint32(append(Key[Page]{pageTable}, manifest[:]...), uint32(page))
}

// ParsePageKey reverses PageKey.
func ParsePageKey(k Key[Page]) (manifest ManifestID, page int, err error) {
	const size = len(manifest)
	if len(k) != 1+size+4 || k[0] != pageTable {
		return manifest, 0, badKey(k, "not a page key")
	}
	return ManifestID(k[1 : 1+size]), int(binary.BigEndian.Uint32(k[1+size:])), nil
}

// DirectoryKey is the key of a page of the directory of a content. Pages count from 0.
func DirectoryKey(content ContentID, page int) Key[Directory] {
	if page < 0 || page > 0xFFFF {
		return nil
	}
	return binary.BigEndian.AppendUint16(
		append(Key[Directory]{partsTable}, content[:]...), uint16(page),
	)
}

// ParseDirectoryKey reverses DirectoryKey.
func ParseDirectoryKey(k Key[Directory]) (content ContentID, page int, err error) {
	const size = len(content)
	if len(k) != 1+size+2 || k[0] != partsTable {
		return content, 0, badKey(k, "not a directory key")
	}
	return ContentID(k[1 : 1+size]), int(binary.BigEndian.Uint16(k[1+size:])), nil
}

// InlineKey is the key of the content of a part that has no pages.
func InlineKey(manifest ManifestID) Key[Inline] {
	return append(Key[Inline]{inlineTable}, manifest[:]...)
}

// ParseInlineKey reverses InlineKey.
func ParseInlineKey(k Key[Inline]) (ManifestID, error) {
	return parseID(k, inlineTable, "not an inline key")
}

// SharedKey is the key of the count of the objects that share a content.
func SharedKey(content ContentID) Key[Shared] {
	return append(Key[Shared]{sharedTable}, content[:]...)
}

// ParseSharedKey reverses SharedKey.
func ParseSharedKey(k Key[Shared]) (ContentID, error) {
	return parseID(k, sharedTable, "not a shared key")
}

// CompletedKey is the key of what is remembered of a completed upload.
func CompletedKey(upload ContentID) Key[Completed] {
	return append(Key[Completed]{doneTable}, upload[:]...)
}

// ParseCompletedKey reverses CompletedKey.
func ParseCompletedKey(k Key[Completed]) (ContentID, error) {
	return parseID(k, doneTable, "not a completed key")
}

// ObjectKey is the key of an object. The keys of a bucket sort by object key.
func ObjectKey(bucket, key string) Key[Object] {
	if !validBucket(bucket) || len(key) > maxObjectKey {
		return nil
	}
	return append(bucketPrefix(objectTable, bucket), key...)
}

// ParseObjectKey reverses ObjectKey.
func ParseObjectKey(k Key[Object]) (bucket, key string, err error) {
	bucket, rest, ok := cutBucket(k, objectTable)
	if !ok || len(rest) > maxObjectKey {
		return "", "", badKey(k, "not an object key")
	}
	return bucket, string(rest), nil
}

// ChunkKey is the key of a chunk.
func ChunkKey(id ChunkID) Key[Chunk] { return append(Key[Chunk]{chunkTable}, id[:]...) }

// ParseChunkKey reverses ChunkKey.
func ParseChunkKey(k Key[Chunk]) (id ChunkID, err error) {
	if len(k) != 1+len(id) || k[0] != chunkTable {
		return id, badKey(k, "not a chunk key")
	}
	return ChunkID(k[1:]), nil
}

// VolumeKey is the key of the counters of a volume.
func VolumeKey(volume uint64) Key[Volume] {
	return binary.BigEndian.AppendUint64(Key[Volume]{volumeTable}, volume)
}

// ParseVolumeKey reverses VolumeKey.
func ParseVolumeKey(k Key[Volume]) (volume uint64, err error) {
	if len(k) != 1+8 || k[0] != volumeTable {
		return 0, badKey(k, "not a volume key")
	}
	return binary.BigEndian.Uint64(k[1:]), nil
}

// WaitingKey is the key of what is garbage as soon as nobody uses it any more: the ContentID or
// ManifestID of it.
func WaitingKey(id [16]byte) Key[Trash] { return append(Key[Trash]{waitingTable}, id[:]...) }

// ParseWaitingKey reverses WaitingKey.
func ParseWaitingKey(k Key[Trash]) (id [16]byte, err error) {
	return parseID(k, waitingTable, "not a key of what waits")
}

// parseID takes apart the key of a table whose keys are an id and nothing else.
func parseID(k []byte, table byte, reason string) (id [16]byte, err error) {
	if len(k) != 1+len(id) || k[0] != table {
		return id, badKey(k, reason)
	}
	return [16]byte(k[1:]), nil
}

func validBucket(bucket string) bool {
	return bucket != "" && len(bucket) <= maxBucket && strings.IndexByte(bucket, separator) < 0
}

// bucketPrefix is what all keys of a bucket in a table begin with, and no others.
func bucketPrefix(table byte, bucket string) []byte {
	k := make([]byte, 0, 1+len(bucket)+1+keyRoom)
	return append(append(append(k, table), bucket...), separator)
}

// cutBucket takes a key of a table apart behind the bucket's separator.
func cutBucket(k []byte, table byte) (bucket string, rest []byte, ok bool) {
	if len(k) == 0 || k[0] != table {
		return "", nil, false
	}
	name, rest, ok := bytes.Cut(k[1:], []byte{separator})
	bucket = string(name)
	return bucket, rest, ok && validBucket(bucket)
}

// uploadPrefix is what the upload keys of all object keys that begin with prefix begin with, and no
// others.
func uploadPrefix(bucket, prefix string) []byte {
	k := bucketPrefix(uploadTable, bucket)
	for i := range len(prefix) {
		k = append(k, prefix[i])
		if prefix[i] == separator {
			k = append(k, escapedZero)
		}
	}
	return k
}

// unescape reads an escaped object key up to its end mark.
func unescape(b []byte) (name string, rest []byte, ok bool) {
	var out []byte
	for {
		i := bytes.IndexByte(b, separator)
		if i < 0 || i+1 == len(b) {
			return "", nil, false
		}
		out = append(out, b[:i]...)
		mark := b[i+1]
		b = b[i+2:]
		switch mark {
		case endOfKey:
			return string(out), b, true
		case escapedZero:
			out = append(out, separator)
		default:
			return "", nil, false
		}
	}
}

func badKey(k []byte, reason string) error {
	return &CorruptionError{Where: describe(k), Reason: reason}
}
