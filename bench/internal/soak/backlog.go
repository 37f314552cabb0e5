package soak

import (
	"fmt"

	"github.com/gabion-storage/gabion/engine"
)

// A Backlog is what the engine has still to work off.
type Backlog struct {
	Parts int64 // of open uploads and objects, and those that are deleted and not swept yet
}

func backlogOf(stats *engine.StatsResult) Backlog { return Backlog{Parts: stats.Parts} }

var backlogCurves = [...]struct {
	group, name, unit string
	rule              Rule
	of                func(*Backlog) float64
}{
	{"queues", "parts", "number", queueRule, func(b *Backlog) float64 { return float64(b.Parts) }},
}

func (b Backlog) String() string { return fmt.Sprintf("parts %d", b.Parts) }
