package badgerfile

import (
	"encoding/binary"
	"hash/crc32"
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// A ListedTable is a table that MANIFEST lists, neither compressed nor encrypted.
type ListedTable struct {
	ID    uint64
	Level byte
}

// Manifest is a MANIFEST that lists these tables, with one record if there are any. What is without
// tables is the beginning of every other.
func Manifest(tables ...ListedTable) []byte {
	manifest := []byte{'B', 'd', 'g', 'r', 0, 0, 0, 8}
	if len(tables) == 0 {
		return manifest
	}
	var set []byte
	for _, t := range tables {
		message := binary.AppendUvarint([]byte{1 << 3}, t.ID)
		if t.Level > 0 { // as Badger encodes it: a field that is zero is left out
			message = append(message, 3<<3, t.Level)
		}
		set = append(set, 1<<3|2, byte(len(message)))
		set = append(set, message...)
	}
	manifest = binary.BigEndian.AppendUint32(manifest, uint32(len(set)))
	manifest = binary.BigEndian.AppendUint32(manifest, crc32.Checksum(set, castagnoli))
	return append(manifest, set...)
}
