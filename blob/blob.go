package blob

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
)

// Limits of every Store.
const (
	MaxFrameSize = 64 << 20 // bytes of a frame
	MaxVolume    = 1 << 62  // the greatest number that NumberAfter takes: there must be numbers behind it
)

var (
	// ErrClosed is returned by every call that begins after Close.
	ErrClosed = errors.New("blob: store is closed")

	// ErrNoSpace is returned by Put when the disk is full or filled up to the reserve, and by Sync
	// when the file system finds out only then. Reads and Remove go on working.
	ErrNoSpace = errors.New("blob: no space left")

	// ErrFrameSize is returned by Put for a frame that is longer than MaxFrameSize.
	ErrFrameSize = errors.New("blob: frame is too large")

	// ErrVolumeActive is returned by Remove and Trim for a volume that still takes writes.
	ErrVolumeActive = errors.New("blob: volume still takes writes")

	// ErrInUse is returned when another Store, of this process or another, has the volumes open.
	ErrInUse = errors.New("blob: in use")

	// ErrUnavailable is returned when a store on another machine cannot be reached, or does not
	// answer in time. It says nothing of the frames; the same call may succeed later.
	ErrUnavailable = errors.New("blob: unavailable")

	// ErrNoVolume is returned by Sync, Seal, Trim and Remove for a volume that is not there.
	ErrNoVolume = errors.New("blob: no such volume")
)

// An ID is the content address that a frame is stored under. Equal IDs mean equal content.
type ID [32]byte

// String returns the ID in lower-case hex.
func (id ID) String() string { return hex.EncodeToString(id[:]) }

// A Ref says where a frame is. The caller keeps it, durably, next to what refers to the frame: a
// Store cannot be asked what it holds under an ID, because after a crash the answer proves nothing.
type Ref struct {
	ID     ID
	Volume uint64
	Offset uint32 // in the volume
	Size   uint32 // bytes of the frame
}

// VolumeInfo describes one volume. Only the caller's index knows how much of it is live.
type VolumeInfo struct {
	ID        uint64
	Bytes     int64 // sum of the sizes of the frames put, trimmed ones included
	Frames    int64 // as many as were put
	Size      int64 // Bytes and what surrounds the frames, holes included; if active, what is set aside
	DiskBytes int64 // what the volume occupies, with what surrounds the frames and without holes
	Active    bool  // takes writes now; an active volume cannot be removed
	Outdated  bool  // of a kind that new volumes are not: what lives in it is better moved, some time
	Damage    error // why its frames cannot be read, or nil; Bytes and Frames are zero then
}

// A Store keeps opaque frames, each under a content address, in append-only volumes. All methods
// may be called from many goroutines.
type Store interface {
	// Put appends the frame to a volume of the store's choice and says where it is. From then on
	// Get finds it; it is durable only after a Sync of that volume. When the volume chosen holds a
	// frame under this ID already, Put may return a Ref to that one instead and append nothing.
	// The frame is not kept and not changed. When Put has failed, the frame may or may not lie in
	// some volume, unreferenced.
	Put(ctx context.Context, id ID, frame []byte) (Ref, error)

	// Get reads a frame into the storage of buf, which it grows as needed, and returns it. The
	// frame is exactly as it was put, or the error is a *CorruptionError, also when the frame is
	// gone or was never written, since the caller's Ref says that it should be there. Errors that
	// say nothing of the frame are no *CorruptionError: the end of ctx, or a lack of file handles,
	// memory or connection.
	Get(ctx context.Context, ref Ref, buf []byte) ([]byte, error)

	// Probe proves cheaply that the frame of ref is there: its volume exists and is undamaged, a
	// record at that place has this ID and size, and the volume is long enough for it. The frame
	// itself is not read, so its bytes may be damaged all the same. It fails with a
	// *CorruptionError, as Get does.
	Probe(ctx context.Context, ref Ref) error

	// Sync makes durable every frame in these volumes whose Put returned before Sync was called.
	// Calls that wait at the same time share one flush. After an error none of the frames put into
	// that volume since its last successful Sync may be relied upon, now or later; the volume takes
	// no more writes.
	Sync(ctx context.Context, volumes ...uint64) error

	// Volumes lists all volumes in ascending order of ID.
	Volumes(ctx context.Context) ([]VolumeInfo, error)

	// Seal ends the writing to an active volume: when it has returned, the volume can be removed.
	// Sealing a volume that is not active does nothing. A store that writes a volume as a whole may
	// find only now that it cannot: then the volume does not exist, and the error matches
	// ErrNoVolume and the cause.
	Seal(ctx context.Context, volume uint64) error

	// Trim gives back the space of every frame in the volume but those of live, and says how many
	// bytes came back; what shares a block of the disk with a live frame stays. The volume must not
	// be active: ErrVolumeActive. From then on the other frames may be readable or not, until a
	// Remove. Live frames can be read meanwhile. It needs hardly any free space and copies nothing,
	// and it can be repeated; where a store cannot do this, the error matches
	// errors.ErrUnsupported. A volume in which nothing lives should be removed instead.
	//
	// The caller must know, durably, that nothing refers to the other frames or ever will: a crash
	// does not bring them back.
	Trim(ctx context.Context, volume uint64, live []Ref) (freed int64, err error)

	// Remove deletes a volume that is not active, and with it all its frames. It waits for reads of
	// the volume that are under way.
	Remove(ctx context.Context, volume uint64) error

	// Free says for how many more bytes there is room, math.MaxInt64 where the store knows of no
	// limit. Frames of as many bytes may not fit: a store keeps some of it for itself. Free is
	// cheap, and waits for nobody.
	Free() (int64, error)

	// NumberAfter makes the store number new volumes above volume, which is at most MaxVolume. The
	// caller may know of volumes that were lost, and no new one may be taken for one of these. It
	// is called before the first Put.
	NumberAfter(volume uint64) error

	// Close waits for calls under way, makes everything durable and releases all resources,
	// whatever error it has to report. A second Close returns ErrClosed.
	Close() error
}

// A CorruptionError says that stored data is not what was stored.
type CorruptionError struct {
	Volume uint64
	ID     ID     // the frame asked for; zero if the whole volume is hit
	Reason string // what is wrong, and what was wanted
	Err    error  // the cause, if there is one
}

func (e *CorruptionError) Error() string {
	what := fmt.Sprintf("blob: volume %d is corrupt: %s", e.Volume, e.Reason)
	if e.ID != (ID{}) {
		what = fmt.Sprintf("blob: chunk %s in volume %d is corrupt: %s", e.ID, e.Volume, e.Reason)
	}
	if e.Err != nil {
		what += ": " + e.Err.Error()
	}
	return what
}

// Unwrap returns the cause.
func (e *CorruptionError) Unwrap() error { return e.Err }
