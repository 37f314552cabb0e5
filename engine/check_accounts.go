package engine

import (
	"context"
	"errors"

	"github.com/gabion-storage/gabion/index"
)

// trash counts what the queue still refers to.
func (k *check) trash(ctx context.Context) error {
	for entry, err := range index.Scan(k.r, index.TrashQueue()) {
		if err != nil {
			return err
		}
		id, err := index.ParseTrashKey(entry.Key)
		if err != nil {
			return err
		}
		if entry.Record.Kind == index.TrashContent {
			err = k.trashContent(id)
		} else {
			err = k.trashManifest(id)
		}
		if err != nil {
			return err
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

// completed counts what is remembered of completed uploads.
func (k *check) completed(context.Context) error {
	for _, err := range index.Scan(k.r, index.AllCompleted()) {
		if err != nil {
			return err
		}
		k.totals.Completed++
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
