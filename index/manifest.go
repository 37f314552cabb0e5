package index

import (
	"encoding/binary"
	"hash/crc32"
)

// Badger's MANIFEST lists the tables of a database. It is a header and records, each of which is a change as a whole:
//
//	"Bdgr" 0000 0008
//	{ length(be32) CRC-32C(be32) ManifestChangeSet }...
//
// ManifestChangeSet and ManifestChange are messages of Protocol Buffers: see badgerpb4.proto.
var manifestHeader = []byte{'B', 'd', 'g', 'r', 0, 0, 0, 8}

// A manifestChange adds a table, or removes it.
type manifestChange struct {
	table  uint64
	level  byte // of one that is added
	remove bool
}

// appendManifest appends one record.
func appendManifest(manifest []byte, changes ...manifestChange) []byte {
	var set []byte
	for _, c := range changes {
		message := binary.AppendUvarint([]byte{1 << 3}, c.table)
		if c.remove {
			message = append(message, 2<<3, 1)
		} else {
			message = append(message, 3<<3, c.level)
		}
		set = append(set, 1<<3|2, byte(len(message)))
		set = append(set, message...)
	}
	manifest = binary.BigEndian.AppendUint32(manifest, uint32(len(set)))
	manifest = binary.BigEndian.AppendUint32(manifest, crc32.Checksum(set, castagnoli))
	return append(manifest, set...)
}
