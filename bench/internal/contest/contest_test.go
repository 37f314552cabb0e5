package contest

import (
	"bytes"
	"context"
	"crypto/md5"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/iotest"

	"github.com/gabion-storage/gabion/bench/internal/cli"
	"github.com/gabion-storage/gabion/bench/internal/data"
	"github.com/gabion-storage/gabion/bench/internal/report"
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

func (f *fake) Remove(context.Context, string) error {
	f.object = ""
	return nil
}

func (f *fake) Close() error {
	f.opened--
	return nil
}

// newContest measures two rounds of three fakes.
func newContest(t *testing.T, fresh bool, change func(*fake)) (*Contest, []*fake, *[]string) {
	diary := &[]string{}
	fakes := []*fake{{name: "a", diary: diary}, {name: "b", diary: diary}, {name: "c", diary: diary}}
	change(fakes[1])
	c := &Contest{
		Parallel: cli.Counts(1, 9, 1), Readers: []int{2}, Part: 1 << 10, Parts: 3, Rounds: 2, Fresh: fresh,
		dir: t.TempDir(), Report: &report.Report{}, Logf: t.Logf,
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
	return c, fakes, diary
}

func measure(t *testing.T, c *Contest, op string) {
	t.Helper()
	if err := c.measure(t.Context(), Group{op, data.Random, Plain}); err != nil {
		t.Fatal(err)
	}
}

// who are the lines of a diary without the ETags.
func who(diary []string) (lines []string) {
	for _, line := range diary {
		if !strings.HasSuffix(line, "-3") {
			lines = append(lines, line)
		}
	}
	return lines
}

// All rivals are measured once a round, and who comes first differs from round to round.
func TestOrderRotates(t *testing.T) {
	c, _, diary := newContest(t, false, func(*fake) {})
	measure(t, c, Upload)
	measure(t, c, Download)
	tried := "a up object,a down,b up object,b down,c up object,c down,"
	want := strings.Split(tried+"a up object,b up object,c up object,b up object,c up object,a up object,"+tried, ",")
	want = want[:len(want)-1]
	for _, name := range strings.Split("a,b,c,b,c,a", ",") { // one to warm up and two that are measured
		want = append(want, slices.Repeat([]string{name + " down"}, 3)...)
	}
	if got := who(*diary); !slices.Equal(got, want) {
		t.Errorf("the order was\n%q, want\n%q", got, want)
	}
	for group, case_ := range map[string]string{"upload, random, plain": "1", "download, random, plain": "2"} {
		for _, name := range []string{"a", "b", "c"} {
			s := c.Report.Find(group, case_, name)
			if s == nil || len(s.Values) != 2 || slices.Min(s.Values) <= 0 {
				t.Errorf("%s, %s: got %v, want two values", group, name, s)
			}
		}
	}
}

// What counts is uploaded after something else was, for Fresh to a new store; it is new in each
// round, but the same for all; and stored data was there before.
func TestBytesOfRounds(t *testing.T) {
	for _, fresh := range []bool{false, true} {
		for _, kind := range []data.Kind{data.Random, data.JSON, data.Stored} {
			c, _, diary := newContest(t, fresh, func(*fake) {})
			if err := c.measure(t.Context(), Group{Upload, kind, Plain}); err != nil {
				t.Fatal(err)
			}
			of := map[string][]string{} // the ETags of each
			for _, line := range *diary {
				if name, etag, _ := strings.Cut(line, " "); strings.HasSuffix(etag, "-3") {
					of[name] = append(of[name], etag)
				}
			}
			if !slices.Equal(of["a"], of["b"]) || !slices.Equal(of["a"], of["c"]) {
				t.Errorf("%s: the contenders were given different data: %q", kind, of)
			}
			slices.Sort(of["a"])
			// Not Fresh: one that is tried, and one a round. Fresh: the same before each round, or
			// the round's.
			if n := len(slices.Compact(of["a"])); fresh && kind == data.Stored && n != 2 || !(fresh && kind == data.Stored) && n != 3 {
				t.Errorf("fresh %v, %s: %d different objects: %q", fresh, kind, n, of["a"])
			}
			if s := c.Report.Find("upload, "+string(kind)+", plain, allocated", "1", "a"); (s != nil) != fresh {
				t.Errorf("fresh %v: allocated is %v", fresh, s)
			}
		}
	}
}

func TestLiesAreErrors(t *testing.T) {
	for _, test := range []struct {
		op     string
		fresh  bool
		change func(*fake)
		want   string
	}{
		{Upload, false, func(f *fake) { f.wrongETag = true }, "upload, random, plain, 1 parts in flight: b: the ETag is x"},
		{Upload, false, func(f *fake) { f.wrongByte = true }, "upload, random, plain, 1 parts in flight: b: what came back has MD5"},
		{Upload, true, func(f *fake) { f.wrongETag = true }, "upload, random, plain, 1 parts in flight: b, round 1: the ETag is x"},
		{Download, false, func(f *fake) { f.short = true }, "download, random, plain, 2 readers: b, round 1: download: 2048 bytes came, must be 3072"},
	} {
		c, _, _ := newContest(t, test.fresh, test.change)
		err := c.measure(t.Context(), Group{test.op, data.Random, Plain})
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("got %v, want %q", err, test.want)
		}
	}
}

func TestSink(t *testing.T) {
	want := bytes.Repeat([]byte("0123456789a"), sinkBuffer/5)
	for _, buffer := range [][]byte{nil, make([]byte, sinkBuffer)} {
		for name, src := range map[string]io.Reader{
			"written at once": bytes.NewReader(want),
			"read in pieces":  io.MultiReader(bytes.NewReader(want[:7]), iotest.DataErrReader(bytes.NewReader(want[7:]))),
		} {
			s := &sink{buffer: buffer}
			if n, err := io.Copy(s, src); err != nil || n != int64(len(want)) || s.n != n {
				t.Errorf("%s: got %d bytes, %v; the sink counts %d", name, n, err, s.n)
			}
		}
	}
	failure := errors.New("failure")
	if _, err := new(sink).ReadFrom(iotest.ErrReader(failure)); !errors.Is(err, failure) {
		t.Errorf("got %v", err)
	}
}
