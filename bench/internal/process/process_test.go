package process_test

import (
	"runtime"
	"testing"

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
	before := process.CPUTime()
	for process.CPUTime() == before { // until it counts
		runtime.Gosched()
	}
}
