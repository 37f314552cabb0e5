package engine

import (
	"errors"
	"fmt"
	"sort"

	"github.com/gabion-storage/gabion/index"
)

// chunkPage is a run of the chunks of a part: a page of its manifest, or its only chunk if the
// index has that itself.
type chunkPage struct {
	start  int64 // of the first chunk, in the part
	chunks []index.PageChunk
	ends   []int64 // of each chunk, in the part
	inline []byte  // the frame of the only chunk, if the index has it
}

func newChunkPage(start int64, chunks ...index.PageChunk) *chunkPage {
	p := &chunkPage{start: start, chunks: chunks, ends: make([]int64, len(chunks))}
	end := start
	for i, c := range chunks {
		end += int64(c.Size)
		p.ends[i] = end
	}
	return p
}

func (p *chunkPage) end() int64 {
	if len(p.ends) == 0 {
		return p.start
	}
	return p.ends[len(p.ends)-1]
}

// chunkAt returns which chunk holds an offset of the part that lies on the page.
func (p *chunkPage) chunkAt(inPart int64) int {
	return sort.Search(len(p.ends), func(i int) bool { return p.ends[i] > inPart })
}

// pagesIn is how many pages the manifest of a part has.
func pagesIn(rec *index.Part) int {
	return (rec.Chunks + index.MaxPageChunks - 1) / index.MaxPageChunks
}

// pageAt reads the page of a part that holds an offset below its size. s are the seals of its
// content.
func pageAt(r index.Reader, rec *index.Part, inPart int64, s seals) (page *chunkPage, err error) {
	if rec.Inline {
		return inlinePage(r, rec, s)
	}
	if rec.Chunks == 0 {
		return nil, manifestError(rec, "it has no chunks, but the part %d bytes", rec.Size)
	}
	guess := int(
		inPart / max(rec.Size/int64(rec.Chunks), 1) / index.MaxPageChunks,
	) // right, unless the chunks differ in size
	found, err := searchPages(
		pagesIn(rec), guess, inPart,
		func(n int) (start, end int64, err error) {
			if page, err = readPage(r, rec, n, s); err != nil {
				return 0, 0, err
			}
			return page.start, page.end(), nil
		},
	)
	if err == nil && !found {
		err = manifestError(rec, "no page has byte %d", inPart)
	}
	return page, err
}

// readPage reads one page of a manifest and verifies what can be seen on it alone.
func readPage(r index.Reader, rec *index.Part, n int, s seals) (*chunkPage, error) {
	stored, err := index.Get(r, index.PageKey(rec.Manifest, n))
	if errors.Is(err, index.ErrNotFound) {
		err = manifestError(rec, "page %d is missing", n)
	}
	if err == nil {
		err = s.page(rec.Manifest, n, &stored)
	}
	if err != nil {
		return nil, err
	}
	page := newChunkPage(stored.Start, stored.Chunks...)
	want := min(rec.Chunks-n*index.MaxPageChunks, index.MaxPageChunks)
	last := n == pagesIn(rec)-1
	if len(page.chunks) != want || page.end() > rec.Size || last && page.end() != rec.Size ||
		n == 0 && page.start != 0 {
		return nil, manifestError(
			rec,
			"page %d lists %d chunks up to byte %d, wanted are %d chunks of %d and of %d bytes in all",
			n, len(page.chunks), page.end(), want, rec.Chunks, rec.Size,
		)
	}
	return page, nil
}

// inlinePage reads the content of a part that has it in the index.
func inlinePage(r index.Reader, rec *index.Part, s seals) (*chunkPage, error) {
	in, err := index.Get(r, index.InlineKey(rec.Manifest))
	switch {
	case errors.Is(err, index.ErrNotFound):
		err = manifestError(rec, "its content is missing")
	case err == nil && int64(in.Size) != rec.Size:
		err = manifestError(rec, "its content has %d bytes, wanted are %d", in.Size, rec.Size)
	case err == nil:
		err = s.inline(rec.Manifest, &in)
	}
	if err != nil {
		return nil, err
	}
	page := newChunkPage(0, in.PageChunk)
	page.inline = in.Frame
	return page, nil
}

func manifestError(rec *index.Part, format string, args ...any) error {
	return &CorruptionError{
		What: "manifest " + rec.Manifest.String(), Where: "index", Err: fmt.Errorf(format, args...),
	}
}
