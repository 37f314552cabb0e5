package badger

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"

	"github.com/dgraph-io/badger/v4"
	"github.com/dgraph-io/badger/v4/fb"
	"github.com/dgraph-io/badger/v4/table"

	"github.com/gabion-storage/gabion/index"
)

// A table of Badger's is
//
//	blocks          { entries offsets(le32)... their number(be32) sum length(be32) }...
//	index           a FlatBuffer of offsets and lengths of the blocks
//	length of the index(be32)
//	sum, length of the sum(be32)
//
// where a sum is a message Checksum with a CRC-32C of what is before it. Badger opens tables on
// goroutines of its own and believes what they say of themselves first, so a bad one is a panic
// that nobody can catch, or the end of the process; and one of nothing but zeros has the right sum.
// So each is verified here before.

// largestTable is more than a table of a memtable, or of the builder's, has.
const largestTable = 4 * memTableSize

// checkTables verifies the tables that are listed, and with blocks all that lies in them, not only
// what says where. It looks at ctx before each.
func (g *generation) checkTables(ctx context.Context, listed *badger.Manifest, blocks bool) error {
	for id := range listed.Tables {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		name := table.IDToFilename(id)
		corrupt := func(format string, args ...any) error {
			return &index.CorruptionError{
				Where: g.dir.Join(name), Reason: fmt.Sprintf(format, args...),
			}
		}
		if err := g.checkTable(name, blocks, corrupt); err != nil {
			return err
		}
	}
	return nil
}

func (g *generation) checkTable(
	name string, blocks bool, corrupt func(string, ...any) error,
) (err error) {
	f, err := g.dir.Open(name)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	size := info.Size()
	if size > largestTable {
		return corrupt("the table has %d bytes, at most %d are expected", size, largestTable)
	}
	places, ok, err := readTableIndex(f, size)
	if err != nil {
		return err
	}
	if !ok {
		return corrupt("its index is damaged")
	}
	if !blocks {
		return nil
	}
	var block []byte
	for _, p := range places {
		if cap(block) < p.size {
			block = make([]byte, p.size)
		}
		block = block[:p.size]
		if _, err := f.ReadAt(block, p.at); err != nil {
			return err
		}
		if !isTableBlock(block) {
			return corrupt("the block of %d bytes at %d is damaged", p.size, p.at)
		}
	}
	return nil
}

// A place is where a block lies.
type place struct {
	at   int64
	size int
}

// minTableBlock is a block's number of entries and the length of its sum.
const minTableBlock = 8

// readTableIndex returns where the blocks of a table are, if its index is what was written.
func readTableIndex(f io.ReaderAt, size int64) (places []place, ok bool, err error) {
	// The sum is short, so this is enough to find the index.
	const most = 64
	if size < minTableBlock {
		return nil, false, nil
	}
	tail := make([]byte, min(size, most))
	if _, err := f.ReadAt(tail, size-int64(len(tail))); err != nil {
		return nil, false, err
	}
	rest, sum, ok := cutTableSum(tail)
	if !ok || len(rest) < 4 {
		return nil, false, nil
	}
	length := int64(binary.BigEndian.Uint32(rest[len(rest)-4:]))
	end := size - int64(len(tail)) + int64(len(rest)) - 4
	if length == 0 || length > end {
		return nil, false, nil
	}
	data := make([]byte, length)
	if _, err := f.ReadAt(data, end-length); err != nil {
		return nil, false, err
	}
	if string(sum) != string(tableSum(data)) {
		return nil, false, nil
	}
	places, ok = tablePlaces(data, end-length)
	return places, ok, nil
}

// tablePlaces takes an index apart. What has the right sum but is none makes FlatBuffers panic.
func tablePlaces(data []byte, end int64) (places []place, ok bool) {
	defer func() {
		if recover() != nil {
			places, ok = nil, false
		}
	}()
	root := fb.GetRootAsTableIndex(data, 0)
	var b fb.BlockOffset
	for i := range root.OffsetsLength() {
		if !root.Offsets(&b, i) {
			return nil, false
		}
		p := place{at: int64(b.Offset()), size: int(b.Len())}
		if p.size < minTableBlock || p.at+int64(p.size) > end || len(b.KeyBytes()) <= 8 {
			return nil, false
		}
		places = append(places, p)
	}
	return places, len(places) > 0
}

// isTableBlock verifies a block's sum.
func isTableBlock(block []byte) bool {
	body, sum, ok := cutTableSum(block)
	if !ok || len(body) < 4 || string(sum) != string(tableSum(body)) {
		return false
	}
	entries := int64(binary.BigEndian.Uint32(body[len(body)-4:]))
	return entries > 0 && entries <= int64(len(body)-4)/4
}

// cutTableSum cuts off a sum and its length.
func cutTableSum(data []byte) (rest, sum []byte, ok bool) {
	if len(data) < 4 {
		return nil, nil, false
	}
	data, length := data[:len(data)-4], int64(binary.BigEndian.Uint32(data[len(data)-4:]))
	if length > int64(len(data)) {
		return nil, nil, false
	}
	at := len(data) - int(length)
	return data[:at], data[at:], true
}

// tableSum is the message with the CRC-32C of data, as Badger encodes it: a field that is zero is
// left out.
func tableSum(data []byte) []byte {
	sum := crc32.Checksum(data, castagnoli)
	if sum == 0 {
		return nil
	}
	return binary.AppendUvarint([]byte{2 << 3}, uint64(sum))
}
