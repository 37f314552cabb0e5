package engine

import (
	"github.com/gabion-storage/gabion/crypto"
	"github.com/gabion-storage/gabion/engine/internal/frame"
	"github.com/gabion-storage/gabion/index"
)

// A DedupScope is how far deduplication reaches: a chunk that is stored already within the scope of
// a bucket is not stored again. A bucket gets its scope when it is created and keeps it, also when
// the store is opened with other Options. It is the engine's own: neither OSS nor S3 has such a
// thing. The empty scope means the default.
//
// A chunk that is found takes less time than one that is new. So whoever may upload to a bucket can
// tell, by the time that an upload takes, whether a chunk of known content is there within the
// scope. The narrower the scope, the fewer can tell, and the more is stored twice.
//
// The scope is for content without encryption. Encrypted content is found again within one upload
// and its copies, whatever the scope. CopyObject says which scopes let a copy share chunks.
type DedupScope string

const (
	// DedupStore is all buckets with this scope: their tenants share what is equal, and each can
	// tell what the others have.
	DedupStore DedupScope = "store"

	// DedupBucket is the bucket: whoever may upload to it can tell what is in it, and nobody else
	// can. A bucket that is deleted and created again is another one.
	DedupBucket DedupScope = "bucket"

	// DedupNone is one body: chunks of it that are equal are stored once, and nothing of it is ever
	// found by another upload, also not by the same part uploaded again.
	DedupNone DedupScope = "none"
)

// validate accepts the scopes of this package only.
func (s DedupScope) validate() error {
	return checkChoice(
		s, "DedupScope", "DedupStore, DedupBucket or DedupNone", DedupStore, DedupBucket, DedupNone,
	)
}

// scopeOf is the scope of a part without encryption that is uploaded to the bucket under a
// manifest.
func (b *liveBucket) scopeOf(manifest index.ManifestID) index.Scope {
	switch b.dedup {
	case DedupBucket:
		return index.Scope{Kind: index.ScopeBucket, ID: b.generation}
	case DedupNone:
		return index.Scope{Kind: index.ScopePart, ID: manifest}
	}
	return index.Scope{}
}

// admits says whether the bucket may have a part of this scope, which a copy by reference keeps:
// nobody may find a chunk whom the bucket's own scope would keep from that. So the part's scope
// must lie within it.
func (b *liveBucket) admits(s index.Scope) bool {
	switch s.Kind {
	case index.ScopeBucket:
		return b.dedup == DedupStore || b.dedup == DedupBucket && s.ID == b.generation
	case index.ScopePart:
		return true
	}
	return b.dedup == DedupStore
}

// keysOf returns the keys of the chunks of a part of this scope. cipher is that of its content, if
// it has one.
func (e *Engine) keysOf(cipher *crypto.Cipher, scope index.Scope) (keys frame.Keys, err error) {
	keys.Cipher = cipher
	if cipher == nil && scope.Kind != index.ScopeStore {
		keys.Scope, err = crypto.NewScope(e.storeID, scope.ID)
	}
	return keys, err
}
