package engine

import (
	"cmp"
	"context"
	"math"

	"github.com/gabion-storage/gabion/engine/internal/ledger"
)

// StatsRequest is empty.
type StatsRequest struct{}

// StatsResult counts what the store holds.
type StatsResult struct {
	Objects int64 // complete objects
	Uploads int64 // open uploads

	// Parts counts the parts of open uploads and of objects, those that copies share once, and
	// deleted ones until they are reclaimed.
	Parts int64

	Chunks     int64 // different chunks stored
	References int64 // uses of chunks by parts; the difference to Chunks was deduplicated

	// LogicalBytes is the sum of the sizes of all objects, copies included; math.MaxInt64 if it is
	// more. From 2^64 bytes on it is wrong.
	LogicalBytes int64

	// DamagedChunks counts chunks that turned out to be damaged and were not stored anew since. What
	// lies in missing volumes is not counted.
	DamagedChunks int64

	StoredBytes int64 // live bytes of the chunks as stored: compressed, sealed, each once
	InlineBytes int64 // bytes of small bodies that the index keeps, as stored

	// TrashParts counts the parts that nothing needs any more and that are not yet reclaimed, those
	// that open Objects hold included; TrashBytes is the sum of their sizes.
	TrashParts, TrashBytes int64

	DeadBytes  int64 // bytes of chunks in volumes that nothing refers to, parts under way included
	IndexBytes int64 // what the index occupies on disk, with the logs that it sets aside
	IndexDead  int64 // how much of that may be dead at most
	DiskBytes  int64 // on disk: index, volumes, and what is set aside beside them

	Volumes []VolumeStats
	Nodes   []NodeStats // the engines that share the store; none if this one has it for itself
}

// VolumeStats describes one volume of chunks.
type VolumeStats struct {
	ID        uint64
	LiveBytes int64
	DeadBytes int64 // of dead chunks, and of those of parts that are not committed yet
	DiskBytes int64 // what it occupies in all
	Active    bool  // takes writes now
	Damage    error // why it cannot be read, or what lives in it is not known; else nil
}

// Stats counts what the store holds. The counts are kept with every change and cost nothing to
// read; what is on disk is found by a look at each file.
func (e *Engine) Stats(ctx context.Context, _ *StatsRequest) (_ *StatsResult, err error) {
	c, err := e.begin(ctx, call{op: "Stats"})
	defer c.end(&err)
	if err != nil {
		return nil, err
	}
	states, err := e.volumeStates(ctx)
	if err != nil {
		return nil, err
	}
	t, err := ledger.LookTotals(ctx, e.index)
	if err != nil {
		return nil, err
	}
	res := &StatsResult{
		Objects: t.Objects, Uploads: t.Uploads, Parts: t.Parts,
		Chunks: t.Chunks, References: t.References, DamagedChunks: t.Damaged,
		TrashParts: t.TrashParts, TrashBytes: saturated(t.TrashBytes),
		LogicalBytes: saturated(t.LogicalBytes), StoredBytes: t.StoredBytes, InlineBytes: t.InlineBytes,
	}
	for _, v := range states {
		v.pinned = 0 // until they are committed those parts are not counted as live
		dead := v.deadFrames()
		if v.lost != nil {
			dead = 0
		}
		res.DeadBytes += dead
		res.DiskBytes += v.DiskBytes
		res.Volumes = append(res.Volumes, VolumeStats{
			ID: v.ID, LiveBytes: v.live.LiveBytes, DeadBytes: dead, DiskBytes: v.DiskBytes,
			Active: v.Active, Damage: cmp.Or(v.Damage, v.lost),
		})
	}
	used, err := e.index.Usage(ctx)
	if err != nil {
		return nil, err
	}
	res.IndexBytes, res.IndexDead = used.DiskBytes, used.DeadBytes
	beside, err := e.dir.usage()
	if err != nil {
		return nil, err
	}
	res.DiskBytes += used.DiskBytes + beside
	if res.Nodes, err = e.nodeStats(ctx); err != nil {
		return nil, err
	}
	return res, nil
}

// saturated is a sum of sizes as it is told. Copies that refer to the same chunks may have more than
// math.MaxInt64 bytes together. The books count modulo 2^64, so they are right again after deletions.
func saturated(sum int64) int64 {
	if sum < 0 {
		return math.MaxInt64
	}
	return sum
}
