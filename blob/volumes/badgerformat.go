package volumes

import (
	"errors"

	"github.com/dgraph-io/badger/v4"

	"github.com/gabion-storage/gabion/blob"
	"github.com/gabion-storage/gabion/internal/badgerfile"
	"github.com/gabion-storage/gabion/internal/disk"
)

// activeFormat is a Badger volume that takes frames, which are written here as Badger would write
// them, from where they lie. No database is open.
type activeFormat struct {
	valueLog
	pieces [][]byte // of a batch
	around []byte   // what records have beside their frames
}

// openFormat makes the files of a new volume in a directory, which is empty, and which it owns unless
// it fails.
func openFormat(own *disk.Dir) (_ *activeFormat, err error) {
	if err := own.WriteFile(badger.ManifestFilename, badgerfile.Manifest()); err != nil {
		return nil, err
	}
	if err := badgerfile.MakeKeyRegistry(own); err != nil {
		return nil, err
	}
	// The number of the key that a log is encrypted with, 0 for none, and what encryption begins with.
	if err := own.WriteFile(valueLogName, make([]byte, valueLogStart)); err != nil {
		return nil, err
	}
	log, err := own.OpenWritable(valueLogName)
	if err != nil {
		return nil, err
	}
	a := &activeFormat{valueLog: valueLog{own: own, log: log, end: valueLogStart}}
	// The entries of the files just made must outlive a power loss as well as their content.
	if err := own.Sync(); err != nil {
		return nil, errors.Join(err, log.Close())
	}
	return a, nil
}

// write implements active.
func (a *activeFormat) write(_ *appender, batch []*putRequest) error {
	a.pieces, a.around = a.pieces[:0], a.around[:0]
	for _, r := range batch {
		head := badgerKind{}.head(r.ref)
		sum := head.trailer(r.frame)
		a.pieces = append(a.pieces, a.beside(head.bytes()), r.frame, a.beside(sum[:]))
	}
	err := disk.WritePieces(a.log, a.pieces, int64(batch[0].ref.Offset))
	clear(a.pieces) // which would keep the frames in memory
	if err != nil {
		return err
	}
	a.end = endOf(batch)
	a.wrote(batch)
	return nil
}

// beside keeps what a record has beside its frame, for as long as its batch is written.
func (a *activeFormat) beside(b []byte) []byte {
	from := len(a.around)
	a.around = append(a.around, b...)
	return a.around[from:]
}

// finish implements active. Badger, too, ends the log where the last record does. That gives back what
// was set aside behind it.
func (a *activeFormat) finish(_ int64, info blob.VolumeInfo) error {
	a.pushing.Wait()
	if err := a.log.Truncate(a.end); err != nil {
		return err
	}
	return a.seal(info)
}

// close implements active.
func (a *activeFormat) close() error {
	a.pushing.Wait()
	return errors.Join(a.table.close(a.own), a.own.Close())
}
