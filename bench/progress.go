package main

import (
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/gabion-storage/gabion/bench/internal/bytesize"
)

const (
	redrawEvery = 100 * time.Millisecond
	leastBar    = 10 // columns; below it there is no bar
	plainSteps  = 4  // where there is no terminal: at 25, 50, 75 and 100 %
)

// progress shows how far some work is: as a bar that is redrawn on a terminal, else as a line that
// grows now and then.
type progress struct {
	out   *console
	label string
	total int64
	start time.Time

	mu   sync.Mutex // guards the fields below
	done int64
	step int // the last of plainSteps that was shown

	stop    chan struct{}
	drawing sync.WaitGroup
}

// startProgress begins to show the progress of total bytes. finish must be called.
func startProgress(out *console, label string, total int64) *progress {
	p := &progress{
		out: out, label: printable(label), total: total, start: time.Now(),
		stop: make(chan struct{}),
	}
	if out.width > 0 {
		p.drawing.Go(p.redraw)
	}
	return p
}

// add counts n more bytes.
func (p *progress) add(n int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.done += n
	// The last step is left to finish: all bytes seen is not all done.
	if p.out.width == 0 && p.total > 0 {
		p.showStepLocked(min(int(plainSteps*p.done/p.total), plainSteps-1))
	}
}

// finish ends the showing. Work that failed keeps the state that it had reached.
func (p *progress) finish(err error) {
	close(p.stop)
	p.drawing.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.out.width > 0:
		fmt.Fprintf(p.out, "\r%s\n", p.lineLocked())
		return
	case err == nil:
		p.showStepLocked(plainSteps)
	}
	if p.step > 0 {
		fmt.Fprintln(p.out)
	}
}

func (p *progress) showStepLocked(step int) {
	if step <= p.step {
		return
	}
	text := fmt.Sprintf(" %d %%", 100*step/plainSteps)
	if p.step == 0 {
		text = "bench: " + p.label + ":" + text
	}
	fmt.Fprint(p.out, text)
	p.step = step
}

// redraw shows the bar until finish is called.
func (p *progress) redraw() {
	tick := time.NewTicker(redrawEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			p.mu.Lock()
			line := p.lineLocked()
			p.mu.Unlock()
			fmt.Fprint(p.out, "\r"+line)
		case <-p.stop:
			return
		}
	}
}

func (p *progress) lineLocked() string {
	return barLine(p.out.width, p.label, p.done, p.total, time.Since(p.start))
}

// barLine is a line that fills a terminal of width columns but for the last, where some terminals
// would go to the next line. The narrower it is the more is left out: bar, then label.
func barLine(width int, label string, done, total int64, spent time.Duration) string {
	share := 1.0
	if total > 0 {
		share = float64(done) / float64(total)
	}
	state := fmt.Sprintf("%3.0f %%  %s of %s  %.0f MB/s", 100*share, bytesize.Human(done), bytesize.Human(total), megabytes(done, spent))
	if share > 0 && share < 1 {
		state += fmt.Sprintf("  %v left", timeLeft(share, spent))
	}
	room := max(width-1, 0)
	label = clip(label, max(room/3, room-leastBar-len(state)-len("  []  ")))
	line := label
	if inner := room - columns(label) - len(state) - len("  []  "); inner >= leastBar {
		line += "  [" + bar(inner, share) + "]"
	}
	if columns(line)+len("  ")+len(state) <= room {
		line += "  " + state
	} else {
		line = clip(state, room)
	}
	return line + strings.Repeat(" ", max(room-columns(line), 0))
}

// bar is share of width columns, drawn as an arrow.
func bar(width int, share float64) string {
	filled := min(max(int(share*float64(width)), 0), width)
	if filled == width {
		return strings.Repeat("=", width)
	}
	return strings.Repeat("=", filled) + ">" + strings.Repeat(" ", width-filled-1)
}

// timeLeft guesses from the time spent on share of the work, which is above 0.
func timeLeft(share float64, spent time.Duration) time.Duration {
	return time.Duration(float64(spent) * (1 - share) / share).Round(time.Second)
}
