package engine

import (
	"github.com/gabion-storage/gabion/crypto"
	"github.com/gabion-storage/gabion/engine/internal/frame"
	"github.com/gabion-storage/gabion/index"
)

// DedupScope says within what the chunks of a bucket are found to be stored already, and are not
// stored again. A bucket gets its scope when it is created and keeps it, also when the store is
// opened with other Options. It is the engine's own: neither OSS nor S3 has such a thing. The empty
// one stands for the default where a default is said.
//
// A chunk that is found takes less time than one that is new. So whoever may upload to a bucket can
// ask, by the time that an upload takes, whether a chunk of known content is there within the
// scope. The narrower the scope, the fewer there are to ask, and the more is stored twice.
//
// It concerns content without encryption. Encrypted content is found again within one upload and
// its copies, whatever the scope. What a copy by reference shares, it shares in every scope; see
// CopyObject.
type DedupScope string

const (
	// DedupStore is the whole store, but for what is in buckets of a narrower scope: all tenants
	// whose buckets have it share what is equal, and each can ask what the others have.
	DedupStore DedupScope = "store"

	// DedupBucket is the bucket: who may upload to it can ask what is in it, and nobody else can. A
	// bucket that is deleted and created again is another one.
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
