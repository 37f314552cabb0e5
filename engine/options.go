package engine

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/gabion-storage/gabion/crypto"
	"github.com/gabion-storage/gabion/index"
)

// Defaults of Options, for fields that are zero.
const (
	DefaultChunkSize    = 512 << 10
	DefaultMemoryBudget = 64 << 20
	DefaultVolumeSize   = 256 << 20
	DefaultReserveSpace = 128 << 20
	DefaultKeyLifetime  = 5 * time.Minute
	DefaultLease        = 15 * time.Second
)

// Ranges of Options.
const (
	minChunkSize    = 4 << 10
	maxChunkSize    = index.MaxChunkSize
	maxMemoryBudget = 64 << 30
	minVolumeSize   = 1 << 20
	maxVolumeSize   = 1 << 30
	minReserve      = 64 << 20
	maxReserve      = 1 << 60
	minBuffers      = 4 // with fewer, reading, hashing and writing would take turns
	minVolumeChunks = 2
	maxKeyLifetime  = 24 * time.Hour
	maxReclaimRate  = 1 << 40
	maxUploadExpiry = 100 * 365 * 24 * time.Hour
	maxNodeName     = 255
	minLease        = time.Second
	maxLease        = 10 * time.Minute
)

// Options configure Open and OpenStores. The zero value of each field means its default.
type Options struct {
	// Keys wraps the data keys of encrypted uploads. A new data key is used only after Keys has
	// unwrapped it once. Unusable results (see crypto.ErrUnusableKey) and panics of Keys fail the
	// call with ErrInternal, and an id or wrapped form that is too long with ErrInvalidArgument.
	// Calls that need the same data key at once share one Unwrap. Its context has the values of the
	// first call's, and is cancelled when none of them waits any more. Keys is called from
	// goroutines of its own. Without Keys, asking for encryption fails with
	// ErrKmsServiceNotEnabled, and so does reading what is encrypted.
	Keys crypto.KeyProvider

	// KeyLifetime is how long a data key that Keys gave is used without asking for it anew, at most
	// 24 hours; 5 minutes by default. It is counted from when Keys was asked, by a clock that
	// cannot be set back, and not from the last use. After that time only calls under way and open
	// Objects still use a key that Keys has come to deny. Within it the key is used for every call:
	// the front end, which alone knows callers, decides who may call. With 1, a nanosecond, each
	// call asks.
	KeyLifetime time.Duration

	// AuthenticateRecords gives a new store a key of its own, a data key that Keys wraps. It makes
	// the MACs of records of unencrypted content, and of what clients do without giving their key.
	// Then whoever can write the store's directory can neither turn encrypted objects and open
	// uploads plain, nor exchange, reorder, cut or change plain ones: see the threat model in
	// package crypto. It costs about a microsecond for each record written or read. Reads of plain
	// content then also verify its address, a BLAKE3 of every byte.
	//
	// A store that was made with it keeps it for good: Open needs Keys, which is asked twice and
	// must give the same key, and the engine holds the key until Close, longer than KeyLifetime. If
	// the option is set, Open fails with ErrInvalidArgument when an existing store has no such key.
	AuthenticateRecords bool

	// Rules are the rules of buckets that are created without their own; OSS by default.
	Rules Rules

	// DedupScope is the scope of buckets that are created without their own; DedupStore by default.
	DedupScope DedupScope

	// ChunkSize is the size in bytes of the chunks that new parts are split into, 4 KiB to 16 MiB;
	// 512 KiB by default. It may differ from one Open to the next; only chunks of equal size can be
	// found to be duplicates. Copies of chunks of 1 MiB and more bypass the CPU's caches.
	ChunkSize int

	// MemoryBudget bounds the chunk buffers of all running uploads together, in bytes; 64 MiB by
	// default, at least four chunks, at most 64 GiB. A part that finds no buffer free waits for
	// one. As much again is for what is decoded ahead for all open Objects together; each holds a
	// chunk or more beside: see Object.
	MemoryBudget int64

	// Compression is how new chunks are compressed; CompressionS2 by default. It may differ from one
	// Open to the next.
	Compression Compression

	// Volumes is the kind of the volumes that new chunks go to; VolumesBadger by default. It may
	// differ from one Open to the next: chunks in volumes of another kind are read, deleted and
	// found as usual, and Reclaim moves them. OpenStores ignores it.
	Volumes VolumeKind

	// VolumeSize is the size in bytes at which a volume of chunks is sealed, 1 MiB and two chunks
	// at least, 1 GiB at most; 256 MiB by default. It may differ from one Open to the next.
	// OpenStores' chunk store seals its volumes itself; there VolumeSize only decides which are
	// small enough to merge.
	VolumeSize int64

	// ReserveSpace is the free disk space in bytes below which what adds data fails with
	// ErrNoSpace; 128 MiB by default, at least 64 MiB. Below a half of it reclaiming copies nothing
	// either. Below a quarter of it, 24 MiB at least, completing, aborting and deleting go on only
	// while the index's present log has room, for some thousands of calls, and then fail with
	// ErrNoSpace, too. Reads always go on, and so does reclaiming by holes. With OpenStores the
	// stores' Free says what is free.
	ReserveSpace int64

	// ReclaimRate bounds how many bytes a second reclaiming copies, at most 1 TiB; 0 means no limit.
	ReclaimRate int64

	// UploadExpiry is how long an upload may be idle before it is aborted in the background, at most
	// 100 years; 0 means for ever. See Expire.
	//
	// With Node it should be much longer than the clocks of the nodes differ, since an upload is idle
	// since a time by the clock of the node that has stored its newest part. Over an index that is an
	// index.Clock, such as PostgreSQL, a node whose clock is ahead aborts nothing too early; what one
	// has stored whose clock is behind is aborted as much too early.
	UploadExpiry time.Duration

	// Node makes the engine one of several that have the same two stores open, and is its name
	// among them: at most 255 bytes, and different from those of all that are open. By default the
	// engine has its stores for itself. It is for OpenStores; Open refuses it with
	// ErrInvalidArgument. See "Several engines on one store" in the package comment.
	Node string

	// Lease is how long the others wait for a Node that they do not hear of, a second to 10
	// minutes; 15 seconds by default. Then they go on without it, and it commits nothing any more.
	// A node renews its lease four times in that time. It should be about the same for all nodes.
	Lease time.Duration

	// Events are called when something happens that no call reports.
	Events *Events

	// Clock tells the time that uploads, parts and objects are stamped with; time.Now by default.
	// If it panics, Events.Alarm is told and time.Now is used. It is called from goroutines of its
	// own.
	Clock func() time.Time
}

// Events are hooks, called from goroutines of their own, for which the engine waits. They must
// return soon and must not call the engine. What a hook panics with is lost. Any of them may be
// nil.
type Events struct {
	// Alarm is called with errors that have no caller: background work that failed and will be
	// tried again, a volume that could not be sealed, and damage that was noticed in passing. It is called
	// once with ErrLeaseLost, and once with an *index.CommitError: after either the engine writes
	// nothing any more, and only another, opened on the same store, does. Open calls it with an
	// *ExposedError for each directory of the store that others can use, and with the result of
	// Options.Keys' method Exposed, if it has one, as crypto.Keyring does.
	Alarm func(error)

	// VolumeReclaimed is called after a volume was removed, with Removed set, and after holes were
	// punched into a volume that stays.
	VolumeReclaimed func(VolumeReclaimed)
}

// withDefaults returns a copy of o, which may be nil, without zero fields.
func (o *Options) withDefaults() Options {
	var out Options
	if o != nil {
		out = *o
	}
	if out.Rules == "" {
		out.Rules = OSS
	}
	if out.DedupScope == "" {
		out.DedupScope = DedupStore
	}
	if out.ChunkSize == 0 {
		out.ChunkSize = DefaultChunkSize
	}
	if out.MemoryBudget == 0 {
		out.MemoryBudget = max(DefaultMemoryBudget, minBuffers*int64(out.ChunkSize))
	}
	if out.Compression == "" {
		out.Compression = CompressionS2
	}
	if out.Volumes == "" {
		out.Volumes = VolumesBadger
	}
	if out.VolumeSize == 0 {
		out.VolumeSize = DefaultVolumeSize
	}
	if out.ReserveSpace == 0 {
		out.ReserveSpace = DefaultReserveSpace
	}
	if out.KeyLifetime == 0 {
		out.KeyLifetime = DefaultKeyLifetime
	}
	if out.Lease == 0 {
		out.Lease = DefaultLease
	}
	return out
}

// validate reports every field that is out of its range.
func (o *Options) validate() error {
	errs := []error{inRange("ChunkSize", o.ChunkSize, minChunkSize, maxChunkSize)}
	if chunk := int64(o.ChunkSize); errs[0] == nil {
		leastVolume := max(minVolumeSize, minVolumeChunks*chunk)
		errs = append(
			errs,
			inRange("MemoryBudget", o.MemoryBudget, minBuffers*chunk, maxMemoryBudget),
			inRange("VolumeSize", o.VolumeSize, leastVolume, maxVolumeSize),
		)
	}
	errs = append(
		errs,
		inRange("ReserveSpace", o.ReserveSpace, minReserve, maxReserve),
		inRange("KeyLifetime", o.KeyLifetime, 1, maxKeyLifetime),
		inRange("UploadExpiry", o.UploadExpiry, 0, maxUploadExpiry),
		inRange("ReclaimRate", o.ReclaimRate, 0, maxReclaimRate),
		inRange("Lease", o.Lease, minLease, maxLease),
	)
	if len(o.Node) > maxNodeName {
		errs = append(
			errs, fmt.Errorf("a Node of %d bytes, must have at most %d", len(o.Node), maxNodeName),
		)
	}
	if o.AuthenticateRecords && o.Keys == nil {
		errs = append(errs, errors.New("AuthenticateRecords needs Keys"))
	}
	errs = append(
		errs, o.Rules.validate(), o.DedupScope.validate(), o.Compression.validate(),
		o.Volumes.validate(),
	)
	if err := errors.Join(errs...); err != nil {
		return ErrInvalidArgument.saying("Options: %v", err)
	}
	return nil
}

// inRange fails for a field that is less than least or more than most.
func inRange[T int | int64 | time.Duration](field string, value, least, most T) error {
	if value < least || value > most {
		return fmt.Errorf("%s is %v, must be %v to %v", field, value, least, most)
	}
	return nil
}

// alarm reports an error that has no caller.
func (o *Options) alarm(err error) {
	if o.Events != nil && o.Events.Alarm != nil {
		hook(func() { o.Events.Alarm(err) })
	}
}

func (o *Options) reclaimed(v VolumeReclaimed) {
	if o.Events != nil && o.Events.VolumeReclaimed != nil {
		hook(func() { o.Events.VolumeReclaimed(v) })
	}
}

// hook calls a hook. There is nobody to tell when it fails.
func hook(call func()) {
	_ = outside(func() error {
		call()
		return nil
	})
}

// checkChoice accepts the constants of a type, whose name and theirs go into the error.
func checkChoice[T ~string](value T, name, constants string, known ...T) error {
	if slices.Contains(known, value) {
		return nil
	}
	return fmt.Errorf(
		"%s %q is not known; use %s of package engine", name, string(value), constants,
	)
}
