// Package enginetest has a model of an engine, and what compares an engine with it. Tests of engine run
// it over the stores of the module, and those of other modules over theirs.
package enginetest

import (
	"os"
	"strconv"

	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/gabion-storage/gabion/engine"
)

// A History is how a random history of an engine goes.
type History struct {
	// Open opens an engine with chunks of this size and a memory budget of four of them, and then
	// the same store again. Of several that have it open, any takes the next step.
	Open func(chunkSize int) []*engine.Engine

	// Close closes the engine before Open is called again; nil is its Close.
	Close func(*engine.Engine) error

	// Nodes says that the engines are nodes of a fleet. While a node has an Object open, nothing is
	// swept that was deleted since, so the model closes those that it has before it counts. Open
	// closes the nodes that it does not return again, and Close is not called.
	Nodes bool

	Rand       *rand.Rand
	ChunkSizes []int               // taken in turn, a new one at every opening
	Encrypted  bool                // some of what is uploaded
	Blocks     int                 // bodies are made of so few different blocks; 0 means of fresh bytes
	Scopes     []engine.DedupScope // that buckets may have; nil: the default one
}

// Live lives a history of so many steps, and compares what an engine does and has with a model of
// plain maps. At the end the store is empty.
func (h History) Live(t testing.TB, steps int) {
	if h.Scopes == nil {
		h.Scopes = []engine.DedupScope{""}
	}
	if h.Close == nil {
		h.Close = (*engine.Engine).Close
	}
	live := &history{
		History: h, t: t, buckets: map[string]bool{}, dedup: map[string]string{},
		objects: map[place]*modelObject{}, outcomes: map[string]int{},
	}
	live.live(steps)
}

// A history is a store, and a model of what it should hold.
type history struct {
	History
	t       testing.TB
	engines []*engine.Engine
	e       *engine.Engine // of them, whose turn it is
	log     []string       // what was done

	chunkSize int
	opens     int

	buckets map[string]bool
	dedup   map[string]string // what stands for the scope of a bucket: see modelPart
	uploads []*modelUpload
	gone    []*modelUpload // completed or aborted
	objects map[place]*modelObject
	readers []*modelReader
	bodies  [][]byte // of earlier parts

	made     int            // keys of scopes
	outcomes map[string]int // how often what happened
}

type place struct{ bucket, key string }

type modelUpload struct {
	place
	id, sse string
	parts   map[int]*modelPart
}

type modelPart struct {
	body   []byte
	chunks [][]byte // what it is split into
	key    string   // of its encryption or scope, or empty: equal chunks under one key are one
	inline bool     // it is in the index
}

// A modelContent is what copies of an object share.
type modelContent struct {
	parts []*modelPart
}

type modelObject struct {
	content *modelContent
	sse     string
	etag    string
	body    []byte
}

type modelReader struct {
	object *modelObject
	from   *engine.Object
}

// live lives the history.
func (h *history) live(steps int) {
	h.reopen()
	for range steps {
		h.step()
	}
	h.reopen()
	h.check()
	h.deleteEverything()
	h.t.Log(h.outcomes)
}

func (h *history) did(format string, args ...any) {
	h.log = append(h.log, fmt.Sprintf(format, args...))
}

// fail ends the test with the latest steps.
func (h *history) fail(format string, args ...any) {
	h.t.Helper()
	tail := h.log[max(0, len(h.log)-40):]
	h.t.Fatalf("step %d: %s\nthe latest steps:\n%s", len(h.log), fmt.Sprintf(format, args...), strings.Join(tail, "\n"))
}

// want compares an error with the one of the model.
func (h *history) want(err, want error) {
	h.t.Helper()
	if !errors.Is(err, want) {
		h.fail("error is %v, want %v", err, want)
	}
	op, _, _ := strings.Cut(h.log[len(h.log)-1], " ")
	if want != nil {
		op += ":" + codeOf(h.t, err)
	}
	h.outcomes[op]++
}

func (h *history) step() {
	h.e = h.engines[h.Rand.IntN(len(h.engines))]
	steps := []struct {
		weight int
		do     func()
	}{
		{24, h.uploadPart}, {14, h.complete}, {10, h.initiate}, {2, h.abort}, {6, h.deleteObject}, {8, h.readRange},
		{4, h.listParts}, {4, h.listObjects}, {5, h.openReader}, {4, h.useReader}, {3, h.closeReader},
		{5, h.createBucket}, {2, h.deleteBucket}, {4, h.count}, {1, h.reopen}, {3, h.useWhatIsGone},
		{8, h.putObject}, {8, h.copyObject}, {6, h.copyPart}, {4, h.listUploads}, {2, h.deleteObjects},
	}
	total := 0
	for _, s := range steps {
		total += s.weight
	}
	n := h.Rand.IntN(total)
	for _, s := range steps {
		if n -= s.weight; n < 0 {
			s.do()
			return
		}
	}
}

func (h *history) reopen() {
	switch {
	case h.Nodes:
		h.did("close a node and open another")
		h.closeReaders()
	case h.e != nil:
		h.did("close and open again")
		if err := h.Close(h.e); err != nil {
			h.fail("Close: %v", err)
		}
		h.closeReaders()
	}
	h.chunkSize = h.ChunkSizes[h.opens%len(h.ChunkSizes)]
	h.opens++
	h.engines = h.Open(h.chunkSize)
	h.e = h.engines[len(h.engines)-1]
}

// codeOf is the code of an error, which every error of every operation has.
func codeOf(t testing.TB, err error) string {
	t.Helper()
	var e *engine.Error
	if !errors.As(err, &e) {
		t.Fatalf("error is %v (%T), want an *engine.Error", err, err)
	}
	return e.Code
}

// Steps is how many steps a history has: as GABION_STEPS says, or usual.
func Steps(t testing.TB, usual int) int {
	t.Helper()
	text := os.Getenv("GABION_STEPS")
	if text == "" {
		return usual
	}
	steps, err := strconv.Atoi(text)
	if err != nil {
		t.Fatalf("GABION_STEPS: %v", err)
	}
	return steps
}
