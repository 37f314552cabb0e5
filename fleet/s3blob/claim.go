package s3blob

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// ErrUnconditional is returned by Put when the object store ignores conditions of writing, and
// Options.Claim is not there to say which numbers are free.
var ErrUnconditional = errors.New("s3blob: the object store ignores If-None-Match")

// claim sees to it that there is a number for the next volume.
func (s *Store) claim(ctx context.Context) error {
	if _, claimed := s.claimed(); claimed {
		return nil
	}
	select {
	case <-s.claims:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { s.claims <- struct{}{} }()
	after, claimed := s.claimed()
	if claimed {
		return nil
	}
	claim := s.options.Claim
	if claim == nil {
		claim = s.claimByWriting
	}
	opening, err := claim(ctx, after+1)
	if err != nil {
		return ended(ctx, err)
	}
	if opening <= after || opening >= MaxOpenings {
		return fmt.Errorf("s3blob: the opening has the number %d, must be from %d and below %d",
			opening, after+1, uint64(MaxOpenings))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.open != nil {
		s.sealLocked(s.open)
	}
	s.opening, s.next, s.after = opening, 0, max(s.after, opening-1)
	return nil
}

// claimed says whether there is a number for the next volume, and above which opening it has to be.
// Half the numbers are enough for an opening: who has looked may take one later.
func (s *Store) claimed() (after uint64, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.opening > 0 && s.next < 1<<(volumeBits-1) {
		return s.opening, true
	}
	return max(s.after, s.opening), false
}

// claimByWriting claims a number by an object of that name, which is written only if it is not there.
// The names descend, so that the greatest number is listed first. The objects stay: what they claim
// was used.
func (s *Store) claimByWriting(ctx context.Context, least uint64) (uint64, error) {
	ctx, cancel := context.WithTimeout(ctx, s.options.Timeout)
	defer cancel()
	last, err := s.lastOpening(ctx)
	if err != nil {
		return 0, failed("listing openings", err)
	}
	for opening := max(least, last+1); opening < MaxOpenings; opening++ {
		ours, err := s.claimOpening(ctx, s.openingName(opening))
		if err != nil {
			return 0, failed("claiming a number", err)
		}
		if ours {
			return opening, nil
		}
	}
	return 0, errors.New("s3blob: no opening has a number left")
}

// lastOpening is the greatest number that is claimed.
func (s *Store) lastOpening(ctx context.Context) (uint64, error) {
	res, err := s.client.ListObjectsV2(ctx, &s3.ListObjectsV2Input{
		Bucket: &s.bucket, Prefix: new(s.options.Prefix + openingsDir), MaxKeys: new(int32(1)),
	}, s.tries)
	if err = listed(res, err); err != nil || len(res.Contents) == 0 {
		return 0, err
	}
	name := *res.Contents[0].Key
	last, ok := s.parseOpening(name)
	if !ok {
		return 0, fmt.Errorf("%s is no opening", name)
	}
	return last, nil
}

// claimOpening writes the object, and says whether it is ours. What it says tells that: an answer to
// the write may have been lost, and then the next attempt finds the object there. A second write
// shows whether the object store heeds conditions.
func (s *Store) claimOpening(ctx context.Context, name string) (ours bool, err error) {
	token := rand.Text()
	err = s.put(ctx, name, strings.NewReader(token), nil)
	if err == nil {
		if err = s.put(ctx, name, strings.NewReader(rand.Text()), nil); err == nil {
			return false, ErrUnconditional
		}
	}
	if !isThere(err) {
		return false, err
	}
	var is []byte
	err = s.whole(ctx, func() (cut bool, err error) {
		res, err := s.client.GetObject(ctx, &s3.GetObjectInput{Bucket: &s.bucket, Key: &name}, s.tries)
		if err != nil {
			return false, err
		}
		defer res.Body.Close()
		is, err = io.ReadAll(io.LimitReader(res.Body, int64(len(token))+1))
		return err != nil && isUnavailable(err), err
	})
	return string(is) == token, err
}
