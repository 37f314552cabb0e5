package volumes

// A nextVolume is being made while its writer still appends to another one: that takes a flush,
// which puts would have to wait for. It takes no space yet.
type nextVolume struct {
	made   chan struct{} // closed when the volume is, or cannot be
	volume *volume       // nil if it cannot be made
}

// prepareNext begins to make the next volume when the present one is half full. What hinders it now
// may be over when the volume is needed, so nobody is told.
func (w *writer) prepareNext() {
	if w.next != nil || !w.volume.halfFull(w.store.opts.VolumeSize) {
		return
	}
	if _, err := w.room(allocateAhead + w.store.kind.figures().createSpace); err != nil {
		return
	}
	n := &nextVolume{made: make(chan struct{})}
	w.next = n
	go func() {
		defer close(n.made)
		n.volume, _ = w.store.create()
	}()
}

// takeNext returns a volume to append to, which from now on is one of the store.
func (w *writer) takeNext() (*volume, error) {
	var v *volume
	if n := w.next; n != nil {
		<-n.made
		w.next, v = nil, n.volume
	}
	if v == nil {
		var err error
		if v, err = w.store.create(); err != nil {
			return nil, err
		}
	}
	w.store.adopt(v)
	return v, nil
}

// dropNext deletes a volume that nobody has needed.
func (w *writer) dropNext() {
	if w.next == nil {
		return
	}
	<-w.next.made
	if v := w.next.volume; v != nil {
		if err := v.discard(); err != nil {
			w.store.opts.Alarm(err)
		}
	}
	w.next = nil
}
