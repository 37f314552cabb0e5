package soak

import (
	"fmt"

	"github.com/gabion-storage/gabion/engine"
)

// A Backlog is what the engine has still to work off.
type Backlog struct {
	Trash      int64 // parts that are deleted and not swept yet
	TrashBytes int64 // their sizes
	Dead       int64 // bytes in volumes that belong to no chunk, of parts under way too
}

func backlogOf(stats *engine.StatsResult) Backlog {
	return Backlog{Trash: stats.TrashParts, TrashBytes: stats.TrashBytes, Dead: stats.DeadBytes}
}

func (b *Backlog) text() string {
	return fmt.Sprintf("dead %s trash %d %s", human(b.Dead), b.Trash, human(b.TrashBytes))
}
