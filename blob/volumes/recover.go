package volumes

import (
	"errors"
	"fmt"
	"io"
	"iter"

	"github.com/gabion-storage/gabion/blob"
)

// errVacant says that a volume has no log, nor ever had: a crash came while it was made.
var errVacant = errors.New("blob: the volume has no log")

// load fills in what a volume found on disk holds, recovering it first if it was not sealed. It
// reports whether the volume never held anything: a crash came before its first batch.
func (v *volume) load(alarm func(error)) (empty bool) {
	named := func(err error) { alarm(fmt.Errorf("blob: recovering volume %d: %w", v.id, err)) }
	found, err := v.inspect(named)
	if err != nil {
		v.info = blob.VolumeInfo{ID: v.id, Damage: err}
		_, _, _ = v.measure() // describe tries again
		return false
	}
	v.info = blob.VolumeInfo{ID: v.id, Frames: found.frames, Bytes: found.bytes}
	v.footed = found.footed
	if _, _, err := v.measure(); err != nil {
		named(err) // here, too
	}
	return found.end <= v.kind.figures().start
}

func (v *volume) inspect(alarm func(error)) (found contents, err error) {
	f, err := v.files.open()
	if errors.Is(err, errVacant) {
		return contents{}, nil
	}
	if err != nil {
		return contents{}, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	info, err := f.Stat()
	if err != nil {
		return contents{}, err
	}
	if longest := v.kind.figures().longest; info.Size() > longest {
		// Looking through a terabyte of nothing would take hours.
		return contents{}, fmt.Errorf(
			"the log has %d bytes, a volume has at most %d", info.Size(), longest,
		)
	}
	if found, err = v.files.footer(f, info.Size()); err != nil || found.footed {
		return found, err
	}
	found, err = survey(v.kind, f, info.Size())
	if err != nil || found.end <= v.kind.figures().start {
		return found, err
	}
	if err := v.files.finish(found); err != nil {
		alarm(err) // on a full disk, say; the frames can be read all the same
		return found, nil
	}
	found.footed = true
	return found, nil
}

// survey counts what a log of so many bytes holds.
func survey(k kind, log io.ReaderAt, size int64) (found contents, err error) {
	found.end = k.figures().start
	for ref, err := range records(k, log, size) {
		if err != nil {
			return contents{}, err
		}
		found.frames++
		found.bytes += int64(ref.Size)
		found.end = int64(ref.Offset) + k.recordSize(int64(ref.Size))
	}
	found.end, err = lastData(log, found.end, size)
	return found, err
}

// records yields the records of a log of so many bytes, in order, which it finds by their heads. An
// error comes last.
func records(k kind, log io.ReaderAt, size int64) iter.Seq2[blob.Ref, error] {
	figures := k.figures()
	return func(yield func(blob.Ref, error) bool) {
		var head [maxHeadSize]byte
		for at := figures.start; at+figures.minRecord <= size; {
			n, err := log.ReadAt(head[:], at)
			if err != nil && err != io.EOF {
				yield(blob.Ref{}, err)
				return
			}
			ref, ok := k.parse(head[:n], at)
			next := at + k.recordSize(int64(ref.Size))
			if !ok || next > size {
				if at, err = k.resume(log, at+1, size); err != nil {
					yield(blob.Ref{}, err)
					return
				}
				continue
			}
			if !yield(ref, nil) {
				return
			}
			at = next
		}
	}
}

// lastData returns where the last data between from and size ends, or from: behind the last record
// that was found there may be one whose head is damaged. Its checksum may end in zeros, so what
// it could take behind the last byte that is not zero counts, too, but no more than there is: a
// record that ends behind the log is none.
func lastData(log io.ReaderAt, from, size int64) (int64, error) {
	block := make([]byte, 256<<10)
	for end := size; end > from; {
		n := min(end-from, int64(len(block)))
		if _, err := log.ReadAt(block[:n], end-n); err != nil {
			return 0, err
		}
		for i := n; i > 0; i-- {
			if block[i-1] != 0 {
				return min(end-n+i+sumSize, size), nil
			}
		}
		end -= n
	}
	return from, nil
}
