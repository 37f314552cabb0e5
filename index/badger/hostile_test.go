package badger_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/dgraph-io/badger/v4/options"
	"github.com/dgraph-io/badger/v4/table"
	"github.com/dgraph-io/badger/v4/y"

	"github.com/gabion-storage/gabion/index"
	"github.com/gabion-storage/gabion/index/badger"
)

// badgerFiles returns a log and a table as Badger makes them.
func badgerFiles(t testing.TB) (log, sst []byte) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "index")
	b, err := badger.Open(t.Context(), dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	put := func(key string) {
		err := b.Update(t.Context(), func(tx index.Tx) error { return tx.Put([]byte(key), bytes.Repeat([]byte(key), 1000)) })
		if err != nil {
			t.Fatal(err)
		}
	}
	for n := range 10 {
		put(string(rune('a' + n)))
	}
	read := func(pattern string) []byte {
		names, err := filepath.Glob(filepath.Join(dir, "*", pattern))
		if err != nil || len(names) == 0 {
			t.Fatal(pattern, names, err)
		}
		data, err := os.ReadFile(names[0])
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	log = bytes.TrimRight(read("*.mem"), "\x00")
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	return log, read("*.sst")
}

// TestTableFile changes every byte of a table in turn, cuts it everywhere and makes it longer: what
// is accepted is only the table itself.
func TestTableFile(t *testing.T) {
	_, sst := badgerFiles(t)
	blocks, ok, err := badger.CheckTable(sst)
	if !ok || err != nil || blocks < 2 {
		t.Fatalf("a table of Badger's: %d blocks, %v, %v", blocks, ok, err)
	}
	refused := func(what string, at int, data []byte) {
		if _, ok, err := badger.CheckTable(data); ok || err != nil {
			t.Errorf("%s at %d: %v, %v", what, at, ok, err)
		}
	}
	for at := range sst {
		bad := bytes.Clone(sst)
		bad[at] ^= 1 << (at % 8)
		refused("a flipped bit", at, bad)
		refused("cut", at, sst[:at])
	}
	for n := 1; n < 100; n++ {
		refused("with zeros", n, append(bytes.Clone(sst), make([]byte, n)...))
		refused("only zeros", n, make([]byte, n))
	}
}

// TestTablesOfBuilder: tables of many shapes, as Badger's builder makes them, are accepted.
func TestTablesOfBuilder(t *testing.T) {
	for _, records := range []int{1, 2, 1000} {
		for _, size := range []int{0, 1, 5000} {
			b := table.NewTableBuilder(table.Options{TableSize: 8 << 20, BlockSize: 4 << 10, BloomFalsePositive: 0.01, Compression: options.None})
			for n := range records {
				key := y.KeyWithTs(binary.BigEndian.AppendUint32(nil, uint32(n)), 1)
				b.Add(key, y.ValueStruct{Value: make([]byte, size)}, 0)
			}
			if blocks, ok, err := badger.CheckTable(b.Finish()); !ok || err != nil || blocks == 0 {
				t.Errorf("%d records of %d bytes: %d blocks, %v, %v", records, size, blocks, ok, err)
			}
			b.Close()
		}
	}
}

// logRecordOf is a record of a log with lengths that may be others than it has.
func logRecordOf(keyLength, valueLength uint64, key, value []byte) []byte {
	r := []byte{1 << 6, 0}
	r = binary.AppendUvarint(r, keyLength)
	r = binary.AppendUvarint(r, valueLength)
	r = append(append(binary.AppendUvarint(r, 0), key...), value...)
	return binary.BigEndian.AppendUint32(r, crc32.Checksum(r, crc32.MakeTable(crc32.Castagnoli)))
}

// bareRecordOf is a record of a log that belongs to no transaction.
func bareRecordOf(key, value []byte) []byte {
	r := logRecordOf(uint64(len(key)), uint64(len(value)), key, value)
	r[0] = 0
	binary.BigEndian.PutUint32(r[len(r)-4:], crc32.Checksum(r[:len(r)-4], crc32.MakeTable(crc32.Castagnoli)))
	return r
}

// TestLogEnds puts records whose lengths are wrong at the end of a log of an index that was not
// closed. It opens with all that was before, without taking the memory that the record asks for.
func TestLogEnds(t *testing.T) {
	log, _ := badgerFiles(t)
	for name, end := range map[string][]byte{
		"nothing":       nil,
		"4 GiB":         logRecordOf(10, 1<<32-1, make([]byte, 10), nil),
		"overflow":      logRecordOf(65_000, 1<<32-65_000, nil, make([]byte, 100)),
		"beyond 32 bit": logRecordOf(1<<32+1, 1<<33, []byte("x"), nil),
		"no number":     append([]byte{0, 0}, bytes.Repeat([]byte{0xff}, 30)...),
		"half":          logRecordOf(10, 1000, make([]byte, 10), make([]byte, 1000))[:500],
		"garbage":       bytes.Repeat([]byte{0x55}, 1000),
		"short keys":    append(bareRecordOf([]byte("key"), nil), bareRecordOf([]byte("another"), nil)...),
		"no keys":       append(bareRecordOf(make([]byte, 8), nil), bareRecordOf([]byte("k"), nil)...),
	} {
		t.Run(name, func(t *testing.T) {
			dir := unclosed(t, func(path string) {
				data := append(bytes.Clone(log), end...)
				if err := errors.Join(os.WriteFile(path, data, 0o600), os.Truncate(path, 16<<20)); err != nil {
					t.Fatal(err)
				}
			})
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			b, err := badger.Open(t.Context(), dir, nil)
			runtime.ReadMemStats(&after)
			if err != nil {
				t.Fatal(err)
			}
			if used := (after.TotalAlloc - before.TotalAlloc) >> 20; used > 128 {
				t.Errorf("%d MiB were allocated", used)
			}
			defer closeStore(t, b)
			err = b.View(t.Context(), func(r index.Reader) error {
				for n := range 10 {
					if _, err := r.Get([]byte{byte('a' + n)}); err != nil {
						return err
					}
				}
				return nil
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
}

// TestDamagedLog flips bits of a log of ten commits: what was acknowledged is there, or the damage
// is named. Of the last commit alone that cannot be told from a crash that came too early for it.
func TestDamagedLog(t *testing.T) {
	log, _ := badgerFiles(t)
	reported := 0
	const step = 97
	for at := 20; at < len(log); at += step {
		dir := unclosed(t, func(path string) {
			data := bytes.Clone(log)
			data[at] ^= 1 << (at % 8)
			if err := errors.Join(os.WriteFile(path, data, 0o600), os.Truncate(path, 16<<20)); err != nil {
				t.Fatal(err)
			}
		})
		b, err := badger.Open(t.Context(), dir, nil)
		var corrupt *index.CorruptionError
		if errors.As(err, &corrupt) {
			reported++
			continue
		}
		if err != nil {
			t.Errorf("byte %d: %v", at, err)
			continue
		}
		err = b.View(t.Context(), func(r index.Reader) error {
			for n := range 9 {
				if _, err := r.Get([]byte{byte('a' + n)}); err != nil {
					return fmt.Errorf("commit %d: %w", n+1, err)
				}
			}
			return nil
		})
		if err != nil {
			t.Errorf("byte %d of %d: %v", at, len(log), err)
		}
		closeStore(t, b)
	}
	if reported < len(log)/step*8/10 {
		t.Errorf("damage was reported %d times of %d", reported, len(log)/step)
	}
}

// TestLogTooLarge has a log with more records than a memtable takes, which Badger would end the
// process for.
func TestLogTooLarge(t *testing.T) {
	log, _ := badgerFiles(t)
	dir := unclosed(t, func(path string) {
		data := bytes.Clone(log)
		for len(data) < 12<<20 {
			data = append(data, log[20:]...)
		}
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
	})
	b, err := badger.Open(t.Context(), dir, nil)
	var corrupt *index.CorruptionError
	if !errors.As(err, &corrupt) {
		t.Errorf("%v, want a CorruptionError", err)
	}
	if err == nil {
		b.Close()
	}
}

// unclosed makes the directory of an index that was not closed, whose log change may replace.
func unclosed(t *testing.T, change func(log string)) (dir string) {
	t.Helper()
	from := filepath.Join(t.TempDir(), "index")
	b := open(t, from)
	dir = filepath.Join(t.TempDir(), "index")
	err := os.CopyFS(dir, os.DirFS(from))
	closeStore(t, b)
	if err != nil {
		t.Fatal(err)
	}
	logs, err := filepath.Glob(filepath.Join(dir, "*", "*.mem"))
	if err != nil || len(logs) != 1 {
		t.Fatal(logs, err)
	}
	change(logs[0])
	return dir
}

// FuzzLog: walking a log of any bytes ends within it.
func FuzzLog(f *testing.F) {
	log, _ := badgerFiles(f)
	f.Add(log)
	f.Add(log[:20])
	f.Add(append(make([]byte, 20), logRecordOf(10, 1<<32-1, make([]byte, 10), nil)...))
	f.Fuzz(func(t *testing.T, data []byte) {
		end, memory, _, err := badger.WalkLog(data)
		if end > int64(len(data)) || memory > 3*int64(len(data)) || err != nil && len(data) >= 20 {
			t.Errorf("a log of %d bytes ends at %d, and takes %d: %v", len(data), end, memory, err)
		}
	})
}

// FuzzTable: the index of a table of any bytes, also under a right checksum, is accepted or not,
// and its blocks lie within it.
func FuzzTable(f *testing.F) {
	_, sst := badgerFiles(f)
	f.Add(sst, false)
	length := int(binary.BigEndian.Uint32(sst[len(sst)-4:]))
	at := len(sst) - 4 - length - 4
	f.Add(sst[at-int(binary.BigEndian.Uint32(sst[at:])):at], true)
	f.Fuzz(func(t *testing.T, data []byte, seal bool) {
		if seal {
			sum := binary.AppendUvarint([]byte{2 << 3}, uint64(crc32.Checksum(data, crc32.MakeTable(crc32.Castagnoli))))
			size := uint32(len(data))
			data = append(make([]byte, 5000), data...)
			data = append(binary.BigEndian.AppendUint32(data, size), sum...)
			data = binary.BigEndian.AppendUint32(data, uint32(len(sum)))
		}
		if _, _, err := badger.CheckTable(data); err != nil {
			t.Error(err)
		}
	})
}

// FuzzCurrent: what is accepted as CURRENT is what is written.
func FuzzCurrent(f *testing.F) {
	for _, text := range []string{"gabion index 1 1 0", "gabion index 1 -1 0", "gabion index 1 99999999999999999999 1", "gabion index 2 1 0"} {
		f.Add(text, true)
		f.Add(text, false)
	}
	f.Fuzz(func(t *testing.T, text string, seal bool) {
		if seal {
			text = sealedLine(text)
		}
		number, again, err := badger.ParseCurrent([]byte(text))
		if err == nil && (again != text || number < 1) {
			t.Errorf("%q is written again as %q", text, again)
		}
		var corrupt *index.CorruptionError
		if err != nil && !errors.As(err, &corrupt) {
			t.Errorf("%q: %v", text, err)
		}
	})
}

func sealedLine(text string) string {
	return fmt.Sprintf("%s %08x\n", text, crc32.Checksum([]byte(text), crc32.MakeTable(crc32.Castagnoli)))
}

// TestWildCommit has a log whose last record is of a commit far beyond the others: it is refused
// for those that are missing, at no cost.
func TestWildCommit(t *testing.T) {
	log, _ := badgerFiles(t)
	for _, commit := range []uint64{12, 1 << 31, 1 << 62} {
		dir := unclosed(t, func(path string) {
			key := binary.BigEndian.AppendUint64([]byte("z"), ^uint64(0)-commit)
			record := bareRecordOf(key, []byte("v"))
			if err := os.WriteFile(path, append(bytes.Clone(log), record...), 0o600); err != nil {
				t.Fatal(err)
			}
		})
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		b, err := badger.Open(t.Context(), dir, nil)
		runtime.ReadMemStats(&after)
		var corrupt *index.CorruptionError
		if !errors.As(err, &corrupt) {
			t.Errorf("commit %d: %v, want a CorruptionError", commit, err)
		}
		if err == nil {
			b.Close()
		}
		if used := (after.TotalAlloc - before.TotalAlloc) >> 20; used > 128 {
			t.Errorf("commit %d: %d MiB were allocated", commit, used)
		}
	}
}
