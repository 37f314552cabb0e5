package volumes

import (
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"strings"

	"github.com/gabion-storage/gabion/blob"
	"github.com/gabion-storage/gabion/internal/disk"
)

// A sealed volume ends with a block that says what it holds, for the accounting: a line of text,
// and zeros behind it. A volume without it was not sealed and must be recovered.
const footerSize = disk.BlockSize

// Format 1 of the line; the last field is the CRC-32C of the line up to there.
const footerLine = "gabion volume 1 frames %d bytes %d"

// footerOf returns the line of a volume that holds so much.
func footerOf(frames, bytes int64) string {
	line := fmt.Sprintf(footerLine, frames, bytes)
	return fmt.Sprintf("%s %08x", line, crc32.Checksum([]byte(line), castagnoli))
}

// writeFooter writes the footer at a multiple of disk.BlockSize, lets the file end there and makes
// it durable.
func writeFooter(f *os.File, at int64, info blob.VolumeInfo) error {
	block := disk.AlignedMemory(footerSize)
	copy(block, footerOf(info.Frames, info.Bytes)+"\n")
	if _, err := f.WriteAt(block, at); err != nil {
		return err
	}
	if err := f.Truncate(at + footerSize); err != nil {
		return err
	}
	return f.Sync()
}

// readFooter returns what the footer of a volume says, whose file has so many bytes, if it has one.
func readFooter(f io.ReaderAt, size int64) (frames, bytes int64, ok bool, err error) {
	if size < footerSize {
		return 0, 0, false, nil
	}
	block := make([]byte, footerSize)
	if _, err := f.ReadAt(block, size-footerSize); err != nil {
		return 0, 0, false, err
	}
	text, _, _ := strings.Cut(string(block), "\n")
	if _, err := fmt.Sscanf(text, footerLine, &frames, &bytes); err != nil {
		return 0, 0, false, nil
	}
	// The numbers go into accounts, so they must be such as a file of this size can have.
	room := size - footerSize
	possible := frames >= 0 && bytes >= 0 && frames <= room/recordOverhead &&
		bytes <= room-frames*recordOverhead
	return frames, bytes, possible && text == footerOf(frames, bytes), nil
}
