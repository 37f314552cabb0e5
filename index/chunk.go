package index

import "math"

// Chunk says where a chunk is, how long it is there, and how many pages refer to it.
type Chunk struct {
	Volume  uint64
	Offset  uint32 // in the volume
	Stored  uint32
	Refs    uint64
	Damaged bool // reading it there has failed
}

func (*Chunk) version() byte { return 1 }

func (c *Chunk) encode(e *encoder) {
	e.uint(c.Volume)
	e.uint(uint64(c.Offset))
	e.size(int64(c.Stored), maxStored)
	e.uint(c.Refs)
	e.bool(c.Damaged)
}

func (c *Chunk) decode(d *decoder, _ byte) {
	c.Volume = d.uint(math.MaxUint64)
	c.Offset = uint32(d.uint(math.MaxUint32))
	c.Stored = uint32(d.uint(maxStored))
	c.Refs = d.uint(math.MaxUint64)
	c.Damaged = d.bool()
}

// Volume counts what lives in a volume.
type Volume struct {
	LiveBytes, LiveChunks int64
}

func (*Volume) version() byte { return 1 }

func (v *Volume) encode(e *encoder) {
	e.count(v.LiveBytes)
	e.count(v.LiveChunks)
}

func (v *Volume) decode(d *decoder, _ byte) {
	v.LiveBytes = d.count()
	v.LiveChunks = d.count()
}
