//go:build purego || !(amd64 || arm64)

package crypto

import "hash/crc64"

func updateCRC64(crc uint64, p []byte) uint64 { return crc64.Update(crc, ecmaTable, p) }
