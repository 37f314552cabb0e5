package s3blob

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"maps"
	"slices"

	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/gabion-storage/gabion/blob"
)

// volume is one that is stored, as far as this store knows.
type volume struct {
	info     blob.VolumeInfo
	readers  int
	removing bool          // nobody begins to read it any more
	idle     chan struct{} // closed when the last reader leaves one that is being removed
}

// mostKnown is how many volumes are known at most, some 10 MB.
const mostKnown = 1 << 16

// knowLocked makes a volume known. Where there are as many as may be, another that nobody uses is
// forgotten; who wants that one looks for it again.
func (s *Store) knowLocked(v *volume) {
	if len(s.known) >= s.mostKnown {
		for id, other := range s.known { // in no order
			if other.readers == 0 && !other.removing {
				delete(s.known, id)
				break
			}
		}
	}
	s.known[v.info.ID] = v
}

// foundLocked returns the volume that was found, to be used, which keeps it known. When it was forgotten
// meanwhile it may have been found again: who reads it and who removes it must have the same one.
func (s *Store) foundLocked(v *volume) *volume {
	if s.known[v.info.ID] == nil {
		s.knowLocked(v)
	}
	return s.known[v.info.ID]
}

// Volumes implements blob.Store. Who reads a volume that it has listed need not look for it.
func (s *Store) Volumes(ctx context.Context) ([]blob.VolumeInfo, error) {
	if err := s.enter(ctx); err != nil {
		return nil, err
	}
	defer s.gate.Leave()
	// What is stored while others are listed may be missing there, so what waits comes first.
	s.mu.Lock()
	all := make(map[uint64]blob.VolumeInfo, len(s.groups)+len(s.known))
	for id, g := range s.groups {
		all[id] = g.info()
	}
	before := slices.Collect(maps.Keys(s.known))
	removed := s.removed
	s.mu.Unlock()

	listed := make(map[uint64]bool)
	pages := s3.NewListObjectsV2Paginator(s.client, &s3.ListObjectsV2Input{
		Bucket: &s.bucket, Prefix: new(s.options.Prefix + volumesDir),
	}, func(o *s3.ListObjectsV2PaginatorOptions) { o.StopOnDuplicateToken = true })
	for pages.HasMorePages() {
		page, err := s.listPage(ctx, pages)
		if err != nil {
			return nil, err
		}
		for _, info := range page {
			all[info.ID], listed[info.ID] = info, true
		}
	}

	s.mu.Lock()
	for _, id := range before {
		if !listed[id] && s.known[id] != nil && !s.known[id].removing {
			delete(s.known, id) // somebody else has removed it
		}
	}
	for id := range listed {
		// What this store has removed meanwhile may be listed all the same.
		if s.known[id] == nil && s.removed == removed && len(s.known) < s.mostKnown {
			s.known[id] = &volume{info: all[id]}
		}
	}
	s.mu.Unlock()
	return slices.SortedFunc(maps.Values(all), func(a, b blob.VolumeInfo) int {
		return cmp.Compare(a.ID, b.ID)
	}), nil
}

// listPage returns the volumes of the next page.
func (s *Store) listPage(
	ctx context.Context, pages *s3.ListObjectsV2Paginator,
) (infos []blob.VolumeInfo, err error) {
	ctx, cancel := context.WithTimeout(ctx, s.options.Timeout)
	defer cancel()
	page, err := pages.NextPage(ctx, s.tries)
	if err = listed(page, err); err != nil {
		return nil, failed("listing volumes", err)
	}
	for _, object := range page.Contents {
		if info, ok := s.parseVolume(*object.Key, *object.Size); ok {
			infos = append(infos, info)
		}
	}
	return infos, nil
}

// listed returns the error of a listing. The SDK takes an answer without anything for a list of
// nothing.
func listed(page *s3.ListObjectsV2Output, err error) error {
	if err == nil && page.Name == nil {
		return io.ErrUnexpectedEOF
	}
	return err
}

// find returns a volume that is stored, by whomever, or blob.ErrNoVolume.
func (s *Store) find(ctx context.Context, id uint64) (*volume, error) {
	s.mu.Lock()
	v := s.known[id]
	s.mu.Unlock()
	if v != nil {
		return v, nil
	}
	pages := s3.NewListObjectsV2Paginator(s.client, &s3.ListObjectsV2Input{
		Bucket: &s.bucket, Prefix: new(s.volumeStem(id)), MaxKeys: new(int32(1)),
	})
	infos, err := s.listPage(ctx, pages)
	if err != nil {
		return nil, err
	}
	if len(infos) == 0 {
		return nil, fmt.Errorf("%w: %d", blob.ErrNoVolume, id)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.foundLocked(&volume{info: infos[0]}), nil
}

// Remove implements blob.Store. It waits for the reads of this store alone: those of others end
// with what the object store still gives them.
func (s *Store) Remove(ctx context.Context, id uint64) error {
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.gate.Leave()
	s.mu.Lock()
	g := s.groups[id]
	active := g != nil && !g.sealed()
	s.mu.Unlock()
	switch {
	case active:
		return fmt.Errorf("%w: %d", blob.ErrVolumeActive, id)
	case g != nil:
		if err := g.over(ctx); err != nil {
			return err
		}
	}
	v, err := s.findOrWhy(ctx, id)
	if err != nil {
		return err
	}
	if v, err = s.beginRemoving(ctx, v); err != nil {
		return err
	}
	err = s.delete(ctx, s.volumeName(id, v.info.Frames))
	s.mu.Lock()
	defer s.mu.Unlock()
	v.removing = false
	if s.removed++; err == nil {
		delete(s.known, id)
	}
	return err
}

// beginRemoving has nobody begin to read the volume, and waits for who reads it.
func (s *Store) beginRemoving(ctx context.Context, v *volume) (*volume, error) {
	s.mu.Lock()
	v = s.foundLocked(v)
	if v.removing {
		s.mu.Unlock()
		return nil, fmt.Errorf("%w: %d", blob.ErrNoVolume, v.info.ID) // somebody else removes it
	}
	v.removing = true
	idle := make(chan struct{})
	if v.readers == 0 {
		close(idle)
	}
	v.idle = idle
	s.mu.Unlock()
	select {
	case <-idle:
		return v, nil
	case <-ctx.Done():
		s.mu.Lock()
		v.removing = false
		s.mu.Unlock()
		return nil, ctx.Err()
	}
}

// leave ends the reading of a volume.
func (s *Store) leave(v *volume) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if v.readers--; v.readers == 0 && v.removing {
		close(v.idle)
	}
}
