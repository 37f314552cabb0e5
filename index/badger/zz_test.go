package badger

import (
	"encoding/binary"
	"fmt"
	"runtime"
	"runtime/metrics"
	"sync/atomic"
	"testing"
	"time"

	"github.com/dgraph-io/badger/v4"
	"github.com/dgraph-io/badger/v4/y"
	"github.com/gabion-storage/gabion/internal/disk"
)

func TestZZ(t *testing.T) {
	for _, valueSize := range []int{0, 8, 100, 1000} {
	d, err := disk.OpenDir(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	g := &generation{dir: d}
	var listed badger.Manifest
	listed.Tables = map[uint64]badger.TableManifest{}
	if err := g.writeManifest(&listed); err != nil { t.Fatal(err) }
	commit := uint64(0)
	total := int64(0)
	for tn := 0; tn < 70; tn++ {
		var rs []memRecord
		n := 180<<10 / (valueSize + 14)
		for i := 0; i < n; i++ {
			commit++
			k := binary.BigEndian.AppendUint32(nil, uint32(commit*2654435761))
			rs = append(rs, memRecord{y.KeyWithTs(k, commit), y.ValueStruct{Value: make([]byte, valueSize), Meta: ofTransaction}})
		}
		if err := g.addTable(lastOfEach(rs)); err != nil { t.Fatal(err) }
	}
	l, _ := g.replayManifest()
	small, _ := g.smallTables(&l)
	for _, s := range small { total += s.size }
	runtime.GC()
	var stop atomic.Bool
	peak := make(chan uint64)
	s := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	metrics.Read(s)
	base := s[0].Value.Uint64()
	go func() {
		m := uint64(0)
		for !stop.Load() {
			metrics.Read(s)
			m = max(m, s[0].Value.Uint64())
			time.Sleep(time.Millisecond)
		}
		peak <- m
	}()
	t0 := time.Now()
	if err := g.mergeTables(); err != nil { t.Fatal(err) }
	el := time.Since(t0)
	stop.Store(true)
	l, _ = g.replayManifest()
	fmt.Printf("values of %d: %d tables, %d bytes, peak %d MiB over %d, %v, then %d tables\n", valueSize, len(small), total, (<-peak-base)>>20, base>>20, el, len(l.Tables))
	}
}
