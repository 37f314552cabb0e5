package volumes_test

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/gabion-storage/gabion/blob/blobtest"
	"github.com/gabion-storage/gabion/blob/volumes"
)

// sealedLog returns the content of a sealed volume.
func sealedLog(f *testing.F) []byte {
	dir := f.TempDir()
	s, err := volumes.Open(context.Background(), dir, small)
	if err != nil {
		f.Fatal(err)
	}
	for n := range uint64(3) {
		id, frame := blobtest.Frame(n, 1000)
		if _, err := s.Put(context.Background(), id, frame); err != nil {
			f.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		f.Fatal(err)
	}
	logs, err := filepath.Glob(filepath.Join(dir, "*.log"))
	if err != nil || len(logs) == 0 {
		f.Fatal(logs, err)
	}
	log, err := os.ReadFile(logs[0])
	if err != nil {
		f.Fatal(err)
	}
	return log
}

// FuzzHead: what is taken for the head of a record is made of what it says.
func FuzzHead(f *testing.F) {
	f.Add(sealedLog(f)[:volumes.MaxHeadSize])
	f.Add([]byte("gbnf"))
	f.Fuzz(func(t *testing.T, data []byte) {
		data = data[:min(len(data), volumes.MaxHeadSize)]
		if again, ok := volumes.ParseHead(volumes.Log, data, 0); ok && !bytes.HasPrefix(data, again) {
			t.Errorf("%x is made again as %x", data, again)
		}
	})
}

// FuzzFooter: what is taken for a footer is made of what it says, and says what can be.
func FuzzFooter(f *testing.F) {
	log := sealedLog(f)
	f.Add(log[len(log)-volumes.FooterSize:], int64(3), int64(3000))
	for _, n := range []int64{-1, 0, 1 << 20, 1<<63 - 1} {
		f.Add([]byte(nil), n, int64(1))
		f.Add([]byte(nil), int64(1), n)
	}
	f.Fuzz(func(t *testing.T, data []byte, frames, size int64) {
		const room = 1 << 20
		if len(data) == 0 {
			data = []byte(volumes.FooterOf(frames, size))
		}
		if len(data) > volumes.FooterSize {
			return
		}
		log := make([]byte, room+volumes.FooterSize)
		copy(log[room:], data)
		frames, size, ok, err := volumes.ReadFooter(bytes.NewReader(log), int64(len(log)))
		if err != nil {
			t.Fatal(err)
		}
		if ok && (!bytes.HasPrefix(data, []byte(volumes.FooterOf(frames, size))) || frames < 0 || size < 0 || size+frames*volumes.MinRecord(volumes.Log) > room) {
			t.Errorf("%q says %d frames of %d bytes", data, frames, size)
		}
	})
}

// FuzzSurvey: a log of any bytes holds no more than it is long, and looking at it ends.
func FuzzSurvey(f *testing.F) {
	log := sealedLog(f)
	f.Add(log)
	f.Add(log[:len(log)-volumes.FooterSize])
	f.Add(log[10:])
	f.Fuzz(func(t *testing.T, data []byte) {
		frames, size, end, err := volumes.Survey(volumes.Log, bytes.NewReader(data), int64(len(data)))
		if err != nil {
			t.Fatal(err)
		}
		if frames*volumes.MinRecord(volumes.Log)+size > int64(len(data)) || end < size || end > int64(len(data))+4 {
			t.Errorf("%d bytes hold %d frames of %d bytes up to %d", len(data), frames, size, end)
		}
	})
}
