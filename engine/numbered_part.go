package engine

import "github.com/gabion-storage/gabion/index"

// A numberedPart is a part's record with its number.
type numberedPart struct {
	number int
	index.Part
}

// partsOf returns all parts of a content in ascending order of number.
func partsOf(r index.Reader, id index.ContentID) (parts []numberedPart, err error) {
	for entry, err := range index.Scan(r, index.PartsOf(id)) {
		if err != nil {
			return nil, err
		}
		_, number, err := index.ParsePartKey(entry.Key)
		if err != nil {
			return nil, err
		}
		parts = append(parts, numberedPart{number, entry.Record})
	}
	return parts, nil
}

// without returns the parts of all that are not in listed; both are in ascending order.
func without(all, listed []numberedPart) (others []numberedPart) {
	for _, p := range all {
		if len(listed) > 0 && listed[0].number == p.number {
			listed = listed[1:]
			continue
		}
		others = append(others, p)
	}
	return others
}

func moveParts(tx index.Tx, from, to index.ContentID, parts []numberedPart) error {
	for i := range parts {
		p := &parts[i]
		if err := index.Delete(tx, index.PartKey(from, p.number)); err != nil {
			return err
		}
		if err := index.Put(tx, index.PartKey(to, p.number), &p.Part); err != nil {
			return err
		}
	}
	return nil
}

// discardParts queues a content that has these parts for the sweeping.
func (e *Engine) discardParts(tx index.Tx, id index.ContentID, parts []numberedPart) error {
	var bytes int64
	for i := range parts {
		bytes += parts[i].Size
	}
	return e.trash.DiscardContent(tx, id, len(parts), bytes)
}
