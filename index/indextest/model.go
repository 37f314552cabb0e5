package indextest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/gabion-storage/gabion/index"
)

// SeedVariable names the environment variable that replays the random tests with the seed that a
// failure has printed.
const SeedVariable = "GABION_SEED"

// Seed returns the seed of a random test, and logs it for a replay.
func Seed(t testing.TB) uint64 {
	t.Helper()
	seed := rand.Uint64()
	if text := os.Getenv(SeedVariable); text != "" {
		var err error
		if seed, err = strconv.ParseUint(text, 10, 64); err != nil {
			t.Fatalf("%s: %v", SeedVariable, err)
		}
	}
	t.Logf("%s=%d", SeedVariable, seed)
	return seed
}

var modelClauses = []clause{
	{"random calls of many goroutines match a model", func(t *tester) { History(t, t.s, t.s) }},
}

// History makes random calls of several stores that show the same records, such as those of two
// processes, each by many goroutines, and then looks for an order of them: every update must have
// seen all before it, every view all that had returned when it began, and never half of one. The
// stores must be empty.
func History(t testing.TB, stores ...index.Store) {
	t.Helper()
	seed := Seed(t)
	h := &history{updates: map[int]*trace{}}
	var running sync.WaitGroup
	for worker := range 3 * len(stores) {
		rng := rand.New(rand.NewPCG(seed, uint64(worker)))
		running.Go(func() {
			if err := h.work(t.Context(), stores[worker%len(stores)], rng); err != nil {
				t.Error(err)
			}
		})
	}
	running.Wait()
	if err := h.check(); err != nil {
		t.Error(err)
	}
}

// A history is what updates and views have done and seen. Every update counts a record up, and so
// says which one in their order it was.
type history struct {
	mu      sync.Mutex     // guards the fields below
	updates map[int]*trace // that have succeeded, by their number
	views   []*trace
	newest  int // the greatest number of an update that has returned
}

// A trace is what one call has done and seen, in its order.
type trace struct {
	after  int // the update whose state it saw
	oldest int // an update that had returned when it began
	steps  []func(state map[string]string) error
}

const versionKey = "version"

func (h *history) work(ctx context.Context, s index.Store, rng *rand.Rand) error {
	for range 60 {
		var seen *trace
		oldest := h.returned()
		switch rng.IntN(8) {
		case 0:
			keys := []string{versionKey, randomKey(rng), randomKey(rng)}
			r, err := index.Fetch(ctx, s, asBytes(keys)...)
			if err == nil {
				seen, err = begin(r)
			}
			if err != nil {
				return fmt.Errorf("get: %w", err)
			}
			if err := errors.Join(seen.get(r, keys[1]), seen.get(r, keys[2])); err != nil {
				return fmt.Errorf("get: %w", err)
			}
			h.add(seen, oldest, false)
			continue
		case 1, 2:
			err := s.View(ctx, func(r index.Reader) (err error) {
				seen, err = begin(r)
				return errors.Join(err, seen.scan(r, "", ""))
			})
			if err != nil {
				return fmt.Errorf("view: %w", err)
			}
			h.add(seen, oldest, false)
			continue
		}
		fails, seed := rng.IntN(4) == 0, rng.Uint64()
		err := s.Update(ctx, func(tx index.Tx) (err error) {
			seen, err = update(rand.New(rand.NewPCG(seed, 0)), tx)
			if fails && err == nil {
				err = errTest
			}
			return err
		})
		if fails != errors.Is(err, errTest) || !fails && err != nil {
			return fmt.Errorf("update: %w", err)
		}
		if !fails {
			h.add(seen, oldest, true)
		}
	}
	return nil
}

func (h *history) returned() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.newest
}

func (h *history) add(seen *trace, oldest int, updates bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	seen.oldest = oldest
	if !updates {
		h.views = append(h.views, seen)
		return
	}
	number := seen.after + 1
	h.updates[number] = seen
	h.newest = max(h.newest, number)
}

// check does what the updates did, in their order, to a map, and compares.
func (h *history) check() error {
	views := map[int][]*trace{}
	for _, v := range h.views {
		views[v.after] = append(views[v.after], v)
	}
	state := map[string]string{}
	for number := 0; ; number++ {
		for _, v := range views[number] {
			if err := v.replay(state); err != nil {
				return fmt.Errorf("a view after update %d: %w", number, err)
			}
		}
		u := h.updates[number+1]
		if u == nil {
			break
		}
		if err := u.replay(state); err != nil {
			return fmt.Errorf("update %d: %w", number+1, err)
		}
		state[versionKey] = strconv.Itoa(number + 1)
	}
	if len(h.updates) != h.newest {
		return fmt.Errorf("there are %d updates, the last has number %d", len(h.updates), h.newest)
	}
	return nil
}

func (s *trace) replay(state map[string]string) error {
	if s.after < s.oldest {
		return fmt.Errorf("it saw update %d, but %d had returned before", s.after, s.oldest)
	}
	for _, step := range s.steps {
		if err := step(state); err != nil {
			return err
		}
	}
	return nil
}

// begin begins a call.
func begin(r index.Reader) (*trace, error) {
	s := &trace{}
	text, err := r.Get([]byte(versionKey))
	if errors.Is(err, index.ErrNotFound) {
		return s, nil
	}
	if err == nil {
		s.after, err = strconv.Atoi(string(text))
	}
	return s, err
}

func update(rng *rand.Rand, tx index.Tx) (*trace, error) {
	s, err := begin(tx)
	if err != nil {
		return s, err
	}
	for range rng.IntN(12) {
		if err := s.step(rng, tx); err != nil {
			return s, err
		}
	}
	return s, putAll(tx, versionKey, strconv.Itoa(s.after+1))
}

// step makes one random call of a transaction.
func (s *trace) step(rng *rand.Rand, tx index.Tx) error {
	key := randomKey(rng)
	switch rng.IntN(5) {
	case 0, 1:
		val := fmt.Sprint(rng.Uint32())
		s.steps = append(s.steps, func(state map[string]string) error {
			state[key] = val
			return nil
		})
		return putAll(tx, key, val)
	case 2:
		s.steps = append(s.steps, func(state map[string]string) error {
			delete(state, key)
			return nil
		})
		return deleteAll(tx, key)
	case 3:
		return s.get(tx, key)
	default:
		return s.scan(tx, key, randomKey(rng))
	}
}

func (s *trace) get(r index.Reader, key string) error {
	got, err := r.Get([]byte(key))
	absent := errors.Is(err, index.ErrNotFound)
	if err != nil && !absent {
		return err
	}
	s.steps = append(s.steps, func(state map[string]string) error {
		if want, there := state[key]; there == absent || string(got) != want {
			return fmt.Errorf("get(%q) = %q, absent %v, want %q, %v", key, got, absent, want, !there)
		}
		return nil
	})
	return nil
}

// scan scans from start to end; an empty end is none.
func (s *trace) scan(r index.Reader, start, end string) error {
	var bound []byte
	if end != "" {
		bound = []byte(end)
	}
	got, err := scanAll(r, []byte(start), bound)
	if err != nil {
		return err
	}
	s.steps = append(s.steps, func(state map[string]string) error {
		var want []string
		for _, key := range slices.Sorted(maps.Keys(state)) {
			if key >= start && (end == "" || key < end) {
				want = append(want, key, state[key])
			}
		}
		if !slices.Equal(got, want) {
			return fmt.Errorf("scan(%q, %q) shows %q, want %q", start, end, got, want)
		}
		return nil
	})
	return nil
}

// randomKey has few values, so that calls meet.
func randomKey(rng *rand.Rand) string {
	const letters = "\x00ab\xFF"
	var key strings.Builder
	key.WriteString("k")
	for range rng.IntN(4) {
		key.WriteByte(letters[rng.IntN(len(letters))])
	}
	return key.String()
}
