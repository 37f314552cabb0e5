package volumes

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"

	"github.com/gabion-storage/gabion/blob"
	"github.com/gabion-storage/gabion/internal/disk"
)

// A span is a range of a log.
type span struct{ from, to int64 }

// trim punches holes where no record of live lies, and returns what came back.
func (v *volume) trim(
	ctx context.Context, live []blob.Ref, punchHole func(f *os.File, from, size int64) error,
) (freed int64, err error) {
	v.trimMu.Lock() // only remove has to wait
	defer v.trimMu.Unlock()
	if v.removed {
		return 0, fmt.Errorf("%w: %d", blob.ErrNoVolume, v.id)
	}
	f, err := v.files.openWritable()
	if err != nil {
		return 0, untrimmable(err)
	}
	defer func() {
		if closeErr := f.Close(); err == nil {
			err = closeErr
		}
	}()
	size, err := v.foot(f)
	if err != nil {
		return 0, untrimmable(err)
	}
	holes, err := v.holesBetween(live, size-v.kind.figures().footer)
	if err != nil {
		return 0, err
	}
	_, before, err := v.files.usage(false)
	if err != nil {
		return 0, err
	}
	punchErr := punch(ctx, f, holes, punchHole)
	v.change()
	_, after, err := v.measure()
	if err != nil {
		return 0, err
	}
	return max(before-after, 0), punchErr
}

// untrimmable makes the error of a volume whose files are not the store's alone match
// errors.ErrUnsupported: a hard link, say, to somebody's copy, which would get the holes, too. What
// lives there can still be copied.
func untrimmable(err error) error {
	if entry := (*disk.EntryError)(nil); errors.As(err, &entry) {
		return fmt.Errorf("%w: %w", errors.ErrUnsupported, err)
	}
	return err
}

// foot returns the size of the log of a volume that has a footer. One that has none gets it now:
// without it, the next Open would look for records by the heads of those before, and miss what lies
// behind a hole.
func (v *volume) foot(f *os.File) (size int64, err error) {
	v.infoMu.Lock()
	footed := v.footed
	v.infoMu.Unlock()
	if !footed {
		if err := v.flush.err(); err != nil {
			// That stays so until the next Open. What can be read can be copied.
			return 0, fmt.Errorf(
				"%w: its log has no end, since a write failed: %w", errors.ErrUnsupported, err,
			)
		}
		var failed error
		found, err := v.inspect(func(err error) { failed = err })
		if err == nil && !found.footed {
			err = failed
		}
		if err != nil {
			return 0, err
		}
		v.infoMu.Lock()
		v.footed = true
		v.infoMu.Unlock()
	}
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

// holesBetween returns the whole blocks of a log, up to end, of which no byte belongs to a record
// of live, nor lies before the first record.
func (v *volume) holesBetween(live []blob.Ref, end int64) (holes []span, err error) {
	kept := make([]span, len(live), len(live)+1)
	for i, ref := range live {
		from := int64(ref.Offset)
		kept[i] = span{from, from + v.kind.recordSize(int64(ref.Size))}
		if ref.Volume != v.id || kept[i].to > end {
			// A list that is wrong must not decide what is destroyed.
			return nil, &blob.CorruptionError{
				Volume: v.id, ID: ref.ID,
				Reason: fmt.Sprintf(
					"its record of %d bytes at %d in volume %d cannot be here: the log has %d",
					ref.Size, ref.Offset, ref.Volume, end,
				),
			}
		}
	}
	slices.SortFunc(kept, func(a, b span) int { return cmp.Compare(a.from, b.from) })
	at := v.kind.figures().start
	for _, k := range append(kept, span{end, end}) {
		hole := span{disk.RoundUp(at), k.from / disk.BlockSize * disk.BlockSize} // inward
		if hole.from < hole.to {
			holes = append(holes, hole)
		}
		at = max(at, k.to)
	}
	return holes, nil
}

// punch punches the holes. It goes on after one that fails for want of space, since the next gives
// some.
func punch(
	ctx context.Context, f *os.File, holes []span,
	punchHole func(f *os.File, from, size int64) error,
) (err error) {
	for _, hole := range holes {
		if err := ctx.Err(); err != nil {
			return err
		}
		failed := punchHole(f, hole.from, hole.to-hole.from)
		if failed != nil && !disk.IsNoSpace(failed) {
			return failed
		}
		if err == nil {
			err = failed
		}
	}
	return err
}
