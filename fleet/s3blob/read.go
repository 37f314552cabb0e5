package s3blob

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	smithytime "github.com/aws/smithy-go/time"

	"github.com/gabion-storage/gabion/blob"
)

// Get implements blob.Store.
func (s *Store) Get(ctx context.Context, ref blob.Ref, buf []byte) ([]byte, error) {
	if err := s.enter(ctx); err != nil {
		return nil, err
	}
	defer s.gate.Leave()
	frame, err := s.waiting(ref)
	if frame != nil || err != nil {
		return append(buf[:0], frame...), err
	}
	var head [recordHeader]byte
	err = s.read(ctx, ref, int64(recordHeader)+int64(ref.Size), func(record io.Reader) error {
		if _, err := io.ReadFull(record, head[:]); err != nil {
			return err
		}
		if err := checkHeader(head[:], ref); err != nil {
			return err
		}
		// Not before, so that nobody's claim has memory allocated.
		buf = slices.Grow(buf[:0], int(ref.Size))[:ref.Size]
		_, err := io.ReadFull(record, buf)
		return err
	})
	if err != nil {
		return nil, err
	}
	return buf, checkFrame(head[:], buf, ref)
}

// Probe implements blob.Store.
func (s *Store) Probe(ctx context.Context, ref blob.Ref) error {
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.gate.Leave()
	frame, err := s.waiting(ref)
	if frame != nil || err != nil {
		return err
	}
	return s.read(ctx, ref, int64(recordHeader), func(record io.Reader) error {
		var head [recordHeader]byte
		if _, err := io.ReadFull(record, head[:]); err != nil {
			return err
		}
		return checkHeader(head[:], ref)
	})
}

// waiting returns a frame that is not stored yet, and nil for others.
func (s *Store) waiting(ref blob.Ref) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	g := s.groups[ref.Volume]
	if g == nil {
		return nil, nil
	}
	return g.find(ref) // the records of a group do not change
}

// read has use read length bytes from where ref is. It tries again when the connection ends amid
// them.
func (s *Store) read(ctx context.Context, ref blob.Ref, length int64, use func(io.Reader) error) error {
	v, err := s.use(ctx, ref.Volume)
	if errors.Is(err, blob.ErrNoVolume) {
		return corrupt(ref, "the volume is missing", nil)
	}
	if err != nil {
		return err
	}
	defer s.leave(v)
	end := int64(ref.Offset) + int64(recordHeader) + int64(ref.Size)
	if ref.Offset < uint32(len(magic)) || end > v.info.Size {
		return corrupt(ref, fmt.Sprintf("the volume has %d bytes, the frame would end at %d",
			v.info.Size, end), v.info.Damage)
	}
	if err := s.reads.Acquire(ctx, 1); err != nil {
		return err
	}
	defer s.reads.Release(1)
	within, cancel := context.WithTimeout(ctx, s.options.Timeout)
	defer cancel()
	err = s.whole(within, func() (cut bool, err error) { return s.readOnce(within, v, ref, length, use) })
	return ended(ctx, err)
}

// whole has once read an answer, and again, as often as a request is tried, while it is cut: the
// client tries again only what has not been answered. When ctx ends, the error is that of the last try.
func (s *Store) whole(ctx context.Context, once func() (cut bool, err error)) error {
	backoff := retry.NewExponentialJitterBackoff(retry.DefaultMaxBackoff)
	for attempt := 1; ; attempt++ {
		cut, err := once()
		if !cut || attempt >= s.options.Attempts {
			return err
		}
		delay, told := backoff.BackoffDelay(attempt, err)
		if told != nil || smithytime.SleepWithContext(ctx, delay) != nil {
			return err
		}
	}
}

// readOnce is a read without another attempt once the answer has begun: cut says that it ended early.
// Requests that were not answered the client has tried again by then.
func (s *Store) readOnce(
	ctx context.Context, v *volume, ref blob.Ref, length int64, use func(io.Reader) error,
) (cut bool, err error) {
	begin := int64(ref.Offset)
	res, err := s.client.GetObject(ctx, &s3.GetObjectInput{
		Bucket: &s.bucket, Key: new(s.volumeName(ref.Volume, v.info.Frames)),
		Range: new(fmt.Sprintf("bytes=%d-%d", begin, begin+length-1)),
	}, s.tries)
	if isMissing(err) {
		s.mu.Lock()
		delete(s.known, ref.Volume)
		s.mu.Unlock()
		return false, corrupt(ref, "the volume is missing", err)
	}
	if isRange(err) {
		return false, corrupt(ref, "the volume ends before the frame", err)
	}
	if err != nil {
		return false, failed("reading a frame", err)
	}
	defer res.Body.Close()
	if res.ContentLength != nil && *res.ContentLength < length {
		return false, corrupt(ref,
			fmt.Sprintf("the volume ends %d bytes into the record", *res.ContentLength), nil)
	}
	err = use(res.Body)
	var damage *blob.CorruptionError
	switch {
	case err == nil || errors.As(err, &damage):
		return false, err
	default:
		return true, unavailable("reading a frame", err)
	}
}

// use begins the reading of a volume, which must be left.
func (s *Store) use(ctx context.Context, id uint64) (*volume, error) {
	v, err := s.find(ctx, id)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	v = s.foundLocked(v)
	if v.removing {
		return nil, fmt.Errorf("%w: %d", blob.ErrNoVolume, id)
	}
	v.readers++
	return v, nil
}
