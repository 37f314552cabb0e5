package badger

import (
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"

	"github.com/gabion-storage/gabion/index"
)

// copiedFile says of a database what a compaction has copied to it behind its first tables, in one line:
//
//	gabion copied 1 <commit that the tables show> <records> <CRC-32C of the line up to here, 8 hex digits>
//
// These records have few numbers of commits, the last of which is the database's base. So that each number
// turns up does not prove that they are there; but as long as the database lives, none of them goes.
const copiedFile = "COPIED"

// copiedSize is more than such a line has.
const copiedSize = 128

const copiedFormat = "gabion copied 1 %d %d"

// A copied is what copiedFile says.
type copied struct {
	from    uint64
	records int64
}

func (c copied) line() string {
	line := fmt.Sprintf(copiedFormat, c.from, c.records)
	return fmt.Sprintf("%s %08x\n", line, crc32.Checksum([]byte(line), castagnoli))
}

// writeCopied comes before the database is in charge.
func (g *generation) writeCopied(c copied) error {
	return g.dir.WriteFile(copiedFile, []byte(c.line()))
}

// readCopied returns no records at the base if there is no file: nothing was copied, or before there was
// such a file.
func (g *generation) readCopied() (c copied, err error) {
	data, err := g.dir.ReadFile(copiedFile, copiedSize)
	if errors.Is(err, fs.ErrNotExist) {
		return copied{from: g.base}, nil
	}
	if err != nil {
		return c, mapError("open", err)
	}
	if _, err := fmt.Sscanf(string(data), copiedFormat, &c.from, &c.records); err != nil ||
		string(data) != c.line() || c.from > g.base {
		return c, &index.CorruptionError{
			Where: g.dir.Join(copiedFile), Reason: "the line or its checksum is wrong", Err: err,
		}
	}
	return c, nil
}
