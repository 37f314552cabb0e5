package index

import (
	"encoding/binary"
	"errors"
	"math"
	"time"
)

// The tables of a fleet: of the engines that have one index and one chunk store together. A store
// that one engine has for itself has none of these records.
const (
	nodeTable      = 'N'
	fleetTable     = 'F'
	condemnedTable = 'X'
)

// NodeID names an engine of a fleet, from when it is opened until it is closed or lost. The zero
// NodeID is nobody's.
type NodeID [16]byte

// Node is the lease of an engine of a fleet.
type Node struct {
	Name   string        // its operator's name of it, which one node at a time has
	Beat   uint64        // counts the renewals
	Oldest uint64        // the least of the epochs that its calls and open Objects began in
	Lasts  time.Duration // how long the others wait for a beat
}

func (*Node) version() byte { return 1 }

func (n *Node) encode(e *encoder) {
	e.string(n.Name, maxWord)
	e.uint(n.Beat)
	e.uint(n.Oldest)
	e.size(int64(n.Lasts), math.MaxInt64)
}

func (n *Node) decode(d *decoder, _ byte) {
	n.Name = d.string(maxWord)
	n.Beat = d.uint(math.MaxUint64)
	n.Oldest = d.uint(math.MaxUint64)
	n.Lasts = time.Duration(d.size(math.MaxInt64))
}

// Fleet is what all nodes have together.
type Fleet struct {
	Epoch uint64
	Turn  NodeID // who sweeps and compacts; zero if nobody has taken it
	Term  uint64 // counts how often the turn was taken

	// Keys is a data key that every node can have unwrapped: so it is told whether a node has the
	// keys of the others. There is none until a node has any.
	Keys Encryption
}

func (*Fleet) version() byte { return 1 }

func (f *Fleet) encode(e *encoder) {
	e.uint(f.Epoch)
	e.fixed(f.Turn[:])
	e.uint(f.Term)
	f.Keys.encode(e)
}

func (f *Fleet) decode(d *decoder, version byte) {
	f.Epoch = d.uint(math.MaxUint64)
	f.Turn = NodeID(d.fixed(16))
	f.Term = d.uint(math.MaxUint64)
	f.Keys.decode(d, version)
}

// Condemned says that a volume is to be removed.
type Condemned struct {
	Epoch uint64 // of its condemnation
}

func (*Condemned) version() byte { return 1 }

func (c *Condemned) encode(e *encoder) { e.uint(c.Epoch) }

func (c *Condemned) decode(d *decoder, _ byte) { c.Epoch = d.uint(math.MaxUint64) }

// FleetKey is the key of the fleet's one record.
func FleetKey() Key[Fleet] { return Key[Fleet]{fleetTable} }

// TheFleet is the range of that record alone.
func TheFleet() Range[Fleet] { return tableRange[Fleet](fleetTable) }

// GetFleet returns that record, which is zero as long as there was no node.
func GetFleet(r Reader) (Fleet, error) {
	f, err := Get(r, FleetKey())
	if errors.Is(err, ErrNotFound) {
		err = nil
	}
	return f, err
}

// NodeKey is the key of a node's lease.
func NodeKey(id NodeID) Key[Node] { return append(Key[Node]{nodeTable}, id[:]...) }

// ParseNodeKey reverses NodeKey.
func ParseNodeKey(k Key[Node]) (NodeID, error) { return parseID(k, nodeTable, "not a node key") }

// AllNodes is the lease of every node, by id.
func AllNodes() Range[Node] { return tableRange[Node](nodeTable) }

// CondemnedKey is the key of the condemnation of a volume.
func CondemnedKey(volume uint64) Key[Condemned] {
	return binary.BigEndian.AppendUint64(Key[Condemned]{condemnedTable}, volume)
}

// ParseCondemnedKey reverses CondemnedKey.
func ParseCondemnedKey(k Key[Condemned]) (volume uint64, err error) {
	if len(k) != 1+8 || k[0] != condemnedTable {
		return 0, badKey(k, "not a key of a condemned volume")
	}
	return binary.BigEndian.Uint64(k[1:]), nil
}

// AllCondemned is every condemned volume, by number.
func AllCondemned() Range[Condemned] { return tableRange[Condemned](condemnedTable) }
