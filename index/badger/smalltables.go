package badger

import (
	"bytes"
	"cmp"
	"errors"
	"slices"

	"github.com/dgraph-io/badger/v4"
	"github.com/dgraph-io/badger/v4/table"

	"github.com/gabion-storage/gabion/index"
	"github.com/gabion-storage/gabion/internal/badgerfile"
)

const (
	// mostSmall is how many small tables may be in level zero. A read looks into each.
	mostSmall = 64

	// smallTable is below what is a small one.
	smallTable = memTableSize / 2
)

// mergeTables makes tables that are not small of many small ones. Each session leaves one behind, for
// what is in the memtable when it ends, whichever way. They hold a handle and a map each, of which there
// are not enough for thousands, and count little for a compaction, which goes by what was written. To
// merge them takes no more space than they hold, and every version stays. What becomes one table is in
// memory at a time, where tiny records take more than ten times as much as in the table.
//
// It comes before Badger has them open, and after they were verified. SUMS goes before anything
// changes.
func (g *generation) mergeTables() (err error) {
	defer badgerfile.Recovered("index", &err)
	listed, err := g.replayManifest()
	if err != nil {
		return err
	}
	small, err := g.smallTables(&listed)
	if err != nil || len(small) <= mostSmall {
		return err
	}
	if err := g.begin(); err != nil {
		return err
	}
	for len(small) > 0 {
		n := 0
		for size := int64(0); n < len(small) && size < smallTable; n++ {
			size += small[n].size
		}
		if err := g.merge(small[:n]); err != nil {
			return err
		}
		small = small[n:]
	}
	return nil
}

// A sizedTable is a table, and the size of its file.
type sizedTable struct {
	id   uint64
	size int64
}

func (s sizedTable) name() string { return table.IDToFilename(s.id) }

// smallTables returns the small tables of level zero, oldest first.
func (g *generation) smallTables(listed *badger.Manifest) (small []sizedTable, err error) {
	for id, t := range listed.Tables {
		if t.Level > 0 {
			continue
		}
		s := sizedTable{id: id}
		info, err := g.dir.Lstat(s.name())
		if err != nil {
			return nil, err
		}
		if s.size = info.Size(); s.size < smallTable {
			small = append(small, s)
		}
	}
	slices.SortFunc(small, func(a, b sizedTable) int { return cmp.Compare(a.id, b.id) })
	return small, nil
}

// merge puts one table in place of some.
func (g *generation) merge(tables []sizedTable) error {
	var records []memRecord
	ids := make([]uint64, len(tables))
	for i, t := range tables {
		ids[i] = t.id
		of, err := g.readTable(t)
		if err != nil {
			return err
		}
		records = append(records, of...)
	}
	if err := g.addTable(lastOfEach(records), ids...); err != nil {
		return err
	}
	for _, t := range tables {
		if err := g.dir.Remove(t.name()); err != nil {
			return err
		}
	}
	return nil
}

// readTable returns the records of a table, with plain reads. What was verified before may have changed
// since, and Badger ends the process for some of that.
func (g *generation) readTable(s sizedTable) (records []memRecord, err error) {
	data, err := g.dir.ReadFile(s.name(), largestTable)
	if err != nil {
		return nil, err
	}
	corrupt := &index.CorruptionError{Where: g.dir.Join(s.name()), Reason: "the table is damaged"}
	if !isWholeTable(data) {
		return nil, corrupt
	}
	opts := tableOptions()
	t, err := table.OpenInMemoryTable(data, s.id, &opts)
	if err != nil {
		return nil, err
	}
	it := t.NewIterator(0)
	defer func() { err = errors.Join(err, it.Close()) }()
	for it.Rewind(); it.Valid(); it.Next() {
		records = append(records, memRecord{slices.Clone(it.Key()), it.ValueCopy()})
	}
	if len(records) != int(t.KeyCount()) {
		return nil, corrupt
	}
	return records, nil
}

// isWholeTable verifies all that lies in a table.
func isWholeTable(data []byte) bool {
	places, ok, err := readTableIndex(bytes.NewReader(data), int64(len(data)))
	if err != nil || !ok {
		return false
	}
	for _, p := range places {
		if !isTableBlock(data[p.at : p.at+int64(p.size)]) {
			return false
		}
	}
	return true
}
