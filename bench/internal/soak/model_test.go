package soak_test

import (
	"strings"
	"testing"

	"github.com/gabion-storage/gabion/bench/internal/soak"
)

// A history is calls on key 0 of a model.
type history struct {
	t *testing.T
	*soak.Model
}

func newHistory(t *testing.T) *history { return &history{t, soak.NewModel(2)} }

// content has a size of its own for every write.
func content(id uint64) soak.Held {
	return soak.Held{Content: soak.Content{Seed: id, Size: int64(1000 * id)}}
}

func (h *history) put(o soak.Outcome) (id uint64) {
	h.t.Helper()
	w, id := h.begin()
	h.end(w, o)
	return id
}

func (h *history) begin() (*soak.Write, uint64) {
	id := h.NewID()
	return h.Put(0, id, content(id)), id
}

func (h *history) delete(o soak.Outcome) { h.t.Helper(); h.end(h.Delete(0), o) }

func (h *history) end(w *soak.Write, o soak.Outcome) {
	h.t.Helper()
	if err := w.End(o); err != nil {
		h.t.Error(err)
	}
}

// sees has a look see a write, 0 for nothing. right says whether that can be.
func (h *history) sees(l *soak.Look, id uint64, right bool) {
	h.t.Helper()
	defer l.End()
	_, err := l.Saw(0, id)
	if (err == nil) != right || err != nil && !isWrong(err) {
		h.t.Errorf("seeing %d: %v, want it right: %v", id, err, right)
	}
}

func (h *history) now(id uint64, right bool) { h.t.Helper(); h.sees(h.Look(), id, right) }

func (h *history) live(want int64) {
	h.t.Helper()
	if got := soak.BytesOf(h.Live()); got != want {
		h.t.Errorf("%d bytes are live, want %d", got, want)
	}
}

func TestModelOneAfterTheOther(t *testing.T) {
	h := newHistory(t)
	h.now(0, true)
	h.now(77, false) // nobody wrote it
	one := h.put(soak.Done)
	h.now(one, true)
	h.now(0, false) // lost
	h.live(1000)
	two := h.put(soak.Done)
	h.now(one, false) // stale
	h.now(two, true)
	h.live(2000)
	h.delete(soak.Done)
	h.now(0, true)
	h.now(two, false) // resurrected
	h.live(0)
}

func TestModelReadsBesideWrites(t *testing.T) {
	h := newHistory(t)
	one := h.put(soak.Done)
	before := h.Look()
	w, two := h.begin()
	h.live(1000) // what is under way counts elsewhere
	h.now(one, true)
	besides := []*soak.Look{h.Look(), h.Look(), h.Look()}
	h.end(w, soak.Done)
	h.sees(before, one, true) // both overlap the write
	h.sees(besides[0], one, true)
	h.sees(besides[1], two, true)
	h.sees(besides[2], 0, false)
	h.now(one, false)
	h.now(two, true)
}

// Once a read has seen a write under way, no later one may see what was before.
func TestModelReadsGoOn(t *testing.T) {
	h := newHistory(t)
	one := h.put(soak.Done)
	early := h.Look()
	w, two := h.begin()
	h.now(one, true)
	h.now(two, true)
	h.now(one, false)
	h.now(0, false)
	h.sees(early, one, true)
	h.end(w, soak.Done)
	h.now(two, true)
}

func TestModelWritesBesideEachOther(t *testing.T) {
	h := newHistory(t)
	a, one := h.begin()
	b, two := h.begin()
	h.end(b, soak.Done)
	h.end(a, soak.Done)
	h.now(0, false)
	h.now(two, true) // either may have been the last
	h.now(one, true) // and a read between them may have seen the other: the model is lenient here
	three := h.put(soak.Done)
	h.now(one, false)
	h.now(two, false)
	h.now(three, true)
}

func TestModelUnknownOutcome(t *testing.T) {
	h := newHistory(t)
	one := h.put(soak.Done)
	two := h.put(soak.Unknown)
	h.live(3000) // one of them
	late := []*soak.Look{h.Look(), h.Look()}
	h.sees(late[0], one, true) // so two did not take effect
	h.sees(late[1], two, false)
	h.live(1000)
	three := h.put(soak.Unknown)
	h.now(three, true) // so it did
	h.now(one, false)
	h.live(3000)
	h.delete(soak.Unknown)
	h.now(three, true)
	h.now(0, false)
	h.delete(soak.Unknown)
	h.now(0, true)
	four := h.put(soak.Unknown)
	h.put(soak.Done)
	h.now(four, false)
}

func TestModelRefusedWrite(t *testing.T) {
	h := newHistory(t)
	one := h.put(soak.Done)
	two := h.put(soak.Refused)
	h.now(two, false)
	h.now(one, true)
	h.live(1000)
	w, three := h.begin()
	h.now(three, true)
	if err := w.End(soak.Refused); !isWrong(err) {
		t.Errorf("a write that was seen may be refused: %v", err)
	}
}

// What no look may see is forgotten, as soon as the last one that might has ended.
func TestModelForgets(t *testing.T) {
	h := newHistory(t)
	h.put(soak.Done)
	early := h.Look()
	h.put(soak.Done)
	known := func() bool {
		l := h.Look()
		defer l.End()
		_, err := l.Saw(0, 99)
		return strings.Contains(err.Error(), "write 1 of 1000 bytes")
	}
	if !known() {
		t.Error("what a look may see is forgotten")
	}
	early.End()
	h.put(soak.Done)
	if known() {
		t.Error("the first write is still known")
	}
}

// Duplicates count once, and as long as any key has them.
func TestModelLive(t *testing.T) {
	h := newHistory(t)
	what := content(5)
	for key := range 2 {
		h.end(h.Put(key, h.NewID(), what), soak.Done)
	}
	h.live(5000)
	for key := range 2 {
		h.live(5000)
		h.end(h.Model.Delete(key), soak.Done)
	}
	h.live(0)
}
