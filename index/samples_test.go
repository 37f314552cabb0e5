package index_test

import (
	"bytes"
	"math"
	"time"

	"github.com/gabion-storage/gabion/index"
)

// A sample is a record of a kind with all its fields, and a key that it may have.
type sample struct {
	key    []byte
	record any // a pointer
}

var (
	moment  = time.Date(2024, 2, 29, 23, 59, 59, 123456789, time.UTC)
	content = id("content")
	mac     = bytes.Repeat([]byte{9}, 16)

	attributes = index.Attributes{
		ContentType: "text/plain", CacheControl: "no-cache", ContentDisposition: "inline", ContentEncoding: "gzip", Expires: "never",
		StorageClass: "IA", Metadata: map[string]string{"b": "2", "a": "1", "empty": ""}, Tags: map[string]string{"": "x"},
		ContentLanguage: "de, en", WebsiteRedirect: "/elsewhere", Annotations: map[string]string{"acl": "private", "owner": ""},
	}
	encryption = index.Encryption{Algorithm: "KMS", KeyID: "key", WrappedKey: []byte{1, 2, 3}, Wrapper: "master", Customer: true}
	checksum   = index.Checksum{Algorithm: "SHA256", Type: "COMPOSITE", Value: bytes.Repeat([]byte{7}, 32)}

	header = index.Header{Format: math.MaxUint32, StoreID: [16]byte{1}, Created: moment, Records: encryption}
	clone  = index.Clone{Source: [16]byte{1}, Pull: [16]byte{2}}
	bucket = index.Bucket{Created: moment, Rules: "oss", Dedup: "none", Generation: index.Generation{1}, Annotations: map[string]string{"location": "here"}, StorageClass: "IA"}
	upload = index.Upload{
		Generation: index.Generation{1}, Initiated: moment, Attributes: attributes, Encryption: encryption, Checksum: checksum,
		Sequential: true, Digest: []byte("state"), MD5: bytes.Repeat([]byte{5}, 16), Watched: moment, MAC: mac,
	}
	part = index.Part{
		ETag: [16]byte{1}, Size: 5 << 30, CRC64: 1, Modified: moment, Manifest: index.ManifestID(content), Chunks: 5120,
		Inline: true, Checksum: []byte{1}, Scope: index.Scope{Kind: index.ScopeBucket, ID: [16]byte{1}}, MAC: mac,
	}
	directory = index.Directory{MAC: mac, Start: 300, Parts: []index.DirectoryPart{
		{Number: 1, Size: 5 << 30, Manifest: index.ManifestID{1}}, {Number: 10_000},
	}}
	page = index.Page{MAC: mac, Start: math.MaxInt64, Chunks: []index.PageChunk{
		{ID: index.ChunkID{1}, Size: 1 << 20, CRC64: math.MaxUint64}, {ID: index.ChunkID{2}, CRC64: 1}, {Size: index.MaxChunkSize},
	}}
	inline = index.Inline{PageChunk: page.Chunks[0], Frame: []byte("frame"), MAC: mac}
	object = index.Object{
		Content: content, Type: "Multipart", ETag: "ABC-2", Size: math.MaxInt64, CRC64: math.MaxUint64, Parts: index.MaxParts,
		Modified: moment, Attributes: attributes, Encryption: encryption, Checksum: checksum, MD5: bytes.Repeat([]byte{5}, 16), MAC: mac,
		UploadMAC: mac, PartAlgorithm: "SHA1",
	}
	shared    = index.Shared{Owners: math.MaxUint64}
	completed = index.Completed{Bucket: "b", Key: "k", Generation: index.Generation{2}, List: [16]byte{1}, Object: object}
	chunk     = index.Chunk{
		Volume: math.MaxUint64, Offset: math.MaxUint32, Stored: index.MaxChunkSize + 4<<10, Refs: math.MaxUint64, Damaged: true,
	}
	volume = index.Volume{LiveBytes: math.MaxInt64, LiveChunks: math.MinInt64}
	trash  = index.Trash{Kind: index.TrashContent, ID: id("trash"), Queued: moment, Parts: 10_000, Bytes: math.MaxInt64}
	answer = index.Answer{Upload: content, Given: moment}
	idle   = index.Idle{Bucket: "b", Key: "k"}
	ends   = index.Ends{Head: 300, Tail: math.MaxUint64}
	totals = index.Totals{
		Objects: 1, Uploads: 2, Parts: 3, Chunks: 4, References: 5, LogicalBytes: 6, StoredBytes: -7, InlineBytes: 8, Completed: 9,
		Damaged: 10, TrashParts: 11, TrashBytes: -12,
	}
	node  = index.Node{Name: "node", Beat: 300, Oldest: math.MaxUint64, Lasts: math.MaxInt64}
	fleet = index.Fleet{
		Epoch: 300, Turn: index.NodeID(id("node")), Term: math.MaxUint64, Keys: encryption,
	}
	condemned = index.Condemned{Epoch: 300}
)

// samples has one of each kind, by its name. What several kinds have in common has no key of its
// own.
var samples = map[string]sample{
	"Header":     {index.HeaderKey(), &header},
	"Bucket":     {index.BucketKey("b"), &bucket},
	"Upload":     {index.UploadKey("b", "k", content), &upload},
	"Part":       {index.PartKey(content, 1), &part},
	"Directory":  {index.DirectoryKey(content, 1), &directory},
	"Page":       {index.PageKey(index.ManifestID(content), 1), &page},
	"Inline":     {index.InlineKey(index.ManifestID(content)), &inline},
	"Object":     {index.ObjectKey("b", "k"), &object},
	"Shared":     {index.SharedKey(content), &shared},
	"Completed":  {index.CompletedKey(content), &completed},
	"Chunk":      {index.ChunkKey(index.ChunkID{1}), &chunk},
	"Volume":     {index.VolumeKey(1), &volume},
	"Trash":      {index.WaitingKey(id("trash")), &trash},
	"Answer":     {index.AnswerQueue().Key(1), &answer},
	"Idle":       {index.IdleKey(moment, content), &idle},
	"Ends":       {[]byte("QT"), &ends},
	"Totals":     {index.TotalsKey(), &totals},
	"Node":       {index.NodeKey(index.NodeID(id("node"))), &node},
	"Fleet":      {index.FleetKey(), &fleet},
	"Condemned":  {index.CondemnedKey(1), &condemned},
	"Clone":      {index.CloneKey(), &clone},
	"Attributes": {[]byte("Attributes"), &attributes},
	"Encryption": {[]byte("Encryption"), &encryption},
	"Checksum":   {[]byte("Checksum"), &checksum},
}
