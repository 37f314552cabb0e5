package indextest

import (
	"context"
	"errors"
	"fmt"
	"iter"

	"github.com/gabion-storage/gabion/index"
)

var snapshotClauses = []clause{
	{"it is the latest until the next commit, as far as a store tells that", testLatest},
	{"View does not see an Update that ended after it began", func(t *tester) {
		t.put("a", "old", "gone", "x")
		t.view(func(r index.Reader) error {
			t.update(func(tx index.Tx) error {
				return errors.Join(putAll(tx, "a", "new", "b", "new"), deleteAll(tx, "gone"))
			})
			t.wantIn(r, "a", "old", "gone", "x")
			return nil
		})
		t.want("a", "new", "b", "new")
	}},
	{"View does not see it in the middle of a Scan either", testScanIsolation},
	{"View does not wait for an Update that runs", func(t *tester) {
		t.put("a", "1")
		release := t.hold()
		queued := t.background(func(ctx context.Context) error {
			return t.s.Update(ctx, func(tx index.Tx) error { return putAll(tx, "a", "2") })
		})
		viewed := t.background(func(ctx context.Context) error {
			return t.s.View(ctx, func(r index.Reader) error { t.wantIn(r, "a", "1"); return nil })
		})
		if err := t.wait(viewed); err != nil {
			t.Error(err)
		}
		release()
		if err := t.wait(queued); err != nil {
			t.Error(err)
		}
		t.want("a", "2")
	}},
	{"View does not see an Update that still runs", func(t *tester) {
		t.update(func(tx index.Tx) error {
			if err := putAll(tx, "a", "1"); err != nil {
				return err
			}
			return t.s.View(t.Context(), func(r index.Reader) error { t.wantIn(r); return nil })
		})
		t.want("a", "1")
	}},
	{"many snapshots live side by side", testManySnapshots},
	{"Reader and Tx are dead after their function", testTxDone},
}

func testScanIsolation(t *tester) {
	var want []string
	for i := range 100 {
		want = append(want, fmt.Sprintf("key%03d", i), "old")
	}
	t.put(want...)
	t.view(func(r index.Reader) error {
		var got []string
		for item, err := range r.Scan(nil, nil) {
			if err != nil {
				return err
			}
			if got = append(got, string(item.Key), string(item.Value)); len(got) == 20 {
				t.delete("key000", "key050")
				t.put("key060", "new", "key0605", "new", "zzz", "new")
			}
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("the scan shows %q", got)
		}
		t.wantIn(r, want...)
		return nil
	})
}

// testManySnapshots opens one View inside another after every Update.
func testManySnapshots(t *tester) {
	var nest func(i int)
	nest = func(i int) {
		if i == 20 {
			return
		}
		t.put("n", fmt.Sprint(i), fmt.Sprintf("k%02d", i), "x")
		t.view(func(r index.Reader) error {
			nest(i + 1)
			n, err := r.Get([]byte("n"))
			if string(n) != fmt.Sprint(i) || err != nil {
				t.Errorf("snapshot %d shows n = %s, %v", i, n, err)
			}
			if pairs, err := scanAll(r, nil, nil); len(pairs) != 2*(i+2) || err != nil {
				t.Errorf("snapshot %d shows %q, %v", i, pairs, err)
			}
			return nil
		})
	}
	nest(0)
}

func testTxDone(t *tester) {
	t.put("a", "1", "b", "2")
	var kept index.Tx
	var keptReader index.Reader
	var next func() (index.Item, error, bool)
	var stop func()
	t.update(func(tx index.Tx) error { kept = tx; return nil })
	t.view(func(r index.Reader) error {
		keptReader = r
		next, stop = iter.Pull2(r.Scan(nil, nil))
		_, err, _ := next()
		return err
	})
	defer stop()
	check := func(name string, err error) {
		t.Helper()
		if !errors.Is(err, index.ErrTxDone) {
			t.Errorf("%s afterwards: %v, want ErrTxDone", name, err)
		}
	}
	for _, r := range []index.Reader{kept, keptReader} {
		_, err := r.Get([]byte("a"))
		check("Get", err)
		_, err = scanAll(r, nil, nil)
		check("Scan", err)
	}
	check("Put", kept.Put([]byte("a"), nil))
	check("Delete", kept.Delete([]byte("a")))
	_, err, _ := next()
	check("the next step of a Scan", err)
	t.want("a", "1", "b", "2")
}

// testLatest compares what Latest says, of Views and others, with what TellsLatest says of the store.
func testLatest(t *tester) {
	t.put("a", "1")
	tells := index.TellsLatest(t.s)
	var kept index.Reader
	t.view(func(r index.Reader) error {
		kept = r
		if is := index.Latest(r); is != tells {
			t.Errorf("nothing was committed since, and Latest says %t; the store tells: %t", is, tells)
		}
		if values, err := t.s.Get(t.Context(), []byte("a")); err != nil || index.Latest(r) != tells {
			t.Errorf("after a Get of %q, %v, Latest says %t", values, err, index.Latest(r))
		}
		t.put("b", "2")
		if index.Latest(r) {
			t.Error("something was committed since, and Latest says nothing was")
		}
		return nil
	})
	if index.Latest(kept) {
		t.Error("a View that is over is the latest")
	}
	t.update(func(tx index.Tx) error {
		if index.Latest(tx) {
			return errors.New("an Update is the latest")
		}
		return nil
	})
}
