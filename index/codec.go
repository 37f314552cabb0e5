package index

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"maps"
	"math"
	"slices"
	"strings"
	"time"
)

const (
	checksumSize = 4
	usualRecord  = 192 // bytes that most records are at most long
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// A versioned is a run of fields with a version of its own: a record, or fields that several kinds
// of record have. What follows from a version is in the package comment.
type versioned interface {
	version() byte // the one that encode writes, and the newest that decode reads
	encode(e *encoder)
	decode(d *decoder, version byte)
}

// record is what *R must be for R to be stored under a Key[R].
type record[R any] interface {
	*R
	versioned
}

// seal encodes a record and closes its envelope.
func seal[R any, P record[R]](key []byte, rec P) ([]byte, error) {
	e := encoder{buf: make([]byte, 0, usualRecord)}
	e.versioned(rec)
	if e.err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrInvalidRecord, describe(key), e.err)
	}
	return e.checksummed(key), nil
}

// open checks the envelope and decodes the record, which keeps the value.
func open[R any, P record[R]](key, value []byte) (*R, error) {
	if err := Verify(key, value); err != nil {
		return nil, err
	}
	body := len(value) - checksumSize
	d := decoder{key: key, buf: value[:body]}
	rec := new(R)
	d.versioned(P(rec))
	if d.err == nil && len(d.buf) > 0 {
		d.err = fmt.Errorf("%d bytes behind the last field", len(d.buf))
	}
	if d.err == nil {
		return rec, nil
	}
	if _, newer := errors.AsType[*VersionError](d.err); newer {
		return nil, d.err
	}
	return nil, &CorruptionError{Where: describe(key), Reason: "undecodable record", Err: d.err}
}

// Verify checks the envelope of a record without decoding it: that the bytes are those that were
// stored under the key. What fails is a *CorruptionError. The checksum comes before all else, so
// that a flipped bit in the version byte is called what it is; that is why the checksum has to stay
// where it is in every later version.
func Verify(key, value []byte) error {
	body := len(value) - checksumSize
	if body < 1 {
		return corrupt(key, fmt.Sprintf("%d bytes are too short for a record", len(value)))
	}
	want, got := binary.BigEndian.Uint32(value[body:]), checksum(key, value[:body])
	if got != want {
		return corrupt(key, fmt.Sprintf("checksum is %08x, want %08x", got, want))
	}
	return nil
}

// checksum covers the key too, so that a record which turns up under another key is refused.
func checksum(key, body []byte) uint32 {
	return crc32.Update(crc32.Update(0, castagnoli, key), castagnoli, body)
}

func corrupt(key []byte, reason string) error {
	return &CorruptionError{Where: describe(key), Reason: reason}
}

// describe names a key in an error text.
func describe(key []byte) string { return fmt.Sprintf("record %q", key) }

// An encoder appends fields. After the first error, which stays, it appends nothing.
type encoder struct {
	buf []byte
	err error
}

// versioned appends fields behind their version.
func (e *encoder) versioned(f versioned) {
	e.buf = append(e.buf, f.version())
	f.encode(e)
}

// checksummed returns the record with the checksum behind it.
func (e *encoder) checksummed(key []byte) []byte {
	return binary.BigEndian.AppendUint32(e.buf, checksum(key, e.buf))
}

func (e *encoder) fail(format string, args ...any) {
	if e.err == nil {
		e.err = fmt.Errorf(format, args...)
	}
}

func (e *encoder) uint(v uint64) { e.buf = binary.AppendUvarint(e.buf, v) }

// size encodes a number that cannot be negative.
func (e *encoder) size(v int64, limit int64) {
	if v < 0 || v > limit {
		e.fail("number %d is not in 0..%d", v, limit)
		return
	}
	e.uint(uint64(v))
}

// count encodes a counter, which may have any value: an error in the books is for a check to find,
// not for a write to fail on.
func (e *encoder) count(v int64) { e.buf = binary.AppendVarint(e.buf, v) }

func (e *encoder) bool(v bool) {
	var n uint64
	if v {
		n = 1
	}
	e.uint(n)
}

func (e *encoder) fixed64(v uint64) { e.buf = binary.BigEndian.AppendUint64(e.buf, v) }

func (e *encoder) fixed(b []byte) { e.buf = append(e.buf, b...) }

// bytes encodes as a text does; none and nil are the same.
func (e *encoder) bytes(b []byte, limit int) { text(e, b, limit) }

func (e *encoder) string(s string, limit int) { text(e, s, limit) }

func text[T string | []byte](e *encoder, s T, limit int) {
	if len(s) > limit {
		e.fail("text of %d bytes is over the limit of %d", len(s), limit)
		return
	}
	e.uint(uint64(len(s)))
	e.buf = append(e.buf, s...)
}

// zeroTime stands for the zero time, which has no unix nanoseconds.
const zeroTime = math.MinInt64

func (e *encoder) time(t time.Time) {
	nanos := t.UnixNano()
	switch {
	case t.IsZero():
		nanos = zeroTime
	case nanos == zeroTime || !time.Unix(0, nanos).Equal(t):
		e.fail("time %v is out of range", t)
	}
	e.fixed64(uint64(nanos))
}

func (e *encoder) texts(m map[string]string, entries, limit int) {
	if len(m) > entries {
		e.fail("%d entries are over the limit of %d", len(m), entries)
		return
	}
	e.uint(uint64(len(m)))
	for _, name := range slices.Sorted(maps.Keys(m)) {
		e.string(name, limit)
		limit -= len(name)
		e.string(m[name], limit)
		limit -= len(m[name])
		if e.err != nil {
			return
		}
	}
}

// A decoder takes fields off the front. After the first error, which stays, every field is zero. It
// takes only what an encoder writes, so that decoding and encoding gives the same bytes.
type decoder struct {
	key   []byte // for errors
	buf   []byte
	err   error
	older bool // a version was met that is not written any more: encoding will give other bytes
}

var (
	errShort     = errors.New("record ends within a field")
	errOverlong  = errors.New("number is not in its shortest form")
	errUnordered = errors.New("entries are not in order")
	errNoKind    = errors.New("kind of trash is zero")
	errNoVersion = errors.New("version is zero")
)

func (d *decoder) fail(err error) {
	if d.err == nil {
		d.err = err
	}
	d.buf = nil
}

// versioned takes fields off that have their version in front.
func (d *decoder) versioned(f versioned) {
	version, newest := d.fixed(1)[0], f.version()
	switch {
	case d.err != nil:
	case version == 0:
		d.fail(errNoVersion)
	case version > newest:
		kind := strings.TrimPrefix(fmt.Sprintf("%T", f), "*index.")
		d.fail(&VersionError{
			Where: "the " + kind + " in " + describe(d.key), Version: version,
			Supported: newest,
		})
	default:
		d.older = d.older || version < newest
		f.decode(d, version)
	}
}

// fixed returns the next n bytes, which stay part of the record.
func (d *decoder) fixed(n int) []byte {
	if d.err == nil && n > len(d.buf) {
		d.fail(errShort)
	}
	if d.err != nil {
		return make([]byte, n)
	}
	b := d.buf[:n]
	d.buf = d.buf[n:]
	return b
}

func (d *decoder) uint(limit uint64) uint64 {
	v, n := binary.Uvarint(d.buf)
	switch {
	case d.err != nil:
		return 0
	case n <= 0:
		d.fail(errShort)
		return 0
	case n > 1 && d.buf[n-1] == 0:
		d.fail(errOverlong)
		return 0
	case v > limit:
		d.fail(fmt.Errorf("number %d is over the limit of %d", v, limit))
		return 0
	}
	d.buf = d.buf[n:]
	return v
}

func (d *decoder) size(limit int64) int64 { return int64(d.uint(uint64(limit))) }

// count undoes the zigzag of binary.AppendVarint.
func (d *decoder) count() int64 {
	v := d.uint(math.MaxUint64)
	return int64(v>>1) ^ -int64(v&1)
}

func (d *decoder) bool() bool { return d.uint(1) == 1 }

func (d *decoder) fixed64() uint64 { return binary.BigEndian.Uint64(d.fixed(8)) }

// string checks the length before anything of that size is made.
func (d *decoder) string(limit int) string {
	return string(d.fixed(int(d.uint(uint64(limit)))))
}

// shared returns bytes that stay part of the record, nil for none.
func (d *decoder) shared(limit int) []byte {
	n := int(d.uint(uint64(limit)))
	if b := d.fixed(n); n > 0 && d.err == nil {
		return b[:n:n]
	}
	return nil
}

// bytes returns a copy, nil for none.
func (d *decoder) bytes(limit int) []byte {
	return append([]byte(nil), d.fixed(int(d.uint(uint64(limit))))...)
}

func (d *decoder) time() time.Time {
	nanos := int64(d.fixed64())
	if d.err != nil || nanos == zeroTime {
		return time.Time{}
	}
	return time.Unix(0, nanos).UTC()
}

// texts returns nil for no entries.
func (d *decoder) texts(entries, limit int) map[string]string {
	n := int(d.uint(uint64(entries)))
	var m map[string]string
	last := ""
	for i := range n {
		name := d.string(limit)
		limit -= len(name)
		text := d.string(limit)
		limit -= len(text)
		if i > 0 && name <= last {
			d.fail(errUnordered)
		}
		if d.err != nil {
			return nil
		}
		if m == nil {
			m = make(map[string]string)
		}
		m[name], last = text, name
	}
	return m
}
