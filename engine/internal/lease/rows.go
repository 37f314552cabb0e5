package lease

import "github.com/gabion-storage/gabion/index"

// A lease is the row of a node.
type lease struct {
	id index.NodeID
	index.Node
}

// leasesIn are the rows of all nodes.
func leasesIn(r index.Reader) (all []lease, err error) {
	for entry, err := range index.Scan(r, index.AllNodes()) {
		if err != nil {
			return nil, err
		}
		id, err := index.ParseNodeKey(entry.Key)
		if err != nil {
			return nil, err
		}
		all = append(all, lease{id, entry.Record})
	}
	return all, nil
}

// condemnedIn are the volumes that were condemned after an epoch, and in which.
func condemnedIn(r index.Reader, after Epoch) (map[uint64]Epoch, error) {
	volumes := map[uint64]Epoch{}
	for entry, err := range index.Scan(r, index.AllCondemned()) {
		if err != nil {
			return nil, err
		}
		volume, err := index.ParseCondemnedKey(entry.Key)
		if err != nil {
			return nil, err
		}
		if e := Epoch(entry.Record.Epoch); e > after {
			volumes[volume] = e
		}
	}
	return volumes, nil
}

// news are what a node learns by a transaction: the epoch, and what was condemned since the last.
type news struct {
	epoch     Epoch
	condemned map[uint64]Epoch
}

func newsIn(r index.Reader, seen Epoch) (now news, err error) {
	fleet, err := index.GetFleet(r)
	now.epoch = Epoch(fleet.Epoch)
	if err == nil && now.epoch > seen {
		now.condemned, err = condemnedIn(r, seen)
	}
	return now, err
}
