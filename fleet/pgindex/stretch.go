package pgindex

import (
	"github.com/jackc/pgx/v5"

	"github.com/gabion-storage/gabion/index"
)

// Limits of a page of a scan: few rows at first, since many scans are left after one.
const (
	firstRows = 32
	mostRows  = 1024
	pageBytes = 1 << 20 // of values, without the last
)

// bounds are those of a scan.
type bounds struct {
	start, end string
	open       bool // there is no end
}

func boundsOf(start, end []byte) bounds { return bounds{string(start), string(end), end == nil} }

// A stretch is what of the records within bounds has been read, from their start on.
type stretch struct {
	bounds
	items []index.Item
	whole bool   // there are no more
	next  []byte // where the next page begins
	rows  int    // that it has at most
}

func newStretch(b bounds) *stretch {
	return &stretch{bounds: b, next: []byte(b.start), rows: firstRows}
}

// queue adds the query of the next page to a batch, whose results extend the stretch.
func (s *stretch) queue(b *pgx.Batch) {
	sql, args := sqlScan, []any{s.rows, pageBytes, s.next, []byte(s.end)}
	if s.open {
		sql, args = sqlScanOpen, args[:3]
	}
	b.Queue(sql, args...).Query(func(rows pgx.Rows) error {
		n, size := 0, 0
		err := eachRow(rows, func(k, v []byte) {
			n, size = n+1, size+len(v)
			s.items = append(s.items, index.Item{Key: k, Value: v})
			s.next = append(append([]byte{}, k...), 0)
		})
		s.whole = n < s.rows && size < pageBytes
		s.rows = min(4*s.rows, mostRows)
		return err
	})
}
