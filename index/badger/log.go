package badger

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"

	"github.com/dgraph-io/badger/v4/y"

	"github.com/gabion-storage/gabion/index"
	"github.com/gabion-storage/gabion/internal/badgerfile"
	"github.com/gabion-storage/gabion/internal/disk"
)

// A log of Badger's is the write-ahead log of one memtable; package badgerfile says how it lies on
// the disk. It ends at the first record that is not whole. Badger believes the lengths of that one
// before it has seen its checksum, and takes up to 8 GiB of memory for it, or panics; and it ends the
// process when a log holds more than a memtable can. So a log is walked here before.
const (
	// largestLog is more than Badger makes one: two memtables.
	largestLog = 2*memTableSize + 1<<20

	// largestMemTable is below what Badger's arena holds and above what it puts there: a memtable,
	// and one transaction.
	largestMemTable = memTableSize + 2_200_000
	// memTableNode is what a record takes there on average beside its key and value.
	memTableNode = 32

	// largestLogKey is the longest key of a record with the commit behind it.
	largestLogKey = index.MaxKeySize + commitSize
	commitSize    = 8

	// mostLogs is more than there ever are with records in them: of the memtables that Badger
	// keeps, those that a failed flush left, and the present one. Each takes a memtable when it is
	// opened.
	mostLogs = 8
)

// checkLogs walks the logs of a database that was not closed properly. One whose end Badger would
// stumble over is cut there, where Badger would have cut it.
func (g *generation) checkLogs() error {
	entries, err := g.dir.Entries()
	if err != nil {
		return err
	}
	logs := 0
	for _, entry := range entries {
		name := entry.Name()
		if !isLog(name) {
			continue
		}
		if logs++; logs > mostLogs {
			return &index.CorruptionError{
				Where:  g.dir.Join(name),
				Reason: fmt.Sprintf("there are more than %d logs", mostLogs),
			}
		}
		if err := g.checkLog(name); err != nil {
			return err
		}
	}
	return nil
}

func (g *generation) checkLog(name string) (err error) {
	corrupt := func(format string, args ...any) error {
		return &index.CorruptionError{Where: g.dir.Join(name), Reason: fmt.Sprintf(format, args...)}
	}
	if _, ok := badgerfile.LogNumber(name); !ok {
		return corrupt("no log has such a name")
	}
	f, err := g.dir.OpenWritable(name)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if info.Size() < badgerfile.LogHeader || info.Size() > largestLog {
		return corrupt(
			"the log has %d bytes, must have %d to %d", info.Size(), badgerfile.LogHeader, largestLog,
		)
	}
	w, err := walkLog(bufio.NewReaderSize(f, 1<<16))
	switch {
	case err != nil:
		return err
	case w.sealed:
		return corrupt("the log is encrypted")
	case w.beyond != 0:
		return corrupt(
			"it is damaged at byte %d, and commit %d lies behind: restore the directory from a copy",
			w.end, w.beyond,
		)
	case w.memory > largestMemTable:
		return corrupt("the log holds %d bytes, more than a memtable", w.memory)
	case w.harmless:
		return nil
	}
	if err := f.Truncate(w.end); err != nil {
		return err
	}
	return disk.SyncData(f)
}

// A logWalk is what was seen on the way to the end of a log.
type logWalk struct {
	end      int64  // behind the last whole record
	memory   int64  // that its records take
	harmless bool   // what lies at the end does not claim to be larger than records are
	sealed   bool   // it names a key, which ours never do
	under    uint64 // the commit under way at the end; 0 if none is
	beyond   uint64 // a later one of which a record lies behind the end; 0 if there is none
}

// A logRecord is a record of a log, or what looks like one.
type logRecord struct {
	size      int64
	key       int // its length
	value     int
	whole     bool // its checksum is right
	mark      bool // it ends a transaction
	commit    uint64
	plausible bool // its lengths may be those of a record
}

// walkLog reads a log up to its end, and beyond as far as the lengths of records lead. The error is
// the reader's.
//
// A commit is synced before the next one is written. So after a crash one commit, the last, may
// lack any of its blocks. When there are records of another one behind the end, it is the disk that
// has failed, and what was acknowledged is lost.
func walkLog(log *bufio.Reader) (w logWalk, err error) {
	var header [badgerfile.LogHeader]byte
	if _, err := io.ReadFull(log, header[:]); err != nil {
		return w, err
	}
	w.end = badgerfile.LogHeader
	if w.sealed = binary.BigEndian.Uint64(header[:]) != 0; w.sealed {
		return w, nil
	}
	mem := make([]byte, 0, index.MaxValueSize)
	for ended := false; ; {
		r, err := readLogRecord(log, &mem)
		if err != nil {
			return w, err
		}
		if !ended && !r.whole {
			ended = true
			w.harmless = r.plausible
		}
		switch {
		case !r.plausible || r.size == 0:
			return w, nil
		case !ended:
			w.end += r.size
			w.under = r.commit
			if r.mark { // which a memtable does not get
				w.under = 0
			} else {
				w.memory += int64(r.key+r.value) + memTableNode
			}
		case r.whole && w.under == 0:
			w.under = r.commit // the one that was under way has left nothing before
		case r.whole && r.commit > w.under:
			w.beyond = r.commit
			return w, nil
		}
	}
}

// readLogRecord reads a record into memory that it may grow. One of size 0 is the end of the log.
func readLogRecord(log *bufio.Reader, mem *[]byte) (r logRecord, err error) {
	head, err := log.Peek(2 + 3*binary.MaxVarintLen64)
	if err != nil && err != io.EOF {
		return r, err
	}
	r, n := parseLogHead(head)
	if !r.plausible || r.key == 0 {
		return logRecord{plausible: r.plausible}, nil
	}
	total := n + r.key + r.value + crc32.Size
	if cap(*mem) < total {
		*mem = make([]byte, 0, total)
	}
	record := (*mem)[:total]
	if _, err := io.ReadFull(log, record); err == io.EOF || err == io.ErrUnexpectedEOF {
		return r, nil
	} else if err != nil {
		return r, err
	}
	r.size = int64(total)
	body, sum := record[:total-crc32.Size], record[total-crc32.Size:]
	r.whole = crc32.Checksum(body, castagnoli) == binary.BigEndian.Uint32(sum)
	r.mark = body[0]&(badgerfile.MarkTxnEnd|badgerfile.MarkTxn) == badgerfile.MarkTxnEnd
	r.commit = y.ParseTs(body[n : n+r.key])
	return r, nil
}

// parseLogHead returns the lengths of a record's key and value, if they are plausible, and how long its
// head is. Without a key it is the end of the log, which may also be that of the file.
func parseLogHead(head []byte) (r logRecord, n int) {
	n = 2
	var lengths [3]uint64
	for i := range lengths {
		var used int
		if n <= len(head) {
			lengths[i], used = binary.Uvarint(head[n:])
		}
		if used <= 0 {
			return logRecord{plausible: used == 0}, n // 0: the file ends here
		}
		n += used
	}
	if key := lengths[0]; key > largestLogKey || 0 < key && key <= commitSize || lengths[1] > index.MaxValueSize {
		return r, n
	}
	return logRecord{plausible: true, key: int(lengths[0]), value: int(lengths[1])}, n
}
