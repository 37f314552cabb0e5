package md5lanes_test

import (
	"fmt"
	"sync"
	"testing"

	"github.com/gabion-storage/gabion/crypto/md5lanes"
)

// However many messages there are, lanes must serve them no slower than all processors would by
// crypto/md5, and once they do, as few goroutines lead as can.
func TestCrews(t *testing.T) {
	kernel := func(width, slowdown int) md5lanes.Kernel {
		return md5lanes.NewKernel(width, slowdown, func() {})
	}
	even := []md5lanes.Kernel{kernel(8, 2), kernel(16, 2)}
	uneven := []md5lanes.Kernel{kernel(8, 3), kernel(16, 4)}
	alone := []md5lanes.Kernel{kernel(16, 4)}
	quick := []md5lanes.Kernel{kernel(8, 1), kernel(16, 2)}
	for _, c := range []struct {
		name                 string
		kernels              []md5lanes.Kernel
		messages, processors int
		leaders, width       int
	}{
		{"even", even, 1, 4, 4, 16},
		{"even", even, 7, 4, 4, 16},
		{"even", even, 8, 4, 1, 16},
		{"even", even, 17, 4, 2, 16},
		{"even", even, 1000, 4, 4, 16},
		{"even", even, 2, 1, 1, 16},
		{"uneven", uneven, 11, 4, 4, 8},
		{"uneven", uneven, 12, 4, 2, 8},
		{"uneven", uneven, 15, 4, 2, 8},
		{"uneven", uneven, 16, 4, 1, 16},
		{"uneven", uneven, 1000, 4, 4, 16},
		{"uneven", uneven, 3, 1, 1, 8},
		{"uneven", uneven, 4, 1, 1, 16},
		{"quick", quick, 3, 4, 4, 8},
		{"quick", quick, 4, 4, 1, 8},
		{"quick", quick, 7, 4, 1, 8},
		{"quick", quick, 8, 4, 1, 16},
		{"alone", alone, 15, 4, 4, 16},
		{"alone", alone, 16, 4, 1, 16},
	} {
		t.Run(fmt.Sprintf("%s/%d of %d", c.name, c.messages, c.processors), func(t *testing.T) {
			leaders, width := md5lanes.CrewsOf(c.messages, c.processors, c.kernels...)
			if leaders != c.leaders || width != c.width {
				t.Errorf("%d crews of %d, want %d of %d", leaders, width, c.leaders, c.width)
			}
		})
	}
}

// As few messages as crypto/md5 hashes faster one after the other never go to lanes.
func TestFewAreHashedInTurn(t *testing.T) {
	setProcessors(t, 1)
	const slowdown = 4
	kernel := md5lanes.NewKernel(16, slowdown, func() { t.Error("in lanes") })
	pool := guardPool(t, md5lanes.NewPoolWith(kernel))
	data := make([]byte, 10*md5lanes.Slice)
	var wg sync.WaitGroup
	for _, h := range start(pool, slowdown-1) {
		wg.Go(func() {
			defer h.Close()
			if _, err := h.Write(data); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
}
