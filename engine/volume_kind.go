package engine

// A VolumeKind is how the volumes, in which Open's chunk store keeps chunks, are stored on disk. A
// store may have volumes of all kinds. The empty kind means the default.
type VolumeKind string

const (
	// VolumesBadger are Badger databases: in a sealed one Badger alone finds a chunk by its
	// address. Badger writes them, through memory maps, which costs processor time and copies.
	VolumesBadger VolumeKind = "badger"

	// VolumesBadgerFormat are the same databases, byte for byte, but the engine writes them: chunks
	// go to the value log, in Badger's format, without a copy. A volume written as either of the
	// two kinds is of both.
	VolumesBadgerFormat VolumeKind = "badger-format"

	// VolumesLog are files of records, written past the page cache where the system can do that.
	// They are for fast disks, where the processor limits uploads.
	VolumesLog VolumeKind = "log"
)

// validate accepts the kinds of this package only.
func (k VolumeKind) validate() error {
	return checkChoice(
		k, "VolumeKind", "VolumesBadger, VolumesBadgerFormat or VolumesLog",
		VolumesBadger, VolumesBadgerFormat, VolumesLog,
	)
}
