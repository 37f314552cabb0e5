package pgindex

import (
	"context"

	"github.com/jackc/pgx/v5"

	"github.com/gabion-storage/gabion/index"
)

// Limits of what is read ahead for one Prefetch: bytes of values, of single records and of ranges
// each, and rows of one range. A range of more is read on by pages.
const (
	prefetchBytes = 4 << 20
	prefetchRows  = firstRows
)

// What is over the limit comes without its value, which is not fetched then.
var (
	sqlPrefetchKeys = `
	SELECT k, CASE WHEN before < $2 THEN v END
	FROM ` + sized("k", "@.records WHERE k = ANY($1::bytea[])")

	sqlPrefetchRanges = `
	SELECT n, k, CASE WHEN before < $4 THEN v END
	FROM ` + sized("n, k", `unnest($1::bytea[], $2::bytea[]) WITH ORDINALITY AS ranges (first, last, n),
		LATERAL (
			SELECT k, v FROM @.records WHERE k >= first AND k < last ORDER BY k LIMIT $3
		) AS rows`) + `
	ORDER BY n, k`
)

// Prefetch implements index.Prefetcher, in one round trip.
func (s *snapshot) Prefetch(w index.Wanted) (*index.Prefetched, error) {
	p := &index.Prefetched{}
	err := s.read(func(ctx context.Context) error {
		var b pgx.Batch
		queueKeys(&b, w.Keys, p)
		queueRanges(&b, w.Ranges, p)
		return s.conn.SendBatch(ctx, &b).Close()
	})
	if err != nil {
		return nil, err
	}
	return p, nil
}

// queueKeys adds the query of single records to a batch.
func queueKeys(b *pgx.Batch, keys [][]byte, p *index.Prefetched) {
	p.Values = make(map[string][]byte, len(keys))
	if len(keys) == 0 {
		return
	}
	b.Queue(sqlKeys, keys, prefetchBytes).Query(func(rows pgx.Rows) error {
		for _, key := range keys {
			p.Values[string(key)] = nil
		}
		return eachRow(rows, func(k, v []byte) {
			if p.Values[string(k)] = v; v == nil { // there is one, and it was not read
				delete(p.Values, string(k))
			}
		})
	})
}

// queueRanges adds the query of the first records of ranges to a batch. What has no end has nothing
// read ahead.
func queueRanges(b *pgx.Batch, ranges []index.Bounds, p *index.Prefetched) {
	p.Runs = make([]index.Run, len(ranges))
	if len(ranges) == 0 {
		return
	}
	var first, last [][]byte
	for _, rg := range ranges {
		first, last = append(first, rg.Start), append(last, rg.End)
	}
	b.Queue(sqlRanges, first, last, prefetchRows, prefetchBytes).Query(func(rows pgx.Rows) error {
		defer rows.Close()
		for i, rg := range ranges {
			p.Runs[i].Whole = rg.End != nil
		}
		count := make([]int, len(ranges))
		for rows.Next() {
			var n int
			var item index.Item
			if err := rows.Scan(&n, &item.Key, &item.Value); err != nil {
				return err
			}
			run := &p.Runs[n-1]
			if count[n-1]++; item.Value == nil || count[n-1] == prefetchRows {
				run.Whole = false
			}
			if item.Value != nil {
				run.Items = append(run.Items, item)
			}
		}
		return rows.Err()
	})
}
