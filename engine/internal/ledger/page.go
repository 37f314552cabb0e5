package ledger

import (
	"errors"
	"sort"

	"github.com/gabion-storage/gabion/index"
)

// Seals verify the MACs of the records of one content.
type Seals interface {
	Page(id index.ManifestID, n int, rec *index.Page) error
	Inline(id index.ManifestID, rec *index.Inline) error
}

// A Page is a run of the chunks of a part: a page of its manifest, or its only chunk if the index
// has that itself.
type Page struct {
	Start  int64 // of the first chunk, in the part
	Chunks []index.PageChunk
	Ends   []int64 // of each chunk, in the part
	Inline []byte  // the frame of the only chunk, if the index has it
}

func newPage(start int64, chunks ...index.PageChunk) *Page {
	p := &Page{Start: start, Chunks: chunks, Ends: make([]int64, len(chunks))}
	end := start
	for i, c := range chunks {
		end += int64(c.Size)
		p.Ends[i] = end
	}
	return p
}

// End is where the last chunk ends, in the part.
func (p *Page) End() int64 {
	if len(p.Ends) == 0 {
		return p.Start
	}
	return p.Ends[len(p.Ends)-1]
}

// ChunkAt returns which chunk holds an offset of the part that lies on the page.
func (p *Page) ChunkAt(inPart int64) int {
	return sort.Search(len(p.Ends), func(i int) bool { return p.Ends[i] > inPart })
}

// Pages is how many pages the manifest of a part has.
func Pages(part *index.Part) int {
	return (part.Chunks + index.MaxPageChunks - 1) / index.MaxPageChunks
}

// OnlyPage is the key of what PageAt reads of a part that has but one page, nil of any other.
func OnlyPage(part *index.Part) []byte {
	switch {
	case part.Inline:
		return index.InlineKey(part.Manifest)
	case Pages(part) == 1:
		return index.PageKey(part.Manifest, 0)
	}
	return nil
}

// PageAt reads the page of a part that holds an offset below its size. s are the seals of its
// content.
func PageAt(r index.Reader, part *index.Part, inPart int64, s Seals) (page *Page, err error) {
	if part.Inline {
		return ReadInline(r, part, s)
	}
	if part.Chunks == 0 {
		return nil, WrongManifest(part, "it has no chunks, but the part %d bytes", part.Size)
	}
	// Right, unless the chunks differ in size.
	guess := int(inPart / max(part.Size/int64(part.Chunks), 1) / index.MaxPageChunks)
	found, err := SearchPages(
		Pages(part), guess, inPart,
		func(n int) (start, end int64, err error) {
			if page, err = ReadPage(r, part, n, s); err != nil {
				return 0, 0, err
			}
			return page.Start, page.End(), nil
		},
	)
	if err == nil && !found {
		err = WrongManifest(part, "no page has byte %d", inPart)
	}
	return page, err
}

// SearchPages looks for the page that holds an offset. read says where a page begins and ends.
func SearchPages(
	pages, guess int, at int64, read func(n int) (start, end int64, err error),
) (found bool, err error) {
	low, high := 0, pages
	for n := min(guess, pages-1); low < high; n = (low + high) / 2 {
		start, end, err := read(n)
		switch {
		case err != nil:
			return false, err
		case at < start:
			high = n
		case at >= end:
			low = n + 1
		default:
			return true, nil
		}
	}
	return false, nil
}

// ReadPage reads one page of a manifest and verifies what can be seen on it alone.
func ReadPage(r index.Reader, part *index.Part, n int, s Seals) (*Page, error) {
	stored, err := index.Get(r, index.PageKey(part.Manifest, n))
	if errors.Is(err, index.ErrNotFound) {
		err = WrongManifest(part, "page %d is missing", n)
	}
	if err == nil {
		err = s.Page(part.Manifest, n, &stored)
	}
	if err != nil {
		return nil, err
	}
	page := newPage(stored.Start, stored.Chunks...)
	want := min(part.Chunks-n*index.MaxPageChunks, index.MaxPageChunks)
	last := n == Pages(part)-1
	if len(page.Chunks) != want || page.End() > part.Size || last && page.End() != part.Size ||
		n == 0 && page.Start != 0 {
		return nil, WrongManifest(
			part,
			"page %d lists %d chunks up to byte %d, wanted are %d chunks of %d and of %d bytes in all",
			n, len(page.Chunks), page.End(), want, part.Chunks, part.Size,
		)
	}
	return page, nil
}

// ReadInline reads the content of a part that has it in the index.
func ReadInline(r index.Reader, part *index.Part, s Seals) (*Page, error) {
	in, err := index.Get(r, index.InlineKey(part.Manifest))
	switch {
	case errors.Is(err, index.ErrNotFound):
		err = WrongManifest(part, "its content is missing")
	case err == nil && int64(in.Size) != part.Size:
		err = WrongManifest(part, "its content has %d bytes, wanted are %d", in.Size, part.Size)
	case err == nil:
		err = s.Inline(part.Manifest, &in)
	}
	if err != nil {
		return nil, err
	}
	page := newPage(0, in.PageChunk)
	page.Inline = in.Frame
	return page, nil
}
