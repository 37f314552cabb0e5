package engine

import (
	"bytes"
	"context"
	"errors"
	"time"

	"github.com/gabion-storage/gabion/engine/internal/ledger"
	"github.com/gabion-storage/gabion/index"
)

// orphans looks for parts and pages that nothing refers to.
func (k *check) orphans(context.Context) error {
	for entry, err := range index.ScanAll(k.r, index.AllParts()) {
		if err != nil {
			if err := k.undecoded(Problem{Kind: DataLost}, entry.Key, err); err != nil {
				return err
			}
			continue
		}
		content, number, err := index.ParsePartKey(entry.Key)
		if err != nil {
			return err
		}
		k.totals.Parts++
		if k.contents[content] == nil {
			k.miscounted("part %d of content %s has no owner", number, content)
		}
	}
	k.res.Parts = k.totals.Parts
	for entry, err := range index.ScanAll(k.r, index.AllPages()) {
		if err != nil {
			if err := k.undecoded(Problem{Kind: DataLost}, entry.Key, err); err != nil {
				return err
			}
			continue
		}
		manifest, number, err := index.ParsePageKey(entry.Key)
		if err != nil {
			return err
		}
		if m, ok := k.manifests[manifest]; !ok || m.pages >= 0 && number >= m.pages {
			k.miscounted("page %d of manifest %s has no owner", number, manifest)
		}
	}
	for entry, err := range index.ScanAll(k.r, index.AllInline()) {
		if err != nil {
			if err := k.undecoded(Problem{Kind: DataLost}, entry.Key, err); err != nil {
				return err
			}
			continue
		}
		manifest, err := index.ParseInlineKey(entry.Key)
		if err != nil {
			return err
		}
		if !k.manifests[manifest].inline {
			k.miscounted("the content of manifest %s in the index has no owner", manifest)
		}
	}
	return nil
}

// shared compares the owners counted with those recorded.
func (k *check) shared(context.Context) error {
	recorded := map[index.ContentID]uint64{}
	for entry, err := range index.ScanAll(k.r, index.AllShared()) {
		if err != nil {
			if err := k.undecoded(Problem{Kind: BadAccounting}, entry.Key, err); err != nil {
				return err
			}
			continue
		}
		id, err := index.ParseSharedKey(entry.Key)
		if err != nil {
			return err
		}
		if recorded[id] = entry.Record.Owners; k.contents[id] == nil {
			k.miscounted("content %s has a record of %d owners, and none", id, entry.Record.Owners)
		}
	}
	for id, c := range k.contents {
		switch n := max(recorded[id], 1); {
		case c.owners > 1 && c.upload:
			k.miscounted("content %s of an upload has %d owners", id, c.owners)
		case max(c.owners, 1) != n:
			k.miscounted("content %s has %d owners, its record says %d", id, c.owners, n)
		}
	}
	return nil
}

// A queueCheck compares the records of a queue with its ends, between which they are looked for.
type queueCheck struct {
	check *check
	name  string
	ends  index.Ends
	lost  bool // the ends cannot be decoded, which is told
	seen  uint64
}

func (k *check) queue(
	name string, ends func(index.Reader) (index.Ends, error),
) (q *queueCheck, err error) {
	q = &queueCheck{check: k, name: name}
	if q.ends, err = ends(k.r); err != nil {
		q.lost = true
		err = k.undecoded(
			Problem{Kind: BadAccounting}, []byte("the ends of the "+name+" queue"), err,
		)
	}
	return q, err
}

// has takes in that the queue has a record with this number.
func (q *queueCheck) has(n uint64) {
	if q.seen++; !q.lost && (n < q.ends.Head || n >= q.ends.Tail) {
		q.check.miscounted(
			"%s %d is not in the queue, which goes from %d to %d", q.name, n, q.ends.Head,
			q.ends.Tail,
		)
	}
}

// end says that those were all.
func (q *queueCheck) end() {
	if !q.lost && q.seen != q.ends.Tail-q.ends.Head {
		q.check.miscounted(
			"the %s queue has %d entries, its ends are %d and %d", q.name, q.seen, q.ends.Head,
			q.ends.Tail,
		)
	}
}

// completed counts what is remembered of completed uploads, and compares it with what is to be
// forgotten.
func (k *check) completed(context.Context) error {
	q, err := k.queue("answer", index.AnswerQueue().Ends)
	if err != nil {
		return err
	}
	queued := map[index.ContentID]bool{}
	for entry, err := range index.ScanAll(k.r, index.AnswerQueue().All()) {
		if n, err := index.AnswerQueue().ParseKey(entry.Key); err == nil {
			q.has(n)
		}
		if err != nil {
			if err := k.undecoded(Problem{Kind: BadAccounting}, entry.Key, err); err != nil {
				return err
			}
			continue
		}
		queued[entry.Record.Upload] = true
	}
	q.end()
	for entry, err := range index.ScanAll(k.r, index.AllCompleted()) {
		if err != nil {
			if err := k.undecoded(Problem{Kind: BadAccounting}, entry.Key, err); err != nil {
				return err
			}
			continue
		}
		k.totals.Completed++
		id, err := index.ParseCompletedKey(entry.Key)
		if err != nil {
			return err
		}
		if !queued[id] {
			k.miscounted("the answer to the Complete of %s would never be forgotten", id)
		}
		delete(queued, id)
	}
	for id := range queued {
		k.miscounted("the answer to the Complete of %s is to be forgotten, but not there", id)
	}
	return nil
}

// idle looks for uploads that could never expire, and for entries without an upload.
func (k *check) idle(context.Context) error {
	entries := int64(0)
	walked, err := index.IdleBefore(k.r, time.Time{})
	if err != nil {
		err := k.undecoded(
			Problem{Kind: BadAccounting}, []byte("the ends of the table of idle uploads"), err,
		)
		if err != nil {
			return err
		}
		walked.Start = nil
	}
	err = each(
		k, index.ScanAll(k.r, index.AllIdle()), inUse,
		func(e *checkedEntry[index.Idle]) {
			if _, id, err := index.ParseIdleKey(e.Key); err == nil {
				e.keys = [][]byte{index.UploadKey(e.Record.Bucket, e.Record.Key, id)}
			}
		},
		func(e *checkedEntry[index.Idle]) error {
			if e.err != nil {
				return k.undecoded(Problem{Kind: BadAccounting}, e.Key, e.err)
			}
			entries++
			if bytes.Compare(e.Key, walked.Start) < 0 {
				k.miscounted("upload %s/%s could never expire", e.Record.Bucket, e.Record.Key)
			}
			return k.idleEntry(&e.Entry)
		},
	)
	if err != nil {
		return err
	}
	if entries != k.totals.Uploads {
		k.miscounted(
			"%d uploads are in the table of idle uploads, there are %d", entries, k.totals.Uploads,
		)
	}
	return nil
}

func (k *check) idleEntry(e *index.Entry[index.Idle]) error {
	watched, id, err := index.ParseIdleKey(e.Key)
	if err != nil {
		return err
	}
	// A record that cannot be decoded is reported already.
	rec, err := index.Get(k.r, index.UploadKey(e.Record.Bucket, e.Record.Key, id))
	if err != nil && !errors.Is(err, index.ErrNotFound) && !isFinding(err) {
		return err
	}
	if err != nil || !rec.Watched.Equal(watched) {
		k.miscounted("upload %s stands in the table of idle uploads under a wrong time", id)
	}
	return nil
}

// counts compares the references counted with those recorded.
func (k *check) counts(context.Context) error {
	for id, c := range k.chunks {
		switch {
		case c.Refs == 0:
			k.miscounted("chunk %s has a record, but no references", id)
		case c.Refs != c.counted:
			k.miscounted(
				"chunk %s is referred to %d times, its record says %d", id, c.counted, c.Refs,
			)
		}
	}
	return nil
}

// accounts compares the accounts of volumes and the totals with the truth.
func (k *check) accounts(context.Context) error {
	want := map[uint64]index.Volume{}
	for _, c := range k.chunks {
		v := want[c.Volume]
		v.LiveBytes += int64(c.Stored)
		v.LiveChunks++
		want[c.Volume] = v
	}
	for id, v := range want {
		// Of one that is missing or cannot be read the chunks tell.
		if has, ok := k.volumes[id]; ok && has.Damage == nil &&
			(v.LiveBytes > has.Bytes || v.LiveChunks > has.Frames) {
			k.miscounted(
				"volume %d has %+v live, but only %d bytes of %d chunks", id, v, has.Bytes,
				has.Frames,
			)
		}
	}
	for entry, err := range index.ScanAll(k.r, index.Volumes()) {
		if err != nil {
			if err := k.undecoded(Problem{Kind: BadAccounting}, entry.Key, err); err != nil {
				return err
			}
			continue
		}
		id, err := index.ParseVolumeKey(entry.Key)
		if err != nil {
			return err
		}
		if entry.Record != want[id] {
			k.miscounted("volume %d has %+v live, its record says %+v", id, want[id], entry.Record)
		}
		delete(want, id)
	}
	for id, v := range want {
		k.miscounted("volume %d has %+v live, and no record", id, v)
	}
	totals, err := ledger.Totals(k.r)
	if err != nil {
		return k.undecoded(Problem{Kind: BadAccounting}, index.TotalsKey(), err)
	}
	if totals != k.totals {
		k.miscounted("the totals are %+v, the record says %+v", k.totals, totals)
	}
	return nil
}
