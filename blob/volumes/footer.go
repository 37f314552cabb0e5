package volumes

import (
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"strings"

	"github.com/gabion-storage/gabion/internal/disk"
)

// The footer of a volume says what it holds, for the accounting: a line of text. A volume without
// one was not sealed and must be recovered. That of a log volume is a block at the end of the log,
// with zeros behind the line.
const footerSize = disk.BlockSize

// Format 1 of the line; the last field is the CRC-32C of the line up to there.
const footerLine = "gabion volume 1 frames %d bytes %d"

// contents are what a log holds.
type contents struct {
	frames, bytes int64
	end           int64 // behind it lie only zeros that mean nothing
	footed        bool  // there is a footer that says so
}

// line returns the line of a footer that says so.
func (c contents) line() string {
	line := fmt.Sprintf(footerLine, c.frames, c.bytes)
	return fmt.Sprintf("%s %08x\n", line, crc32.Checksum([]byte(line), castagnoli))
}

// parseFooter returns what a line says of a volume with room for so many bytes of records, if it is
// one and that can be: the numbers go into accounts.
func parseFooter(line string, room, minRecord int64) (c contents) {
	if _, err := fmt.Sscanf(line, footerLine, &c.frames, &c.bytes); err != nil {
		return contents{}
	}
	possible := c.frames >= 0 && c.bytes >= 0 && c.frames <= room/minRecord &&
		c.bytes <= room-c.frames*minRecord
	if !possible || line != c.line() {
		return contents{}
	}
	c.footed = true
	return c
}

// writeFooter writes the footer at a multiple of disk.BlockSize, lets the file end there and makes
// it durable.
func writeFooter(f *os.File, at int64, c contents) error {
	block := disk.AlignedMemory(footerSize)
	copy(block, c.line())
	if _, err := f.WriteAt(block, at); err != nil {
		return err
	}
	if err := f.Truncate(at + footerSize); err != nil {
		return err
	}
	return f.Sync()
}

// readFooter returns what the footer at the end of a log says, which has so many bytes, if there is
// one.
func readFooter(f io.ReaderAt, size int64) (contents, error) {
	if size < footerSize {
		return contents{}, nil
	}
	block := make([]byte, footerSize)
	if _, err := f.ReadAt(block, size-footerSize); err != nil {
		return contents{}, err
	}
	line, _, _ := strings.Cut(string(block), "\n")
	c := parseFooter(line+"\n", size-footerSize, logKind{}.recordSize(0))
	if c.footed {
		c.end = size
	}
	return c, nil
}
