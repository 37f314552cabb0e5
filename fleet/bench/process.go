package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"time"
)

// jobVariable has a process do a job instead of what its arguments say.
const jobVariable = "GABION_FLEET_BENCH_JOB"

// ready is what a process says when it may be told to go.
const ready = "ready"

// A process is one that does a job.
type process struct {
	cmd   *exec.Cmd
	tell  io.WriteCloser
	hears *bufio.Scanner
}

// runAll runs a process for each job. It says how long it took from when all were ready to when the
// last had finished, and what each has to say.
func runAll(ctx context.Context, jobs []job) (took time.Duration, results []result, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // kills what an error leaves
	var all []*process
	for _, j := range jobs {
		p, err := start(ctx, j)
		if err != nil {
			return 0, nil, err
		}
		all = append(all, p)
	}
	for _, p := range all {
		if line, err := p.hear(); err != nil || line != ready {
			return 0, nil, fmt.Errorf("a process is not ready and says %q: %w", line, err)
		}
	}
	begin := time.Now()
	for _, p := range all {
		if _, err := io.WriteString(p.tell, "go\n"); err != nil {
			return 0, nil, err
		}
	}
	results = make([]result, len(all))
	for i, p := range all {
		line, err := p.hear()
		if err == nil {
			err = json.Unmarshal([]byte(line), &results[i])
		}
		if err != nil {
			return 0, nil, err
		}
	}
	took = time.Since(begin)
	for _, p := range all {
		err = errors.Join(err, p.tell.Close(), p.cmd.Wait())
	}
	return took, results, err
}

func start(ctx context.Context, j job) (*process, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	p := &process{cmd: exec.CommandContext(ctx, program)}
	p.cmd.Env = append(os.Environ(), jobVariable+"="+encode(j))
	p.cmd.Stderr = os.Stderr
	if p.tell, err = p.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	p.hears = bufio.NewScanner(out)
	p.hears.Buffer(nil, 64<<20) // a duration for each call
	return p, p.cmd.Start()
}

// hear returns the next line that the process writes.
func (p *process) hear() (string, error) {
	if p.hears.Scan() {
		return p.hears.Text(), nil
	}
	return "", errors.Join(io.ErrUnexpectedEOF, p.hears.Err())
}
