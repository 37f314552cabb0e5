package volumes

import (
	"slices"
	"sync"
)

// readerCache bounds how many sealed volumes are open. It closes the one opened longest ago: reads
// of a store come in runs over neighbouring volumes, and opening again costs less than a
// millisecond.
type readerCache struct {
	limit int

	mu   sync.Mutex // guards open
	open []*volume  // in order of opening
}

// opened notes that v has just been opened and closes volumes over the limit.
func (c *readerCache) opened(v *volume) error {
	c.mu.Lock()
	if !slices.Contains(c.open, v) {
		c.open = append(c.open, v)
	}
	var old *volume
	if len(c.open) > c.limit {
		old = c.open[0] // in a statement of its own: Delete moves another one there
		c.open = slices.Delete(c.open, 0, 1)
	}
	c.mu.Unlock()
	if old == nil {
		return nil
	}
	return old.release()
}

// forget drops a volume that has been removed.
func (c *readerCache) forget(v *volume) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.open = slices.DeleteFunc(c.open, func(o *volume) bool { return o == v })
}
