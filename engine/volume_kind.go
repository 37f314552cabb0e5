package engine

// VolumeKind says how volumes, in which Open's chunk store keeps chunks, lie on the disk. The
// directory may hold volumes of both kinds. The empty one stands for the default.
type VolumeKind string

const (
	// VolumesBadger are Badger databases: whoever has a chunk's address finds it there by Badger
	// alone. Badger writes through memory maps, which costs processor time and copies.
	VolumesBadger VolumeKind = "badger"

	// VolumesLog are files of records, written past the page cache where the system can do that:
	// for fast disks, where the processor is what limits uploads.
	VolumesLog VolumeKind = "log"
)

// validate accepts the kinds of this package only.
func (k VolumeKind) validate() error {
	return checkChoice(k, "VolumeKind", "VolumesBadger or VolumesLog", VolumesBadger, VolumesLog)
}
