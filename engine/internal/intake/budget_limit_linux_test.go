package intake

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// TestBudgetBeyondMemory takes buffers within the greatest budget that there may be, in a process
// that may have a small part of that. It is refused a buffer in the end, and goes on when others
// are given back.
func TestBudgetBeyondMemory(t *testing.T) {
	cmd := exec.Command(os.Args[0], "-test.run=^TestBudgetBeyondMemoryChild$", "-test.timeout=2m")
	cmd.Env = append(os.Environ(), "GABION_BUDGET_LIMITED=1")
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "went on") {
		t.Fatalf("the process ended with %v:\n%.2000s", err, out)
	}
}

// TestBudgetBeyondMemoryChild is the process.
func TestBudgetBeyondMemoryChild(t *testing.T) {
	if os.Getenv("GABION_BUDGET_LIMITED") == "" {
		t.Skip("runs only as a child of another test")
	}
	const most = 64 << 30
	// So little room that what is made for all buffers at once does not fit.
	const room, chunk = 96 << 20, 1 << 20
	limit := uint64(addressSpace(t) + room)
	if err := unix.Setrlimit(unix.RLIMIT_AS, &unix.Rlimit{Cur: limit, Max: limit}); err != nil {
		t.Skip(err)
	}
	small := newBudget(most, 4<<10)
	if b, err := small.get(context.Background()); err != nil {
		t.Fatal(err)
	} else {
		small.put(b)
	}
	b := newBudget(most, chunk)
	var taken []*buffer
	for {
		buf, err := b.get(context.Background())
		if memory := (*MemoryError)(nil); errors.As(err, &memory) {
			t.Logf("after %d buffers: %v", len(taken), err)
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if taken = append(taken, buf); len(taken) > 2*room/chunk {
			t.Fatalf("%d buffers fit into %d bytes: the limit is none", len(taken), room)
		}
	}
	if len(taken) < room/chunk/8 { // the runtime takes of the room, too
		t.Errorf("only %d buffers were given out", len(taken))
	}
	b.put(taken[0])
	if _, err := b.get(context.Background()); err != nil {
		t.Fatalf("after one was given back: %v", err)
	}
	t.Log("went on")
	os.Stdout.WriteString("went on\n")
}

// addressSpace is how much this process has of it, in bytes.
func addressSpace(t *testing.T) int64 {
	t.Helper()
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		t.Fatal(err)
	}
	pages, err := strconv.ParseInt(strings.Fields(string(text))[0], 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return pages * int64(os.Getpagesize())
}
