package volumes

import (
	"errors"
	"fmt"
	"runtime"
)

// Defaults of Options, for fields that are zero.
const (
	DefaultVolumeSize   = 256 << 20
	DefaultReserveSpace = 64 << 20
	DefaultOpenVolumes  = 128
	maxDefaultWriters   = 4
)

// Ranges of Options.
const (
	MinVolumeSize   = 1 << 20
	MaxVolumeSize   = 1 << 30 // larger ones would save nothing; a Ref has 32 bits for the offset
	MaxWriters      = 256
	MaxReserveSpace = 1 << 60
	MaxOpenVolumes  = 1 << 20
)

// Options configure Open. The zero value of each field means its default.
type Options struct {
	// Kind is the kind of new volumes; Badger by default. Those that are there are read and reclaimed
	// whatever kind they are of.
	Kind Kind

	// VolumeSize is the size in bytes at which a volume is sealed, MinVolumeSize to MaxVolumeSize;
	// 256 MiB by default. A frame that is larger gets a volume of its own.
	VolumeSize int64

	// Writers is the number of volumes that take writes at once, each with a few goroutines and some
	// MiB of memory of its own, at most MaxWriters; by default as many as there are processors, at
	// most 4.
	Writers int

	// ReserveSpace is the free space in bytes below which Put refuses with blob.ErrNoSpace; 64 MiB
	// by default, at most MaxReserveSpace. It is what reads, removal and the closing of volumes
	// live on when the disk is full.
	ReserveSpace int64

	// OpenVolumes bounds how many sealed volumes are kept open for reading, each with one file
	// handle; 128 by default, at most MaxOpenVolumes.
	OpenVolumes int

	// Alarm is called for what has no caller to return an error to, such as a volume that could not
	// be sealed. It must not call the store.
	Alarm func(error)
}

// withDefaults returns a copy of o, which may be nil, without zero fields.
func (o *Options) withDefaults() Options {
	var out Options
	if o != nil {
		out = *o
	}
	if out.Kind == "" {
		out.Kind = Badger
	}
	if out.VolumeSize == 0 {
		out.VolumeSize = DefaultVolumeSize
	}
	if out.Writers == 0 {
		out.Writers = min(runtime.GOMAXPROCS(0), maxDefaultWriters)
	}
	if out.ReserveSpace == 0 {
		out.ReserveSpace = DefaultReserveSpace
	}
	if out.OpenVolumes == 0 {
		out.OpenVolumes = DefaultOpenVolumes
	}
	if out.Alarm == nil {
		out.Alarm = func(error) {}
	}
	return out
}

// validate reports every field that is out of its range.
func (o *Options) validate() error {
	return errors.Join(
		o.Kind.validate(),
		inRange("VolumeSize", o.VolumeSize, MinVolumeSize, MaxVolumeSize),
		inRange("Writers", o.Writers, 0, MaxWriters),
		inRange("ReserveSpace", o.ReserveSpace, 0, MaxReserveSpace),
		inRange("OpenVolumes", o.OpenVolumes, 0, MaxOpenVolumes),
	)
}

// inRange fails for a field that is less than least or more than most.
func inRange[T int | int64](field string, value, least, most T) error {
	if value < least || value > most {
		return fmt.Errorf("blob: %s is %d, must be %d to %d", field, value, least, most)
	}
	return nil
}
