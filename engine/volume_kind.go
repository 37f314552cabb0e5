package engine

// VolumeKind says how volumes, in which Open's chunk store keeps chunks, lie on the disk. The
// directory may hold volumes of all kinds. The empty one stands for the default.
type VolumeKind string

const (
	// VolumesBadger are Badger databases: whoever has a chunk's address finds it there by Badger
	// alone, once the volume is sealed. Badger writes them, through memory maps, which costs processor
	// time and copies.
	VolumesBadger VolumeKind = "badger"

	// VolumesBadgerFormat are the same databases, byte for byte, but not written by Badger: chunks go
	// to the value log, in Badger's format, from where they lie in memory. What was written so is of
	// the kind VolumesBadger, and the other way round.
	VolumesBadgerFormat VolumeKind = "badger-format"

	// VolumesLog are files of records, written past the page cache where the system can do that:
	// for fast disks, where the processor is what limits uploads.
	VolumesLog VolumeKind = "log"
)

// validate accepts the kinds of this package only.
func (k VolumeKind) validate() error {
	return checkChoice(
		k, "VolumeKind", "VolumesBadger, VolumesBadgerFormat or VolumesLog",
		VolumesBadger, VolumesBadgerFormat, VolumesLog,
	)
}
