// Package faulttest lets single system calls of a test's child process fail, one after another,
// under strace.
package faulttest

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

// Variable names the environment variable that says how many faults to try: a number, or "all".
const Variable = "GABION_FAULTS"

// longest is what a child may take, which a fault must not make hang.
const longest = 2 * time.Minute

// A Call is a system call, and how it may fail.
type Call struct {
	Name   string
	Errnos []string
}

// A Child is the test binary as a process of its own, which does the same each time and ends.
type Child struct {
	Args []string // of the test binary
	Env  []string // beside the environment of the test
}

// A Fault is one system call that fails. Calls are counted in each thread, from 1.
type Fault struct {
	Call, Errno string
	K           int // EveryCall: all of them
}

// EveryCall as the K of a Fault lets every call fail.
const EveryCall = 0

func (f Fault) String() string { return fmt.Sprintf("%s %s of %s", f.Errno, f.when(), f.Call) }

// when is as strace wants it.
func (f Fault) when() string {
	if f.K == EveryCall {
		return "1+"
	}
	return strconv.Itoa(f.K)
}

// Inject runs the child with the fault, and returns what it told on standard output and how often
// the fault has come. More arguments of strace may narrow down where.
func (f Fault) Inject(t *testing.T, c *Child, args ...string) (told string, hits int) {
	t.Helper()
	args = append(
		args, "-e", "trace="+f.Call, "-e",
		fmt.Sprintf("inject=%s:error=%s:when=%s", f.Call, f.Errno, f.when()),
	)
	told, trace := c.Trace(t, args...)
	return told, strings.Count(trace, "(INJECTED)")
}

// Trace runs the child under strace and returns what it told and what was traced. A child that dies
// says so.
func (c *Child) Trace(t *testing.T, args ...string) (told, trace string) {
	t.Helper()
	strace, err := exec.LookPath("strace")
	if err != nil {
		t.Skip("needs strace")
	}
	ctx, cancel := context.WithTimeout(t.Context(), longest)
	defer cancel()
	log := filepath.Join(t.TempDir(), "trace")
	args = append([]string{"-f", "--seccomp-bpf", "-qq", "-o", log}, args...)
	cmd := exec.CommandContext(ctx, strace, append(append(args, os.Args[0]), c.Args...)...)
	cmd.Env = append(append(os.Environ(), "GOMAXPROCS=2"), c.Env...)
	var out, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &stderr
	err = cmd.Run()
	if ctx.Err() != nil {
		t.Errorf("the child hangs\n%s\n%s", &out, &stderr)
	}
	data, readErr := os.ReadFile(log)
	if err != nil && (readErr != nil || strings.Contains(stderr.String(), "PTRACE")) {
		t.Skipf("strace does not work here: %v: %s", err, &stderr)
	}
	if err != nil {
		fmt.Fprintf(&out, "died: %v: %.300s\n", err, &stderr)
	}
	return out.String(), string(data)
}

// Each tries faults: as many as Variable says, else a few, chosen by the seed among the calls that
// the child makes; or all of them, k counting up until nothing is hit. try reports whether its
// fault has come. child is for the run that counts, without a fault.
func Each(
	t *testing.T, seed uint64, few int, calls []Call, child *Child, try func(Fault) (hit bool),
) {
	t.Helper()
	text := os.Getenv(Variable)
	if text == "all" {
		every(calls, try)
		return
	}
	if text != "" {
		var err error
		if few, err = strconv.Atoi(text); err != nil {
			t.Fatalf("%s: %v", Variable, err)
		}
	}
	most := child.calls(t, calls)
	var made []Call
	for _, call := range calls {
		if most[call.Name] > 0 {
			made = append(made, call)
		}
	}
	if len(made) == 0 {
		t.Fatal("the child makes none of the calls")
	}
	rng := rand.New(rand.NewPCG(seed, 0))
	for range few {
		call := made[rng.IntN(len(made))]
		try(Fault{
			call.Name, call.Errnos[rng.IntN(len(call.Errnos))], 1 + rng.IntN(most[call.Name]),
		})
	}
}

func every(calls []Call, try func(Fault) bool) {
	for _, call := range calls {
		for _, errno := range call.Errnos {
			for k := 1; try(Fault{call.Name, errno, k}); k++ {
			}
		}
	}
}

// calls counts how often the child makes each call in the thread that makes most of them.
func (c *Child) calls(t *testing.T, calls []Call) map[string]int {
	t.Helper()
	names := make([]string, len(calls))
	for i, call := range calls {
		names[i] = call.Name
	}
	told, trace := c.Trace(t, "-e", "trace="+strings.Join(names, ","))
	if strings.Contains(told, "died: ") {
		t.Fatalf("without a fault the child says %q", told)
	}
	line := regexp.MustCompile(`^(\d+) +(\w+)\(`)
	threads, most := map[string]int{}, map[string]int{}
	for _, text := range strings.Split(trace, "\n") {
		if m := line.FindStringSubmatch(text); m != nil {
			threads[m[1]+m[2]]++
			most[m[2]] = max(most[m[2]], threads[m[1]+m[2]])
		}
	}
	return most
}

// Say is fmt.Printf for a child: what it tells must not be lost because it was telling that failed.
func Say(format string, args ...any) {
	rest := fmt.Appendf(nil, format, args...)
	for range 100 {
		n, err := os.Stdout.Write(rest)
		if rest = rest[n:]; err == nil {
			return
		}
	}
}
