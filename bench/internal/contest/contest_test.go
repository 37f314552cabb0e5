package contest

import (
	"bytes"
	"context"
	"crypto/md5"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"time"

	"github.com/gabion-storage/gabion/bench/internal/cli"
	"github.com/gabion-storage/gabion/bench/internal/data"
	"github.com/gabion-storage/gabion/bench/internal/process"
	"github.com/gabion-storage/gabion/bench/internal/report"
	"github.com/gabion-storage/gabion/crypto"
	"github.com/gabion-storage/gabion/crypto/md5lanes"
	"github.com/gabion-storage/gabion/engine"
)

// A fake is a store in memory that notes who is called, and can be made to lie.
type fake struct {
	name  string
	diary *[]string

	wrongETag bool
	wrongByte bool
	short     bool // from the second download on

	mu     sync.Mutex
	parts  map[int][]byte
	opened int

	downloads int
	object    string // its ETag, "" for none
}

func (f *fake) note(what string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	*f.diary = append(*f.diary, f.name+" "+what)
}

func (f *fake) contender() Contender {
	return Contender{Name: f.name, Open: func(context.Context, string, bool) (Store, error) {
		f.opened++
		return f, nil
	}}
}

func (f *fake) Initiate(_ context.Context, key string) (string, error) {
	f.note("up " + key)
	f.parts = map[int][]byte{}
	return "id", nil
}

func (f *fake) UploadPart(_ context.Context, _, _ string, number int, body []byte) (string, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.parts[number] = bytes.Clone(body)
	return fmt.Sprintf("%x", md5.Sum(body)), nil
}

func (f *fake) Complete(_ context.Context, _, _ string, etags []string) (etag string, err error) {
	f.object, err = ETag(etags)
	f.note(f.object)
	if f.wrongETag {
		return "x" + f.object, err
	}
	return f.object, err
}

func (f *fake) Download(_ context.Context, _ string, w io.Writer) error {
	f.note("down")
	f.mu.Lock()
	f.downloads++
	last := len(f.parts)
	if f.short && f.downloads > 1 {
		last--
	}
	f.mu.Unlock()
	for number := 1; number <= last; number++ {
		body := bytes.Clone(f.parts[number])
		if f.wrongByte {
			body[len(body)-1] ^= 1
		}
		if _, err := w.Write(body); err != nil {
			return err
		}
	}
	return nil
}

func (f *fake) Close() error {
	f.opened--
	return nil
}

// newContest measures two rounds of three fakes.
func newContest(t *testing.T, change func(*fake)) (*Contest, *[]string) {
	diary := &[]string{}
	fakes := []*fake{{name: "a", diary: diary}, {name: "b", diary: diary}, {name: "c", diary: diary}}
	change(fakes[1])
	c := &Contest{
		Parallel: cli.Counts(1, 9, 1), Readers: cli.Counts(1, 9, 2), Rounds: 2, part: 1 << 10, parts: 3,
		dir: t.TempDir(), report: &report.Report{}, Logf: t.Logf,
	}
	for _, f := range fakes {
		c.Contenders = append(c.Contenders, f.contender())
	}
	t.Cleanup(func() {
		for _, f := range fakes {
			if f.opened != 0 {
				t.Errorf("%s is left open %d times", f.name, f.opened)
			}
		}
	})
	return c, diary
}

func measure(t *testing.T, c *Contest, g group) {
	t.Helper()
	if err := c.measure(t.Context(), g); err != nil {
		t.Fatal(err)
	}
}

// who are the lines of a diary without the ETags.
func who(diary []string) (lines []string) {
	return slices.DeleteFunc(slices.Clone(diary), func(line string) bool { return strings.HasSuffix(line, "-3") })
}

// All are measured once a round, and who follows whom differs from round to round. What they upload
// they give back, before it is downloaded by several; each upload comes after another one.
func TestOrderOfTurns(t *testing.T) {
	c, diary := newContest(t, func(*fake) {})
	c.Contenders[2].Remote = true
	measure(t, c, group{Upload, data.Random, Plain})
	measure(t, c, group{Download, data.Random, Plain})
	var want []string
	for _, name := range strings.Split("a,b,c,a,c,b", ",") {
		want = append(want, name+" up before", name+" up object", name+" down")
	}
	for _, name := range strings.Split("a,b,c,a,c,b", ",") { // one to verify and two that are measured
		want = append(append(want, name+" up object"), slices.Repeat([]string{name + " down"}, 3)...)
	}
	if got := who(*diary); !slices.Equal(got, want) {
		t.Errorf("the order was\n%q, want\n%q", got, want)
	}
	for group, case_ := range map[string]string{"upload, random, plain": "1", "download, random, plain": "2"} {
		for _, name := range []string{"a", "b", "c"} {
			for _, unit := range units {
				s, known := c.report.Find(group, case_, name, unit), unit == "MB/s" || name != "c"
				if (s != nil) != known || s != nil && len(s.Values) != 2 {
					t.Errorf("%s, %s, %s: got %v, want two values: %v", group, name, unit, s, known)
				}
			}
		}
	}
}

func TestValues(t *testing.T) {
	cost := process.Cost{Time: 2 * time.Second, CPU: 3 * time.Second, Heap: 8 << 10}
	v := Contender{}
	if got := v.values(cost, 500_000_000, 4); !slices.Equal(got, []float64{250, 6, 2}) {
		t.Errorf("got %v, want 250 MB/s, 6 ns/B and 2 KiB", got)
	}
	v.Remote = true
	if got := v.values(cost, 500_000_000, 4); !slices.Equal(got, []float64{250}) {
		t.Errorf("got %v of another process, want 250 MB/s", got)
	}
}

// What counts is uploaded after something else was, to a new store; it is the same for all; and
// stored data was there before.
func TestBytes(t *testing.T) {
	for _, kind := range []data.Kind{data.Random, data.JSON, data.Stored} {
		c, diary := newContest(t, func(*fake) {})
		measure(t, c, group{Upload, kind, Plain})
		of := map[string][]string{} // the ETags of each
		for _, line := range *diary {
			if name, etag, _ := strings.Cut(line, " "); strings.HasSuffix(etag, "-3") {
				of[name] = append(of[name], etag)
			}
		}
		want := 2 // different objects
		if kind == data.Stored {
			want = 1
		}
		for _, name := range []string{"b", "c"} {
			if !slices.Equal(of["a"], of[name]) {
				t.Errorf("%s: the contenders were given different data: %q", kind, of)
			}
		}
		if all := slices.Compact(slices.Sorted(slices.Values(of["a"]))); len(all) != want || len(of["a"]) != 4 {
			t.Errorf("%s: %d uploads of %d different objects: %q", kind, len(of["a"]), len(all), of["a"])
		}
	}
}

func TestLiesAreErrors(t *testing.T) {
	for _, test := range []struct {
		op     string
		change func(*fake)
		want   string
	}{
		{Upload, func(f *fake) { f.wrongETag = true }, "upload, random, plain, 1 parts in flight: b, round 1: the ETag is x"},
		{Upload, func(f *fake) { f.wrongByte = true }, "upload, random, plain, 1 parts in flight: b, round 1: what came back has MD5"},
		{Download, func(f *fake) { f.wrongByte = true }, "download, random, plain, 2 readers: b, round 1: what came back has MD5"},
		{Download, func(f *fake) { f.short = true }, "download, random, plain, 2 readers: b, round 1: download: 2048 bytes came, must be 3072"},
	} {
		c, _ := newContest(t, test.change)
		err := c.measure(t.Context(), group{test.op, data.Random, Plain})
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("got %v, want %q", err, test.want)
		}
	}
}

// The disk's limit is that of as many bytes and syncs; it has no ETag, which is accepted of it.
func TestDisk(t *testing.T) {
	c, _ := newContest(t, func(*fake) {})
	c.Contenders = []Contender{Disk()}
	measure(t, c, group{Upload, data.Random, Plain})
	dir := t.TempDir()
	s, err := Disk().Open(t.Context(), dir, false)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if _, err := upload(t.Context(), s, "", [][]byte{[]byte("one"), []byte("two")}, 2); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(filepath.Join(dir, "parts")); err != nil || info.Size() != 6 {
		t.Errorf("the file has %v, %v; want 6 bytes", info, err)
	}
}

// The processors' limit computes what the engine does: of what packs smaller frames, sealed ones
// that open.
func TestComputing(t *testing.T) {
	for _, kind := range []data.Kind{data.Random, data.JSON} {
		parts, free := data.NewSet(kind, 1, computedChunk+1000)
		defer free()
		for _, encrypt := range []bool{false, true} {
			s, err := openComputing(t.Context(), "", encrypt)
			if err != nil {
				t.Fatal(err)
			}
			o, err := newObject(t.Context(), parts)
			if err != nil {
				t.Fatal(err)
			}
			if err := o.upload(t.Context(), s, 1); err != nil { // and compare the ETag
				t.Error(err)
			}
			c := newComputing(t, encrypt)
			chunk := parts[0][:computedChunk]
			got, want := c.chunk(chunk), crypto.AddressOf(chunk)
			if encrypt {
				want = c.cipher.AddressOf(chunk)
			}
			if got.err != nil || got.address != want || got.crc64 != crypto.CRC64(0, chunk) {
				t.Errorf("%s, encrypted %v: computed %+v", kind, encrypt, got)
			}
			if packed := got.size < len(chunk)/2; packed != (kind == data.JSON) {
				t.Errorf("%s, encrypted %v: the frame has %d bytes", kind, encrypt, got.size)
			}
			if !encrypt {
				continue
			}
			buffer := <-c.buffers
			if _, err := c.cipher.Open(buffer[:got.size], want[:]); err != nil {
				t.Errorf("%s: what was sealed does not open: %v", kind, err)
			}
		}
	}
}

func newComputing(t *testing.T, encrypt bool) *computing {
	t.Helper()
	c := &computing{md5: md5lanes.NewPool(), buffers: make(chan []byte, 1)}
	c.buffers <- make([]byte, frameSize)
	if !encrypt {
		return c
	}
	key, err := crypto.NewDataKey()
	if err != nil {
		t.Fatal(err)
	}
	if c.cipher, err = crypto.NewCipher(key); err != nil {
		t.Fatal(err)
	}
	return c
}

func TestSink(t *testing.T) {
	want := bytes.Repeat([]byte("0123456789a"), sinkBuffer/5)
	for name, src := range map[string]io.Reader{
		"written at once": bytes.NewReader(want),
		"read in pieces":  io.MultiReader(bytes.NewReader(want[:7]), iotest.DataErrReader(bytes.NewReader(want[7:]))),
	} {
		s := NewSink()
		if n, err := io.Copy(s, src); err != nil || n != int64(len(want)) || s.N != n {
			t.Errorf("%s: got %d bytes, %v; the sink counts %d", name, n, err, s.N)
		}
		if tail := want[len(want)-100:]; !bytes.Contains(s.buffer, tail) {
			t.Errorf("%s: the last bytes were not copied", name)
		}
	}
	failure := errors.New("failure")
	if _, err := NewSink().ReadFrom(iotest.ErrReader(failure)); !errors.Is(err, failure) {
		t.Errorf("got %v", err)
	}
}

// What is put can be had again, under its key.
func TestObjectStores(t *testing.T) {
	for _, k := range []Contender{Gabion("gabion", engine.OSS, engine.Options{}, t.Logf), Files(), Disk()} {
		opened, err := k.Open(t.Context(), t.TempDir(), false)
		if err != nil {
			t.Fatal(err)
		}
		s := opened.(ObjectStore)
		for i, key := range []string{"a", "b"} {
			if err := s.Put(t.Context(), key, bytes.Repeat([]byte(key), 100+i)); err != nil {
				t.Fatal(err)
			}
		}
		var got bytes.Buffer
		size, err := s.Head(t.Context(), "b")
		if !k.WriteOnly && (err != nil || size != 101) {
			t.Errorf("%s: b has %d bytes, %v", k.Name, size, err)
		}
		err = s.Download(t.Context(), "b", &got)
		if !k.WriteOnly && (err != nil || got.String() != strings.Repeat("b", 101)) {
			t.Errorf("%s: b is %q, %v", k.Name, &got, err)
		}
		if _, err := s.Head(t.Context(), "c"); err == nil {
			t.Errorf("%s: there is a c", k.Name)
		}
		if err := s.Download(t.Context(), "c", &got); err == nil {
			t.Errorf("%s: c can be read", k.Name)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
}

// The disk's limit is found with one file a put under way, so that none grows.
func TestDiskWritesOver(t *testing.T) {
	dir := t.TempDir()
	s, err := openDisk(t.Context(), dir, false)
	if err != nil {
		t.Fatal(err)
	}
	for range 5 {
		if err := s.(ObjectStore).Put(t.Context(), "first", make([]byte, 1000)); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(filepath.Join(dir, "first")); err != nil || info.Size() != 1000 {
		t.Errorf("the file: %v, %v", info, err)
	}
}
