package fanout_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"

	"github.com/gabion-storage/gabion/bench/internal/fanout"
)

func TestEach(t *testing.T) {
	for _, goroutines := range []int{1, 3, 100} {
		var mu sync.Mutex
		var got []int
		err := fanout.Each(context.Background(), goroutines, 50, func(_ context.Context, i int) error {
			mu.Lock()
			defer mu.Unlock()
			got = append(got, i)
			return nil
		})
		if goroutines > 1 {
			slices.Sort(got)
		}
		for i := range 50 {
			if err != nil || len(got) != 50 || got[i] != i {
				t.Fatalf("%d goroutines: called with %v, %v", goroutines, got, err)
			}
		}
	}
}

func TestEachStops(t *testing.T) {
	broken := errors.New("broken")
	calls := 0
	err := fanout.Each(context.Background(), 1, 50, func(ctx context.Context, i int) error {
		calls++
		if i == 3 {
			return broken
		}
		return ctx.Err()
	})
	if err != broken || calls != 4 {
		t.Errorf("%d calls, %v", calls, err)
	}
	var ended sync.WaitGroup
	ended.Add(1)
	err = fanout.Each(context.Background(), 2, 2, func(ctx context.Context, i int) error {
		if i == 0 {
			ended.Wait()
			return broken
		}
		ended.Done()
		<-ctx.Done()
		return ctx.Err()
	})
	if err != broken {
		t.Errorf("the other call ends with %v", err)
	}
}
