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
	{"random calls of many goroutines match a model", testModel},
}

// A model is the history of a store: the records after each update that succeeded. The store keeps
// the number of its last update under versionKey, so that a view can be compared with the one state
// it has to show.
type model struct {
	*tester
	mu     sync.Mutex // guards states
	states []map[string]string
}

const versionKey = "version"

func testModel(t *tester) {
	seed := Seed(t)
	m := &model{tester: t, states: []map[string]string{{}}}
	var done []<-chan error
	for worker := range 6 {
		rng := rand.New(rand.NewPCG(seed, uint64(worker)))
		done = append(
			done, t.background(func(ctx context.Context) error { return m.work(ctx, rng) }),
		)
	}
	for _, d := range done {
		if err := t.wait(d); err != nil {
			t.Error(err)
		}
	}
	t.view(m.compare)
}

func (m *model) work(ctx context.Context, rng *rand.Rand) error {
	for range 60 {
		if rng.IntN(4) == 0 {
			if err := m.s.View(ctx, m.compare); err != nil {
				return err
			}
			continue
		}
		fails := rng.IntN(4) == 0
		err := m.s.Update(ctx, func(tx index.Tx) error { return m.update(rng, tx, fails) })
		if fails != errors.Is(err, errTest) || !fails && err != nil {
			return fmt.Errorf("update: %w", err)
		}
	}
	return nil
}

// update does the same to the store and to the model. It runs where updates run, one after another,
// and that is the order of the states.
func (m *model) update(rng *rand.Rand, tx index.Tx, fails bool) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	state := maps.Clone(m.states[len(m.states)-1])
	for range rng.IntN(12) {
		if err := step(rng, tx, state); err != nil {
			return err
		}
	}
	if fails {
		return errTest
	}
	state[versionKey] = fmt.Sprint(len(m.states))
	if err := putAll(tx, versionKey, state[versionKey]); err != nil {
		return err
	}
	m.states = append(m.states, state)
	return nil
}

// step makes one random call and checks it.
func step(rng *rand.Rand, tx index.Tx, state map[string]string) error {
	key := randomKey(rng)
	switch rng.IntN(5) {
	case 0, 1:
		val := fmt.Sprint(rng.Uint32())
		state[key] = val
		return putAll(tx, key, val)
	case 2:
		delete(state, key)
		return deleteAll(tx, key)
	case 3:
		got, err := tx.Get([]byte(key))
		want, there := state[key]
		if there && (err != nil || string(got) != want) ||
			!there && !errors.Is(err, index.ErrNotFound) {
			return fmt.Errorf("get(%q) = %q, %w, want %q, %v", key, got, err, want, there)
		}
		return nil
	default:
		return compareScan(tx, state, key, randomKey(rng))
	}
}

// randomKey has few values, so that calls meet.
func randomKey(rng *rand.Rand) string {
	const letters = "\x00ab\xFF"
	key := "k"
	for range rng.IntN(4) {
		key += string(letters[rng.IntN(len(letters))])
	}
	return key
}

// compare checks a view against the state it claims to show.
func (m *model) compare(r index.Reader) error {
	version := 0
	text, err := r.Get([]byte(versionKey))
	if err == nil {
		version, err = strconv.Atoi(string(text))
	}
	if err != nil && !errors.Is(err, index.ErrNotFound) {
		return err
	}
	m.mu.Lock()
	state := m.states[version]
	m.mu.Unlock()
	return compareScan(r, state, "", "")
}

// compareScan checks a scan from start to end; an empty end is none.
func compareScan(r index.Reader, state map[string]string, start, end string) error {
	var bound []byte
	if end != "" {
		bound = []byte(end)
	}
	got, err := scanAll(r, []byte(start), bound)
	if err != nil {
		return err
	}
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
}
