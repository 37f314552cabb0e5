package index

import (
	"bytes"
	"math"
)

// Range is a run of keys of records of type R: Start <= key < End.
type Range[R any] struct {
	Start, End []byte
}

// Buckets is the range of all buckets, by name.
func Buckets() Range[Bucket] { return tableRange[Bucket](bucketTable) }

// BucketsAfter is the range of the buckets whose name begins with prefix and is greater than marker.
// An empty marker is before every name.
func BucketsAfter(prefix, marker string) Range[Bucket] {
	rg := prefixRange[Bucket](append([]byte{bucketTable}, prefix...))
	if marker != "" {
		rg = rg.from(append(append([]byte{bucketTable}, marker...), 0))
	}
	return rg
}

// Chunks is the range of all chunks, by address.
func Chunks() Range[Chunk] { return tableRange[Chunk](chunkTable) }

// Volumes is the range of the counters of all volumes, by number.
func Volumes() Range[Volume] { return tableRange[Volume](volumeTable) }

// TheHeader is the range of the store's header alone.
func TheHeader() Range[Header] { return tableRange[Header](headerTable) }

// AllObjects is every object of every bucket, by bucket and key.
func AllObjects() Range[Object] { return tableRange[Object](objectTable) }

// AllUploads is every open upload of every bucket, by bucket, object key and upload id.
func AllUploads() Range[Upload] { return tableRange[Upload](uploadTable) }

// AllParts is every part of every content, by content and number.
func AllParts() Range[Part] { return tableRange[Part](partTable) }

// DirectoryOf is the range of the pages of the directory of a content, in order.
func DirectoryOf(content ContentID) Range[Directory] {
	return prefixRange[Directory](append([]byte{partsTable}, content[:]...))
}

// AllDirectories is every page of every directory, by content and page.
func AllDirectories() Range[Directory] { return tableRange[Directory](partsTable) }

// AllPages is every page of every manifest, by manifest and number.
func AllPages() Range[Page] { return tableRange[Page](pageTable) }

// AllInline is every content that is kept in the index, by manifest.
func AllInline() Range[Inline] { return tableRange[Inline](inlineTable) }

// AllShared is the count of every content that is shared.
func AllShared() Range[Shared] { return tableRange[Shared](sharedTable) }

// AllCompleted is what is remembered of completed uploads, by upload id.
func AllCompleted() Range[Completed] { return tableRange[Completed](doneTable) }

// AllWaiting is everything that is garbage as soon as nobody uses it any more.
func AllWaiting() Range[Trash] { return tableRange[Trash](waitingTable) }

// PartsOf is the range of the parts of a content, by number.
func PartsOf(content ContentID) Range[Part] { return PartsAfter(content, -1) }

// PartsAfter is the range of the parts of a content with a number greater than number.
func PartsAfter(content ContentID, number int) Range[Part] {
	prefix := append([]byte{partTable}, content[:]...)
	start := prefix
	switch {
	case number >= math.MaxUint16:
		start = prefixEnd(prefix)
	case number >= 0:
		start = PartKey(content, number+1)
	}
	return Range[Part]{start, prefixEnd(prefix)}
}

// PagesOf is the range of the pages of a manifest, in order.
func PagesOf(manifest ManifestID) Range[Page] {
	return prefixRange[Page](append([]byte{pageTable}, manifest[:]...))
}

// ObjectsOf is the range of the objects of a bucket, by key.
func ObjectsOf(bucket string) Range[Object] { return ObjectsAfter(bucket, "", "") }

// ObjectsAfter is the range of the objects whose key begins with prefix and is greater than marker.
// An empty marker is before every key.
func ObjectsAfter(bucket, prefix, marker string) Range[Object] {
	if !validBucket(bucket) {
		return emptyRange[Object]()
	}
	all := bucketPrefix(objectTable, bucket)
	rg := prefixRange[Object](append(all, prefix...))
	if marker != "" {
		// What follows a key directly is that key with a zero byte behind it.
		rg = rg.from(append(append(bytes.Clone(all), marker...), 0))
	}
	return rg
}

// ObjectsAfterPrefix is the range of the objects whose key begins with prefix and sorts behind all
// keys that begin with commonPrefix: it skips what a listing with a delimiter has rolled up into
// one entry.
func ObjectsAfterPrefix(bucket, commonPrefix, prefix string) Range[Object] {
	if !validBucket(bucket) {
		return emptyRange[Object]()
	}
	all := bucketPrefix(objectTable, bucket)
	skipped := append(bytes.Clone(all), commonPrefix...)
	return prefixRange[Object](append(all, prefix...)).from(prefixEnd(skipped))
}

// UploadsOf is the range of the open uploads of a bucket, by object key, then upload id.
func UploadsOf(bucket string) Range[Upload] { return UploadsAfter(bucket, "", "", "") }

// UploadsAfter is the range of the open uploads whose object key begins with prefix, and is greater
// than keyMarker or, when idMarker is not empty, equal to it with an upload id whose text is
// greater than idMarker. The id marker may be any text; without a key marker it is ignored. Empty
// markers are before everything.
func UploadsAfter(bucket, prefix, keyMarker, idMarker string) Range[Upload] {
	if !validBucket(bucket) {
		return emptyRange[Upload]()
	}
	rg := prefixRange[Upload](uploadPrefix(bucket, prefix))
	if keyMarker == "" {
		return rg
	}
	marker := append(uploadPrefix(bucket, keyMarker), separator)
	if id, ok := idAfter(idMarker); ok && idMarker != "" {
		return rg.from(append(append(marker, endOfKey), id[:]...))
	}
	return rg.from(append(marker, afterEnd))
}

// UploadsAfterPrefix is for uploads what ObjectsAfterPrefix is for objects.
func UploadsAfterPrefix(bucket, commonPrefix, prefix string) Range[Upload] {
	if !validBucket(bucket) {
		return emptyRange[Upload]()
	}
	skipped := prefixEnd(uploadPrefix(bucket, commonPrefix))
	return prefixRange[Upload](uploadPrefix(bucket, prefix)).from(skipped)
}

// idAfter returns the smallest id whose text is greater than marker, which may be any text.
func idAfter(marker string) (id ContentID, ok bool) {
	const hexDigits = "0123456789ABCDEF"
	var nibbles [2 * len(id)]int
	i := 0
	for ; i < len(nibbles) && i < len(marker) && isUpperHex(marker[i]); i++ {
		nibbles[i] = bytes.IndexByte([]byte(hexDigits), marker[i])
	}
	// The first i digits equal the marker's. A marker that ends here is smaller than any text that
	// goes on. Otherwise the next digit must be greater than the marker's byte, or, when there is
	// none such, the digits so far must be counted up by one.
	switch {
	case i == len(marker) && i < len(nibbles):
	case i < len(nibbles) && marker[i] < 'F':
		for hexDigits[nibbles[i]] < marker[i] {
			nibbles[i]++
		}
	default:
		for i--; i >= 0 && nibbles[i] == 15; i-- {
			nibbles[i] = 0
		}
		if i < 0 {
			return id, false
		}
		nibbles[i]++
	}
	for n := range id {
		id[n] = byte(nibbles[2*n]<<4 | nibbles[2*n+1])
	}
	return id, true
}

// from returns the part of the range that does not lie before start.
func (rg Range[R]) from(start []byte) Range[R] {
	if bytes.Compare(start, rg.Start) > 0 {
		rg.Start = start
	}
	return rg
}

func tableRange[R any](table byte) Range[R] { return prefixRange[R]([]byte{table}) }

// prefixRange is the range of all keys that begin with prefix. It keeps a copy.
func prefixRange[R any](prefix []byte) Range[R] {
	return Range[R]{bytes.Clone(prefix), prefixEnd(prefix)}
}

// emptyRange has an End, because a Range without one would be everything.
func emptyRange[R any]() Range[R] { return Range[R]{[]byte{0}, []byte{0}} }

// prefixEnd returns the smallest key behind all that begin with prefix. There always is one,
// because no table's letter is 0xFF.
func prefixEnd(prefix []byte) []byte {
	end := bytes.Clone(prefix)
	for len(end) > 0 && end[len(end)-1] == 0xFF {
		end = end[:len(end)-1]
	}
	end[len(end)-1]++
	return end
}
