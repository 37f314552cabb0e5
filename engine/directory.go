package engine

import (
	"bytes"
	"errors"
	"fmt"
	"slices"

	"github.com/gabion-storage/gabion/engine/internal/ledger"
	"github.com/gabion-storage/gabion/index"
)

// The directory of a content lists the numbers and sizes of its parts by pages, so that a reader
// finds a part by an offset, or by its place in the order, without reading those before. A content
// gets it when an object is made of it; one of less than two parts needs none.

// putDirectory stores the directory of a content that has these parts, in the order of their
// numbers.
func putDirectory(tx index.Tx, id index.ContentID, parts []index.DirectoryPart, s seals) error {
	for page, rec := range directoryOf(parts) {
		s.signDirectory(page, &rec)
		if err := index.Put(tx, index.DirectoryKey(id, page), &rec); err != nil {
			return err
		}
	}
	return nil
}

// directoryOf returns the pages of the directory of a content that has these parts; none for less
// than two.
func directoryOf(parts []index.DirectoryPart) (pages []index.Directory) {
	if len(parts) < 2 {
		return nil
	}
	var start int64
	for page := range slices.Chunk(parts, index.MaxPageParts) {
		pages = append(pages, index.Directory{Start: start, Parts: page})
		for _, p := range page {
			start += p.Size
		}
	}
	return pages
}

// directoryParts is what a directory says of parts.
func directoryParts(parts []numberedPart) []index.DirectoryPart {
	list := make([]index.DirectoryPart, len(parts))
	for i, p := range parts {
		list[i] = index.DirectoryPart{Number: uint16(p.number), Size: p.Size, Manifest: p.Manifest}
	}
	return list
}

// A directoryPage is a page of a directory that has been read.
type directoryPage struct {
	first int // part on it, counted from 0 in the order of their numbers
	index.Directory
	end int64 // in the object
}

// directoryPage reads a page and verifies what can be seen on it alone. The latest is kept.
func (s *source) directoryPage(r index.Reader, n int) (*directoryPage, error) {
	s.mu.Lock()
	latest := s.directory
	s.mu.Unlock()
	first := n * index.MaxPageParts
	if latest != nil && latest.first == first {
		return latest, nil
	}
	rec, err := index.Get(r, index.DirectoryKey(s.id, n))
	if errors.Is(err, index.ErrNotFound) {
		err = s.inconsistent("page %d of its directory is missing", n)
	}
	if err == nil {
		err = s.directorySeals.directory(s.id, n, &rec)
	}
	if err != nil {
		return nil, err
	}
	page := &directoryPage{first: first, Directory: rec, end: rec.Start}
	for _, p := range rec.Parts {
		page.end += p.Size
	}
	want := min(s.count-first, index.MaxPageParts)
	last := first+want == s.count
	if len(rec.Parts) != want || page.end > s.size || last && page.end != s.size ||
		n == 0 && page.Start != 0 {
		return nil, s.inconsistent(
			"page %d of its directory has %d parts up to byte %d, "+
				"wanted are %d parts of %d and of %d bytes in all",
			n, len(rec.Parts), page.end, want, s.count, s.size,
		)
	}
	s.mu.Lock()
	s.directory = page
	s.mu.Unlock()
	return page, nil
}

// directoryPages is how many pages the directory has.
func (s *source) directoryPages() int { return directoryPages(s.count) }

// directoryPages is how many pages the directory of so many parts has.
func directoryPages(parts int) int { return (parts + index.MaxPageParts - 1) / index.MaxPageParts }

// directoryAt returns the page with the part that holds the byte at, which is below size.
func (s *source) directoryAt(r index.Reader, at int64) (page *directoryPage, err error) {
	// Mostly right: parts mostly are of one size.
	guess := int(at / max(s.size/int64(s.count), 1) / index.MaxPageParts)
	found, err := ledger.SearchPages(
		s.directoryPages(), guess, at,
		func(n int) (start, end int64, err error) {
			if page, err = s.directoryPage(r, n); err != nil {
				return 0, 0, err
			}
			return page.Start, page.end, nil
		},
	)
	if err == nil && !found {
		err = s.inconsistent("no page of its directory has byte %d", at)
	}
	return page, err
}

// segmentAt returns the part that holds the byte at, which is below size.
func (s *source) segmentAt(r index.Reader, at int64) (*segment, error) {
	s.mu.Lock()
	latest := s.segment
	s.mu.Unlock()
	if latest != nil && latest.covers(at) {
		return latest, nil
	}
	if s.count < 2 {
		return s.segmentNumber(r, 0)
	}
	page, err := s.directoryAt(r, at)
	if err != nil {
		return nil, err
	}
	start := page.Start
	for i, p := range page.Parts {
		if at < start+p.Size {
			return s.readSegment(r, page.first+i, start, p)
		}
		start += p.Size
	}
	return nil, s.inconsistent("no part has byte %d", at)
}

// segmentNumber returns the part that is the n-th in order, from 0.
func (s *source) segmentNumber(r index.Reader, n int) (*segment, error) {
	if s.count < 2 {
		return s.onlySegment(r)
	}
	start, p, err := s.partNumber(r, n)
	if err != nil {
		return nil, err
	}
	return s.readSegment(r, n, start, p)
}

// partNumber returns what the directory says of the part that is the n-th in order, from 0, and
// where it begins.
func (s *source) partNumber(r index.Reader, n int) (start int64, p index.DirectoryPart, err error) {
	page, err := s.directoryPage(r, n/index.MaxPageParts)
	if err != nil {
		return 0, p, err
	}
	start = page.Start
	for _, before := range page.Parts[:n-page.first] {
		start += before.Size
	}
	return start, page.Parts[n-page.first], nil
}

// readSegment reads the record of a part and keeps it as the latest.
func (s *source) readSegment(
	r index.Reader, n int, start int64, p index.DirectoryPart,
) (*segment, error) {
	rec, err := index.Get(r, index.PartKey(s.id, int(p.Number)))
	switch {
	case errors.Is(err, index.ErrNotFound):
		return nil, s.inconsistent("part %d is missing", p.Number)
	case err != nil:
		return nil, err
	case rec.Manifest != p.Manifest:
		return nil, s.inconsistent(
			"part %d has manifest %s, its directory says %s", p.Number, rec.Manifest, p.Manifest,
		)
	case rec.Size != p.Size:
		return nil, s.inconsistent(
			"part %d has %d bytes, its directory says %d", p.Number, rec.Size, p.Size,
		)
	}
	if err := s.seals.part(int(p.Number), &rec); err != nil {
		return nil, err
	}
	return s.keepSegment(&segment{n: n, start: start, Part: rec}), nil
}

// onlySegment reads the part of a content that has just one. There is no directory to tell it from
// an earlier one of the same number; what the object says of its bytes does.
func (s *source) onlySegment(r index.Reader) (*segment, error) {
	number, rec, err := s.firstPart(r)
	switch {
	case err != nil:
		return nil, err
	case rec.Size != s.size:
		return nil, s.inconsistent("its part has %d bytes, wanted are %d", rec.Size, s.size)
	case rec.CRC64 != s.crc64:
		return nil, s.inconsistent(
			"its part has CRC-64 %016x, wanted is %016x", rec.CRC64, s.crc64,
		)
	case len(s.md5) > 0 && !bytes.Equal(rec.ETag[:], s.md5):
		return nil, s.inconsistent("its part has MD5 %x, wanted is %x", rec.ETag, s.md5)
	}
	if err := s.seals.part(number, rec); err != nil {
		return nil, err
	}
	return s.keepSegment(&segment{Part: *rec}), nil
}

// leastPart is the least number of a part.
const leastPart = 1

// firstPart reads the part of the least number. It mostly has the least that there is, and to look
// for that takes a tenth of a scan.
func (s *source) firstPart(r index.Reader) (number int, rec *index.Part, err error) {
	rec, err = index.Find(r, index.PartKey(s.id, leastPart))
	if !errors.Is(err, index.ErrNotFound) {
		return leastPart, rec, err
	}
	for entry, err := range index.Scan(r, index.PartsOf(s.id)) {
		if err != nil {
			return 0, nil, err
		}
		_, number, err := index.ParsePartKey(entry.Key)
		return number, &entry.Record, err
	}
	return 0, nil, s.inconsistent("its part is missing")
}

func (s *source) keepSegment(seg *segment) *segment {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.segment = seg
	return seg
}

// inconsistent says what is wrong with the content's records.
func (s *source) inconsistent(format string, args ...any) error {
	return &CorruptionError{
		What: "object content " + s.id.String(), Where: "index", Err: fmt.Errorf(format, args...),
	}
}
