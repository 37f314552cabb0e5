package badger

import (
	"bufio"
	"encoding/binary"
	"errors"
	"slices"
	"strconv"

	"github.com/dgraph-io/badger/v4"
	"github.com/dgraph-io/badger/v4/table"
	"github.com/dgraph-io/badger/v4/y"

	"github.com/gabion-storage/gabion/internal/badgerfile"
)

// replayLogs makes tables of the logs of a database that was not closed properly, and removes them.
// Badger would do that when it is opened, on a goroutine of its own and through memory maps, where a
// full disk kills the process. Each table is listed, durably, before its log goes: what is there twice
// after a crash in between is the same.
func (g *generation) replayLogs() (err error) {
	defer badgerfile.Recovered("index", &err) // as where Badger does it: what is damaged may be anything
	entries, err := g.dir.Entries()
	if err != nil {
		return err
	}
	var logs []int
	for _, entry := range entries {
		if number, ok := badgerfile.LogNumber(entry.Name()); ok {
			logs = append(logs, number)
		}
	}
	slices.Sort(logs)
	for _, number := range logs {
		name := badgerfile.LogName(number)
		records, err := g.readLog(name)
		if err != nil {
			return err
		}
		if err := g.addTable(records); err != nil {
			return err
		}
		if err := g.dir.Remove(name); err != nil {
			return err
		}
	}
	return nil
}

// A memRecord is a record as Badger keeps it in a memtable.
type memRecord struct {
	key   []byte // with the commit
	value y.ValueStruct
}

// readLog returns what a log holds of whole commits, in order, as Badger would take it.
func (g *generation) readLog(name string) (records []memRecord, err error) {
	f, err := g.dir.Open(name)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	log := bufio.NewReaderSize(f, 1<<16)
	if _, err := log.Discard(badgerfile.LogHeader); err != nil {
		return nil, err
	}
	whole := 0          // records before those of the commit under way
	commit := uint64(0) // that is under way
	for mem := []byte{}; ; {
		r, err := readLogRecord(log, &mem)
		if err != nil {
			return nil, err
		}
		if !r.whole {
			break
		}
		m := parseMemRecord(mem[:r.size], r)
		meta := m.value.Meta
		switch {
		case meta&badgerfile.MarkTxn != 0 && (commit == 0 || commit == r.commit):
			commit = r.commit
			records = append(records, m)
			continue
		case meta&badgerfile.MarkTxn == 0 && r.mark && string(m.value.Value) == strconv.FormatUint(commit, 10):
			commit = 0
		case meta&badgerfile.MarkTxn == 0 && !r.mark && commit == 0:
			records = append(records, m)
		default: // none that Badger would go on behind
			return lastOfEach(records[:whole]), nil
		}
		whole = len(records)
	}
	return lastOfEach(records[:whole]), nil
}

// parseMemRecord takes a whole record of a log apart. It copies what it returns.
func parseMemRecord(record []byte, r logRecord) memRecord {
	at := 2
	for range 2 { // the lengths
		_, n := binary.Uvarint(record[at:])
		at += n
	}
	expires, n := binary.Uvarint(record[at:])
	at += n
	body := slices.Clone(record[at : at+r.key+r.value])
	return memRecord{body[:r.key:r.key], y.ValueStruct{
		Meta: record[0], UserMeta: record[1], ExpiresAt: expires, Value: body[r.key:],
	}}
}

// lastOfEach sorts records by their keys, and leaves the last of each.
func lastOfEach(records []memRecord) []memRecord {
	slices.Reverse(records) // so that the last of each comes first
	slices.SortStableFunc(records, func(a, b memRecord) int { return y.CompareKeys(a.key, b.key) })
	return slices.CompactFunc(records, func(a, b memRecord) bool { return y.CompareKeys(a.key, b.key) == 0 })
}

// addTable makes a table of level zero of records in the order of their keys, and lists it in place of
// others.
func (g *generation) addTable(records []memRecord, others ...uint64) error {
	if len(records) == 0 {
		return nil
	}
	listed, err := g.replayManifest()
	if err != nil {
		return err
	}
	id := uint64(0)
	for other := range listed.Tables {
		id = max(id, other)
	}
	id++
	builder := table.NewTableBuilder(tableOptions())
	for _, r := range records {
		builder.Add(r.key, r.value, 0)
	}
	data := builder.Finish()
	builder.Close()
	name := table.IDToFilename(id)
	// One that was not listed holds nothing that is not in a log, or in another table.
	if err := g.removeAll(func(other string) bool { return other == name }); err != nil {
		return err
	}
	if err := create(g.dir, name, data); err != nil {
		return errors.Join(err, g.dir.Remove(name)) // its space may be what is missing
	}
	if err := g.dir.Sync(); err != nil {
		return err
	}
	for _, other := range others {
		delete(listed.Tables, other)
	}
	listed.Tables[id] = badger.TableManifest{}
	return g.writeManifest(&listed)
}
