package process_test

import (
	"crypto/sha256"
	"errors"
	"runtime"
	"testing"
	"time"

	"github.com/gabion-storage/gabion/bench/internal/process"
)

func TestMemory(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only Linux tells")
	}
	const size = 64 << 20
	stop := process.WatchMemory()
	mem, free := process.Allocate(size)
	for i := 0; i < size; i += 4096 {
		mem[i] = 1
	}
	got := stop()
	if now := process.ReadMemory()["VmRSS"]; now < size || got.PeakResident < size || got.PeakAnonymous < size {
		t.Errorf("the process takes %d, at most %+v; want at least %d", now, got, size)
	}
	free()
}

func TestCPUTime(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("does not tell")
	}
	if !counts(process.CPUTime()) {
		t.Fatal("2 GiB were hashed, and no processor time was counted")
	}
}

// counts works until more processor time is counted than before, and says whether it was: systems
// count it in steps. The work is bounded, by far more than any step takes.
func counts(before time.Duration) bool {
	block := make([]byte, 1<<16)
	for range 1 << 15 {
		sha256.Sum256(block)
		if process.CPUTime() > before {
			return true
		}
	}
	return false
}

func TestMeasure(t *testing.T) {
	failed := errors.New("failed")
	var kept []byte
	cost, err := process.Measure(func() error {
		kept = make([]byte, 1<<20)
		if runtime.GOOS != "windows" {
			counts(process.CPUTime())
		}
		return failed
	})
	if err != failed || cost.Time <= 0 || cost.Heap < int64(len(kept)) || cost.Heap > 2<<20 {
		t.Errorf("got %+v, %v", cost, err)
	}
	if runtime.GOOS != "windows" && cost.CPU <= 0 {
		t.Errorf("no processor time: %+v", cost)
	}
}

func TestRate(t *testing.T) {
	if got := process.Rate(3_000_000, 1500*time.Millisecond); got != 2 {
		t.Errorf("got %v MB/s, want 2", got)
	}
}
