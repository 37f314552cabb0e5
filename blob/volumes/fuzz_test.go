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

// sealedLog returns the log of a sealed volume.
func sealedLog(f *testing.F, k volumes.Kind) []byte {
	dir := f.TempDir()
	s, err := volumes.Open(context.Background(), dir, small(k))
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
	name := "*.log"
	if k != volumes.Log {
		name = "*.badger/000001.vlog"
	}
	logs, err := filepath.Glob(filepath.Join(dir, name))
	if err != nil || len(logs) == 0 {
		f.Fatal(logs, err)
	}
	log, err := os.ReadFile(logs[0])
	if err != nil {
		f.Fatal(err)
	}
	return log
}

// kindOf chooses a kind of volume.
func kindOf(badger bool) volumes.Kind {
	if badger {
		return volumes.Badger
	}
	return volumes.Log
}

// FuzzHead: what is taken for the head of a record is made of what it says, and of where it is.
func FuzzHead(f *testing.F) {
	for _, badger := range []bool{false, true} {
		k := kindOf(badger)
		start := volumes.Start(k)
		f.Add(sealedLog(f, k)[start:start+volumes.MaxHeadSize], start, badger)
	}
	f.Add([]byte("gbnf"), int64(0), false)
	f.Add([]byte{0, 0, 40, 0x80, 0}, int64(20), true)
	f.Fuzz(func(t *testing.T, data []byte, at int64, badger bool) {
		data = data[:min(len(data), volumes.MaxHeadSize)]
		at &= 1<<31 - 1
		k := kindOf(badger)
		again, ok := volumes.ParseHead(k, data, at)
		if ok && !bytes.HasPrefix(data, again) {
			t.Errorf("%x is made again as %x", data, again)
		}
		if _, elsewhere := volumes.ParseHead(k, data, at+1); ok && badger && elsewhere {
			t.Errorf("%x is a head at %d and behind", data, at)
		}
	})
}

// FuzzFooter: what is taken for a footer is made of what it says, and says what can be.
func FuzzFooter(f *testing.F) {
	log := sealedLog(f, volumes.Log)
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
		possible := frames >= 0 && size >= 0 && size+frames*volumes.MinRecord(volumes.Log) <= room
		if ok && (!possible || !bytes.HasPrefix(data, []byte(volumes.FooterOf(frames, size)))) {
			t.Errorf("%q says %d frames of %d bytes", data, frames, size)
		}
	})
}

// FuzzSurvey: a log of any bytes holds no more than it is long, and looking at it ends.
func FuzzSurvey(f *testing.F) {
	for _, badger := range []bool{false, true} {
		log := sealedLog(f, kindOf(badger))
		f.Add(log, badger)
		f.Add(log[:len(log)-volumes.FooterSize/4], badger)
		f.Add(log[10:], badger)
		f.Add(append(make([]byte, 10), log...), badger)
	}
	f.Fuzz(func(t *testing.T, data []byte, badger bool) {
		k := kindOf(badger)
		frames, size, end, err := volumes.Survey(k, bytes.NewReader(data), int64(len(data)))
		if err != nil {
			t.Fatal(err)
		}
		most := max(int64(len(data))+4, volumes.Start(k))
		if frames*volumes.MinRecord(k)+size > int64(len(data)) || end < size || end > most {
			t.Errorf("%d bytes hold %d frames of %d bytes up to %d", len(data), frames, size, end)
		}
	})
}
