package engine

import (
	"context"
	"errors"

	"github.com/gabion-storage/gabion/index"
)

// trash counts what the queue still refers to, and what waits to get there or to be named.
func (k *check) trash(ctx context.Context) error {
	ends, err := index.TrashQueue().Ends(k.r)
	if err != nil {
		return err
	}
	for _, rg := range []index.Range[index.Trash]{index.TrashQueue().All(), index.AllWaiting()} {
		for entry, err := range index.Scan(k.r, rg) {
			if err != nil {
				return err
			}
			if n, err := index.TrashQueue().ParseKey(entry.Key); err == nil && (n < ends.Head || n >= ends.Tail) {
				k.miscounted("trash %d is not in the queue, which goes from %d to %d", n, ends.Head, ends.Tail)
			}
			rec := &entry.Record
			k.totals.TrashParts += rec.Parts
			k.totals.TrashBytes += rec.Bytes
			if rec.Kind == index.TrashContent {
				err = k.trashContent(rec.ID)
			} else {
				err = k.trashManifest(rec.ID)
			}
			if err != nil {
				return err
			}
		}
	}
	return nil
}

func (k *check) trashContent(id index.ContentID) error {
	if k.contents[id] != nil {
		k.miscounted("content %s is in use and in the trash queue", id)
	} else {
		k.contents[id] = &contentCheck{}
	}
	parts, err := partsOf(k.r, id)
	for _, p := range parts {
		err = errors.Join(err, k.trashManifest(p.Manifest))
	}
	return err
}

// trashManifest counts the references of a manifest of which any number of pages may be gone.
func (k *check) trashManifest(id index.ManifestID) error {
	if k.manifests[id] {
		k.miscounted("manifest %s is in use and in the trash queue", id)
	}
	k.manifests[id] = true
	for entry, err := range index.Scan(k.r, index.PagesOf(id)) {
		if err != nil {
			return err
		}
		for _, c := range entry.Record.Chunks {
			k.totals.References++
			if rec := k.chunks[c.ID]; rec != nil {
				rec.counted++
			}
		}
	}
	in, err := index.Get(k.r, index.InlineKey(id))
	if errors.Is(err, index.ErrNotFound) {
		return nil
	}
	k.totals.InlineBytes += int64(len(in.Frame))
	return err
}

// orphans looks for parts and pages that nothing refers to.
func (k *check) orphans(context.Context) error {
	for entry, err := range index.Scan(k.r, index.AllParts()) {
		if err != nil {
			return err
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
	for entry, err := range index.Scan(k.r, index.AllPages()) {
		if err != nil {
			return err
		}
		manifest, number, err := index.ParsePageKey(entry.Key)
		if err != nil {
			return err
		}
		if !k.manifests[manifest] {
			k.miscounted("page %d of manifest %s has no owner", number, manifest)
		}
	}
	for entry, err := range index.Scan(k.r, index.AllInline()) {
		if err != nil {
			return err
		}
		manifest, err := index.ParseInlineKey(entry.Key)
		if err != nil {
			return err
		}
		if !k.manifests[manifest] {
			k.miscounted("the content of manifest %s in the index has no owner", manifest)
		}
	}
	return nil
}

// shared compares the owners counted with those recorded.
func (k *check) shared(context.Context) error {
	recorded := map[index.ContentID]uint64{}
	for entry, err := range index.Scan(k.r, index.AllShared()) {
		if err != nil {
			return err
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

// completed counts what is remembered of completed uploads, and compares it with what is to be
// forgotten.
func (k *check) completed(context.Context) error {
	queued := map[index.ContentID]bool{}
	for entry, err := range index.Scan(k.r, index.AnswerQueue().All()) {
		if err != nil {
			return err
		}
		queued[entry.Record.Upload] = true
	}
	for entry, err := range index.Scan(k.r, index.AllCompleted()) {
		if err != nil {
			return err
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
	for entry, err := range index.Scan(k.r, index.AllIdle()) {
		if err != nil {
			return err
		}
		watched, id, err := index.ParseIdleKey(entry.Key)
		if err != nil {
			return err
		}
		rec, err := index.Get(k.r, index.UploadKey(entry.Record.Bucket, entry.Record.Key, id))
		if err != nil && !errors.Is(err, index.ErrNotFound) {
			return err
		}
		if entries++; err != nil || !rec.Watched.Equal(watched) {
			k.miscounted("upload %s stands in the table of idle uploads under a wrong time", id)
		}
	}
	if entries != k.totals.Uploads {
		k.miscounted("%d uploads are in the table of idle uploads, there are %d", entries, k.totals.Uploads)
	}
	return nil
}

// counts compares the references counted with those recorded.
func (k *check) counts(context.Context) error {
	for id, c := range k.chunks {
		if c.Refs != c.counted {
			k.miscounted("chunk %s is referred to %d times, its record says %d", id, c.counted, c.Refs)
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
	for entry, err := range index.Scan(k.r, index.Volumes()) {
		if err != nil {
			return err
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
	totals, err := totalsOf(k.r)
	if err == nil && totals != k.totals {
		k.miscounted("the totals are %+v, the record says %+v", k.totals, totals)
	}
	return err
}
