package indextest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"github.com/gabion-storage/gabion/index"
)

var errTest = errors.New("the test wants this update to fail")

var updateClauses = []clause{
	{"Update runs one after another, none is lost", testSerial},
	{"Tx sees its own writes over what is stored", testOwnWrites},
	{"Tx scans the state at the start of the loop", testScanWhileWriting},
	{"Tx sees the updates before it, also of its own group", testGroup},
	{"a failing Update leaves no trace and returns that very error", func(t *tester) {
		t.put("a", "1", "b", "2")
		err := t.s.Update(t.Context(), func(tx index.Tx) error {
			return errors.Join(putAll(tx, "a", "x", "c", "x"), deleteAll(tx, "b"), errTest)
		})
		if !errors.Is(err, errTest) {
			t.Errorf("Update: %v, want the function's error", err)
		}
		if err := t.s.Update(t.Context(), func(index.Tx) error { return errTest }); err != errTest {
			t.Errorf("Update: %v, want the very error", err)
		}
		t.want("a", "1", "b", "2")
	}},
	{"a failing Update does not fail its neighbours", testNeighbours},
	{"a panic is an error of its Update alone", testPanic},
	{"a context that ended keeps an Update from starting", testEndedContext},
	{"a context that ends keeps a queued Update from starting", testQueuedContext},
	{"a context that ends does not stop an Update that runs", testRunningContext},
	{"of an Update only the last run has an effect", testLastRun},
}

func testSerial(t *tester) {
	const writers, each = 8, 40
	var done []<-chan error
	for w := range writers {
		done = append(done, t.background(func(ctx context.Context) error {
			for range each {
				if err := t.s.Update(ctx, increment("all", fmt.Sprint(w))); err != nil {
					return err
				}
			}
			return nil
		}))
	}
	for _, d := range done {
		if err := t.wait(d); err != nil {
			t.Fatal(err)
		}
	}
	var want []string
	for w := range writers {
		want = append(want, fmt.Sprint(w), fmt.Sprint(each))
	}
	t.want(append(want, "all", fmt.Sprint(writers*each))...)
}

// increment counts up the decimal number under each key.
func increment(keys ...string) func(index.Tx) error {
	return func(tx index.Tx) error {
		for _, key := range keys {
			n := 0
			text, err := tx.Get([]byte(key))
			if err == nil {
				n, err = strconv.Atoi(string(text))
			}
			if err != nil && !errors.Is(err, index.ErrNotFound) {
				return err
			}
			if err := putAll(tx, key, strconv.Itoa(n+1)); err != nil {
				return err
			}
		}
		return nil
	}
}

func testOwnWrites(t *tester) {
	t.put("b", "2", "d", "4", "f", "6", "h", "8")
	t.update(func(tx index.Tx) error {
		steps := []struct {
			put, delete []string
			want        []string
		}{
			{want: []string{"b", "2", "d", "4", "f", "6", "h", "8"}},
			{
				put: []string{"a", "1", "c", "3", "i", "9"},
				want: []string{
					"a", "1", "b", "2", "c", "3", "d", "4", "f", "6", "h", "8", "i", "9",
				},
			},
			{
				put: []string{"b", "two"}, delete: []string{"d"},
				want: []string{"a", "1", "b", "two", "c", "3", "f", "6", "h", "8", "i", "9"},
			},
			{delete: []string{"a", "h", "i", "x"}, want: []string{"b", "two", "c", "3", "f", "6"}},
			{
				put:  []string{"d", "again", "h", ""},
				want: []string{"b", "two", "c", "3", "d", "again", "f", "6", "h", ""},
			},
			{delete: []string{"b", "c", "d", "f", "h"}},
			{put: []string{"e", "5"}, want: []string{"e", "5"}},
		}
		for _, step := range steps {
			if err := errors.Join(putAll(tx, step.put...), deleteAll(tx, step.delete...)); err != nil {
				return err
			}
			if err := compare(tx, step.want...); err != nil {
				return err
			}
			for _, key := range step.delete {
				if _, err := tx.Get([]byte(key)); !errors.Is(err, index.ErrNotFound) {
					return fmt.Errorf("get(%q) after Delete: %w", key, err)
				}
			}
		}
		return nil
	})
	t.want("e", "5")
}

func testScanWhileWriting(t *tester) {
	t.put("a", "1", "b", "2", "c", "3")
	t.update(func(tx index.Tx) error {
		var got []string
		for item, err := range tx.Scan(nil, nil) {
			if err != nil {
				return err
			}
			got = append(got, string(item.Key), string(item.Value))
			key := string(item.Key)
			if err := errors.Join(deleteAll(tx, key, "c"), putAll(tx, key+"x", "new")); err != nil {
				return err
			}
		}
		if want := []string{"a", "1", "b", "2", "c", "3"}; !slices.Equal(got, want) {
			return fmt.Errorf("the scan shows %q, want %q", got, want)
		}
		return nil
	})
	t.want("ax", "new", "bx", "new", "cx", "new")
}

// testGroup queues updates behind one that holds them, so that a store which groups has them in one
// group. They may run in any order: each finds in a log which ran before it, compares everything
// with what those have written, and adds itself. Some write and fail.
func testGroup(t *tester) {
	const updates, failing = "0123456789", "147"
	t.put("log", "")
	release := t.hold()
	done := make(map[rune]<-chan error)
	for _, u := range updates {
		done[u] = t.background(func(ctx context.Context) error {
			return t.s.Update(ctx, func(tx index.Tx) error {
				log, err := tx.Get([]byte("log"))
				if err := errors.Join(err, compare(tx, logged(string(log))...)); err != nil {
					return err
				}
				if strings.ContainsRune(failing, u) {
					return errors.Join(putAll(tx, "last", "failed", "x", ""), deleteAll(tx, "log"), errTest)
				}
				return errors.Join(
					putAll(tx, "log", string(log)+string(u), "last", string(u), "by "+string(u), string(log)),
					deleteAll(tx, "by "+string(u^1)),
				)
			})
		})
	}
	settle()
	release()
	for _, u := range updates {
		err := t.wait(done[u])
		if fails := strings.ContainsRune(failing, u); errors.Is(err, errTest) != fails || !fails && err != nil {
			t.Errorf("update %c: %v", u, err)
		}
	}
	t.view(func(r index.Reader) error {
		log, err := r.Get([]byte("log"))
		ran := append([]byte(failing), log...)
		if slices.Sort(ran); string(ran) != updates {
			t.Errorf("the log names %q, and %q were to fail", log, failing)
		}
		t.wantIn(r, logged(string(log))...)
		return err
	})
}

// logged is what the updates of testGroup have written that its log names. Each has its own record,
// and deletes that of another.
func logged(log string) (pairs []string) {
	records := map[string]string{"log": log}
	for i, u := range log {
		records["last"], records["by "+string(u)] = string(u), log[:i]
		delete(records, "by "+string(u^1))
	}
	for _, key := range slices.Sorted(maps.Keys(records)) {
		pairs = append(pairs, key, records[key])
	}
	return pairs
}

func testNeighbours(t *tester) {
	release := t.hold()
	var done []<-chan error
	for i := range 20 {
		done = append(done, t.background(func(ctx context.Context) error {
			return t.s.Update(ctx, func(tx index.Tx) error {
				if err := putAll(tx, fmt.Sprintf("key%02d", i), "x"); err != nil {
					return err
				}
				switch i % 4 {
				case 1:
					return errTest
				case 2:
					panic(errTest)
				}
				return nil
			})
		}))
	}
	settle()
	release()
	var want []string
	for i, d := range done {
		fails := i%4 == 1 || i%4 == 2
		if err := t.wait(d); errors.Is(err, errTest) != fails {
			t.Errorf("update %d: %v", i, err)
		}
		if !fails {
			want = append(want, fmt.Sprintf("key%02d", i), "x")
		}
	}
	t.want(want...)
}

func testPanic(t *tester) {
	t.put("a", "1")
	for name, end := range map[string]func(){
		"panic":         func() { panic("the test panics") },
		"runtime error": func() { _ = strings.Repeat("x", -1) },
		"Goexit":        func() { runtime.Goexit() },
	} {
		err := t.wait(t.background(func(ctx context.Context) error {
			return t.s.Update(ctx, func(tx index.Tx) error {
				err := putAll(tx, "a", "lost")
				end()
				return err
			})
		}))
		var panicked *index.PanicError
		if !errors.As(err, &panicked) {
			t.Errorf("%s: %v, want a PanicError", name, err)
		} else if (panicked.Value == nil) != (name == "Goexit") {
			t.Errorf("%s: the value is %v", name, panicked.Value)
		}
	}
	t.want("a", "1")
	t.put("a", "2")
	t.want("a", "2")
}

func testEndedContext(t *tester) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err := t.s.Update(ctx, func(tx index.Tx) error { return putAll(tx, "a", "1") })
	if !errors.Is(err, context.Canceled) {
		t.Errorf("Update: %v, want context.Canceled", err)
	}
	err = t.s.View(ctx, func(index.Reader) error { t.Error("the view runs"); return nil })
	if !errors.Is(err, context.Canceled) {
		t.Errorf("View: %v, want context.Canceled", err)
	}
	t.want()
}

func testQueuedContext(t *tester) {
	release := t.hold()
	ctx, cancel := context.WithCancel(t.Context())
	done := t.background(func(context.Context) error {
		return t.s.Update(ctx, func(tx index.Tx) error { return putAll(tx, "a", "1") })
	})
	settle()
	cancel()
	if err := t.wait(done); !errors.Is(err, context.Canceled) { // while the others still wait
		t.Errorf("Update: %v, want context.Canceled", err)
	}
	release()
	t.put("b", "2")
	t.want("b", "2")
}

func testRunningContext(t *tester) {
	ctx, cancel := context.WithCancel(t.Context())
	err := t.wait(t.background(func(context.Context) error {
		return t.s.Update(ctx, func(tx index.Tx) error {
			cancel()
			settle()
			return putAll(tx, "a", "1")
		})
	}))
	if err != nil {
		t.Errorf("Update: %v, want the outcome", err)
	}
	t.want("a", "1")
}

// testLastRun counts the runs of each update, and has every run write something else. A store that
// runs none twice passes; Rehearsed makes one of it that does.
func testLastRun(t *tester) {
	t.put("n", "0")
	for i := range 20 {
		runs, seen := 0, ""
		t.update(func(tx index.Tx) error {
			runs++
			n, err := tx.Get([]byte("n"))
			seen = string(n)
			own := fmt.Sprintf("update %d, run %d", i, runs)
			return errors.Join(err, putAll(tx, own, "", "n", strconv.Itoa(i+1)))
		})
		if seen != strconv.Itoa(i) {
			t.Errorf("the last run of update %d saw %q", i, seen)
		}
		t.view(func(r index.Reader) error {
			prefix := fmt.Sprintf("update %d, ", i)
			pairs, err := scanAll(r, []byte(prefix), []byte(prefix+"\xFF"))
			want := []string{fmt.Sprintf("%srun %d", prefix, runs), ""}
			if !slices.Equal(pairs, want) {
				t.Errorf("after %d runs the store has %q, want %q", runs, pairs, want)
			}
			return err
		})
	}
}
