package index

import (
	"bufio"
	"bytes"
	"context"
	"path/filepath"
	"slices"
	"sync/atomic"
	"time"

	"github.com/dgraph-io/badger/v4"

	"github.com/gabion-storage/gabion/internal/disk"
)

// A spy is a backend that counts the commits that reach it, and fails them when it is told to.
type spy struct {
	backend
	Commits atomic.Int64
	Fail    atomic.Pointer[error]
}

func (s *spy) commit(changes *node) error {
	s.Commits.Add(1)
	if err := s.Fail.Load(); err != nil {
		return *err
	}
	return s.backend.commit(changes)
}

// Spy puts a spy between a store that nobody uses yet and its database.
func Spy(b *Badger) *spy {
	s := &spy{backend: b.serial.db}
	b.serial.db = s
	return s
}

// Queued is how many updates wait.
func Queued(b *Badger) int { return len(b.serial.queue) }

// SetSpace makes the index believe in another free space.
func SetSpace(b *Badger, spaceOf func() disk.Space) {
	b.serial.db.(*database).spaceOf = func() (disk.Space, error) { return spaceOf(), nil }
}

// Steps is how many records, versions and deletions the scans of a store have stepped over.
func Steps(b *Badger) int64 { return b.serial.db.(*database).steps.Load() }

// Codec is what a record has beside being one, for generic tests.
type Codec interface {
	encode(e *encoder)
	decode(d *decoder)
}

// Recode decodes a record and encodes what came out.
type Recode func(key, value []byte) ([]byte, error)

func recode[R any, P record[R]](key, value []byte) ([]byte, error) {
	rec, err := open[R, P](key, value)
	if err != nil {
		return nil, err
	}
	return seal[R](key, P(&rec))
}

// Records has one Recode for each type of record.
var Records = []Recode{
	recode[Header], recode[Bucket], recode[Upload], recode[Part], recode[Page], recode[Directory], recode[Object], recode[Chunk], recode[Volume],
	recode[Trash], recode[Totals], recode[Inline], recode[Shared], recode[Completed],
	recode[Answer], recode[Idle], recode[Ends],
}

// Seal closes the envelope of fields that are already encoded.
func Seal(key []byte, version byte, fields []byte) []byte {
	body := append([]byte{version}, fields...)
	return (&encoder{buf: body}).checksummed(key)
}

// IDAfter is the search for the next upload id.
var IDAfter = idAfter

// CommonPrefix is what the keys of a scan begin with.
var CommonPrefix = commonPrefix

// WaitCompacted waits for a compaction in the background.
func WaitCompacted(b *Badger) { b.serial.db.(*database).background.done.Wait() }

// CompactDirectly compacts with a context that the store has not wrapped.
func CompactDirectly(b *Badger, ctx context.Context) error { return b.serial.db.compact(ctx) }

// WaitFlushed waits until Badger has a table in level zero, and has removed the logs of what is in tables: whoever copies the
// directory then finds nothing that vanishes meanwhile.
func WaitFlushed(b *Badger) {
	g := b.serial.db.(*database).generation()
	logs := func() int {
		names, _ := filepath.Glob(filepath.Join(g.dir.Path(), "*.mem"))
		return len(names)
	}
	for !slices.ContainsFunc(g.db.Tables(), func(t badger.TableInfo) bool { return t.Level == 0 }) || logs() > 1 {
		time.Sleep(time.Millisecond)
	}
}

// Logs returns the number of the log that is written.
func Logs(b *Badger) int {
	d := b.serial.db.(*database)
	d.committing.Lock()
	defer d.committing.Unlock()
	return d.generation().wal.number
}

// LogUsed returns how much is held to be used of the log that is written.
func LogUsed(b *Badger) int {
	d := b.serial.db.(*database)
	d.committing.Lock()
	defer d.committing.Unlock()
	return d.generation().wal.used
}

// ParseCurrent parses the content of CURRENT, and makes it again.
func ParseCurrent(data []byte) (number int, again string, err error) {
	c, err := parseCurrent("CURRENT", data)
	return c.number, c.line(), err
}

// WalkLog walks a log up to its end.
func WalkLog(log []byte) (end, memory int64, harmless bool, err error) {
	w, err := walkLog(bufio.NewReader(bytes.NewReader(log)))
	return w.end, w.memory, w.harmless, err
}

// CheckTable verifies a table, of which it returns the number of blocks.
func CheckTable(data []byte) (blocks int, ok bool, err error) {
	places, ok, err := readTableIndex(bytes.NewReader(data), int64(len(data)))
	for _, p := range places {
		ok = ok && isTableBlock(data[p.at:p.at+int64(p.size)])
	}
	return len(places), ok, err
}
