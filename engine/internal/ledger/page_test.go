package ledger_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/gabion-storage/gabion/engine/internal/ledger"
	"github.com/gabion-storage/gabion/index"
)

// unsealed are the Seals of a content without MACs; broken those of one whose records were changed.
type unsealed struct{}

func (unsealed) Page(index.ManifestID, int, *index.Page) error { return nil }
func (unsealed) Inline(index.ManifestID, *index.Inline) error  { return nil }

var errBroken = errors.New("the seal is broken")

type broken struct{}

func (broken) Page(index.ManifestID, int, *index.Page) error { return errBroken }
func (broken) Inline(index.ManifestID, *index.Inline) error  { return errBroken }

// TestPageAt reads pages of a part of two, whose chunks have two bytes on the first and one on the
// second.
func TestPageAt(t *testing.T) {
	b := newBooks(t)
	const full = index.MaxPageChunks
	part := &index.Part{Manifest: idOf(1), Chunks: full + 3, Size: 2*full + 3}
	pages := []index.Page{{Chunks: chunksOf(full, 2)}, {Start: 2 * full, Chunks: chunksOf(3, 1)}}
	b.putPages(part, pages)
	if n := ledger.Pages(part); n != 2 {
		t.Errorf("the part has %d pages", n)
	}
	for _, at := range []int64{0, 1, 2, 3, 999, 2*full - 1, 2 * full, 2*full + 1, 2*full + 2} {
		err := b.View(t.Context(), func(r index.Reader) error {
			page, err := ledger.PageAt(r, part, at, unsealed{})
			if err != nil {
				return err
			}
			n := page.ChunkAt(at)
			end := page.Ends[n]
			if start := end - int64(page.Chunks[n].Size); at < start || at >= end {
				t.Errorf("byte %d is said to be in a chunk from %d to %d", at, start, end)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

func chunksOf(n int, size uint32) []index.PageChunk {
	chunks := make([]index.PageChunk, n)
	for i := range chunks {
		chunks[i].Size = size
	}
	return chunks
}

// putPages stores the records of pages as they are.
func (b *books) putPages(part *index.Part, pages []index.Page) {
	b.Helper()
	b.update(func(tx index.Tx) error {
		for n := range pages {
			if err := index.Put(tx, index.PageKey(part.Manifest, n), &pages[n]); err != nil {
				return err
			}
		}
		return nil
	})
}

// TestWrongManifest reads manifests that are not those of their parts. Each is found out, by a
// CorruptionError that says how.
func TestWrongManifest(t *testing.T) {
	one := func(start int64, n int) []index.Page {
		return []index.Page{{Start: start, Chunks: chunksOf(n, 10)}}
	}
	inline := index.Inline{PageChunk: index.PageChunk{Size: 30}, Frame: []byte("frame")}
	for _, test := range []struct {
		name   string
		part   index.Part
		pages  []index.Page
		inline *index.Inline
		at     int64
		wrong  string // a piece of the text; none if all is well
	}{
		{"sound", index.Part{Chunks: 3, Size: 30}, one(0, 3), nil, 29, ""},
		{"no chunks", index.Part{Size: 30}, nil, nil, 0, "it has no chunks, but the part 30 bytes"},
		{"no page", index.Part{Chunks: 3, Size: 30}, nil, nil, 0, "page 0 is missing"},
		{"a chunk less", index.Part{Chunks: 3, Size: 20}, one(0, 2), nil, 0, "lists 2 chunks"},
		{"a chunk more", index.Part{Chunks: 3, Size: 40}, one(0, 4), nil, 0, "lists 4 chunks"},
		{"bytes less", index.Part{Chunks: 3, Size: 31}, one(0, 3), nil, 0, "up to byte 30"},
		{"bytes more", index.Part{Chunks: 3, Size: 29}, one(0, 3), nil, 0, "up to byte 30"},
		{
			"bytes more, and more pages", index.Part{Chunks: index.MaxPageChunks + 1, Size: 5},
			one(0, index.MaxPageChunks), nil, 0, "up to byte 10240",
		},
		{"another start", index.Part{Chunks: 3, Size: 40}, one(10, 3), nil, 20, "up to byte 40"},
		{"no such byte", index.Part{Chunks: 3, Size: 30}, one(0, 3), nil, 30, "no page has byte 30"},
		{"inline", index.Part{Inline: true, Size: 30}, nil, &inline, 0, ""},
		{"no content", index.Part{Inline: true, Size: 30}, nil, nil, 0, "its content is missing"},
		{"content of another size", index.Part{Inline: true, Size: 31}, nil, &inline, 0, "has 30 bytes"},
	} {
		t.Run(test.name, func(t *testing.T) {
			b := newBooks(t)
			test.part.Manifest = idOf(1)
			b.putPages(&test.part, test.pages)
			if test.inline != nil {
				b.update(func(tx index.Tx) error {
					_, err := ledger.PutInline(tx, test.part.Manifest, test.inline)
					return err
				})
			}
			read := func(s ledger.Seals) error {
				return b.View(t.Context(), func(r index.Reader) error {
					_, err := ledger.PageAt(r, &test.part, test.at, s)
					return err
				})
			}
			err := read(unsealed{})
			var corrupt *ledger.CorruptionError
			switch {
			case test.wrong == "" && err != nil:
				t.Error(err)
			case test.wrong == "":
				if err := read(broken{}); !errors.Is(err, errBroken) {
					t.Errorf("with a broken seal: %v", err)
				}
			case !errors.As(err, &corrupt) || !strings.Contains(err.Error(), test.wrong):
				t.Errorf("the error is %v, want %q", err, test.wrong)
			case corrupt.What != "manifest "+test.part.Manifest.String():
				t.Errorf("%q is said to be hit", corrupt.What)
			}
		})
	}
}
