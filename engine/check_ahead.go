package engine

import (
	"iter"

	"github.com/gabion-storage/gabion/engine/internal/ledger"
	"github.com/gabion-storage/gabion/index"
)

// Limits of what a check has the index read ahead of it. They matter where the index is far away: what
// is read together takes one round trip.
const (
	entriesAhead = 256     // objects, uploads and the like, with the first of their parts
	partsAhead   = 1024    // parts in memory, unless those of one content are more
	pagesAhead   = 512     // pages of manifests, and contents that the index has itself
	bytesAhead   = 3 << 20 // of those
)

// runs yields the entries of a scan some at a time, in their order.
func runs[R any](entries iter.Seq2[index.Entry[R], error]) iter.Seq[[]*checkedEntry[R]] {
	return func(yield func([]*checkedEntry[R]) bool) {
		var batch []*checkedEntry[R]
		for entry, err := range entries {
			batch = append(batch, &checkedEntry[R]{Entry: entry, err: err})
			if len(batch) < entriesAhead {
				continue
			}
			if !yield(batch) {
				return
			}
			batch = nil
		}
		if len(batch) > 0 {
			yield(batch)
		}
	}
}

// A checkedEntry is an entry of a scan, or the error that came with it, and what it has.
type checkedEntry[R any] struct {
	index.Entry[R]
	err error

	content  *index.ContentID  // which it has, or nil
	manifest *index.ManifestID // which it has without a part, or nil
	keys     [][]byte          // of what else it refers to
	parts    []numberedPart    // of the content
	hits     []Problem         // by those that cannot be decoded
}

// A contentState says whether contents are whole.
type contentState bool

const (
	inUse     contentState = false
	discarded contentState = true // any number of their parts and pages may be gone
)

// each calls fn with the entries of a scan, in their order, while what they have is in memory. of says
// what that is.
func each[R any](
	k *check, entries iter.Seq2[index.Entry[R], error], state contentState,
	of func(*checkedEntry[R]), fn func(*checkedEntry[R]) error,
) error {
	base := k.r
	defer func() { k.r, k.plan = base, nil }()
	for batch := range runs(entries) {
		var want index.Wanted
		for _, e := range batch {
			if e.err != nil {
				continue
			}
			of(e)
			want.Keys = append(want.Keys, e.keys...)
			if e.content != nil {
				want.Ranges = append(want.Ranges, index.PartsOf(*e.content).Bounds())
				if state == inUse {
					want.Ranges = append(want.Ranges, index.DirectoryOf(*e.content).Bounds())
				}
			}
		}
		near, err := index.Prefetch(base, want)
		if err != nil {
			return err
		}
		for len(batch) > 0 {
			k.r = near
			n, err := planned(k, batch, state)
			if err != nil {
				return err
			}
			for i := range n {
				if err := fn(batch[i]); err != nil {
					return err
				}
				batch[i] = nil
			}
			batch = batch[n:]
		}
	}
	return nil
}

// planned reads the parts of the first entries of a batch, and says of how many.
func planned[R any](k *check, batch []*checkedEntry[R], state contentState) (n int, err error) {
	k.plan = newPagePlan(k, state)
	for ; n < len(batch) && len(k.plan.manifests) < partsAhead; n++ {
		e := batch[n]
		if e.manifest != nil {
			k.plan.add(plannedManifest{id: *e.manifest, chunks: index.MaxPageChunks})
		}
		if e.content == nil {
			continue
		}
		if e.parts, e.hits, err = k.partsOf(*e.content); err != nil {
			return n, err
		}
		for i := range e.parts {
			p := &e.parts[i].Part
			k.plan.add(plannedManifest{p.Manifest, p.Chunks, p.Inline, p.Size})
		}
	}
	return n, nil
}

// A pagePlan says which manifests are about to be read, in which order. Nothing depends on it but how
// many steps that takes.
type pagePlan struct {
	check     *check
	state     contentState
	near      index.Reader // of the check while nothing of the plan is in memory
	manifests []plannedManifest
	at        map[index.ManifestID]int

	from, to pagePlace // what is in memory
}

type plannedManifest struct {
	id     index.ManifestID
	chunks int
	inline bool
	size   int64
}

// A pagePlace is a page of a manifest of a plan.
type pagePlace struct{ manifest, page int }

func (p pagePlace) before(q pagePlace) bool {
	return p.manifest < q.manifest || p.manifest == q.manifest && p.page < q.page
}

func newPagePlan(k *check, state contentState) *pagePlan {
	return &pagePlan{check: k, state: state, near: k.r, at: map[index.ManifestID]int{}}
}

// add adds a manifest. One that was checked is not checked again.
func (p *pagePlan) add(m plannedManifest) {
	if _, done := p.check.manifests[m.id]; done {
		return
	}
	if _, twice := p.at[m.id]; !twice {
		p.at[m.id] = len(p.manifests)
		p.manifests = append(p.manifests, m)
	}
}

// pages is how many pages the manifest at a place has, as far as a plan needs to know.
func (p *pagePlan) pages(manifest int) int {
	m := p.manifests[manifest]
	if p.state == discarded || m.inline {
		return 1
	}
	return max(ledger.Pages(&index.Part{Chunks: m.chunks}), 1)
}

// next returns the place behind one.
func (p *pagePlan) next(at pagePlace) pagePlace {
	if at.page++; at.page >= p.pages(at.manifest) {
		return pagePlace{at.manifest + 1, 0}
	}
	return at
}

// reach has a page in memory, or all of a discarded manifest, and with it what comes behind.
func (k *check) reach(id index.ManifestID, page int) error {
	if k.plan == nil {
		return nil
	}
	manifest, is := k.plan.at[id]
	at := pagePlace{manifest, page}
	if !is || page >= k.plan.pages(manifest) || !at.before(k.plan.from) && at.before(k.plan.to) {
		return nil
	}
	want, to := k.plan.want(at)
	near, err := index.Prefetch(k.plan.near, want)
	if err != nil {
		return err
	}
	k.r, k.plan.from, k.plan.to = near, at, to
	k.frames.follow(k, at, to)
	return nil
}

// want returns what to read from a place on, and where that ends.
func (p *pagePlan) want(at pagePlace) (want index.Wanted, to pagePlace) {
	const (
		frame = maxInlineFrame + 100 // at most, with what is around it
		entry = 48                   // of a chunk on a page
	)
	for n, bytes := 0, int64(0); at.manifest < len(p.manifests) && n < pagesAhead; n++ {
		m := p.manifests[at.manifest]
		if m.inline {
			bytes += min(m.size+100, frame)
		} else {
			bytes += entry * int64(min(m.chunks-at.page*index.MaxPageChunks, index.MaxPageChunks))
		}
		if n > 0 && bytes > bytesAhead {
			break
		}
		if p.state == discarded {
			want.Ranges = append(want.Ranges, index.PagesOf(m.id).Bounds())
		} else if !m.inline {
			want.Keys = append(want.Keys, index.PageKey(m.id, at.page))
		}
		if p.state == discarded || m.inline {
			want.Keys = append(want.Keys, index.InlineKey(m.id))
		}
		at = p.next(at)
	}
	return want, at
}
