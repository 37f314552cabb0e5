package main

import (
	"context"
	"io"
)

const (
	bucket    = "bench"
	minioName = "minio"
)

// A store is an open store of a contender, with one bucket. initiate to complete are one upload by
// parts; uploadPart and download are called from many goroutines at once.
type store interface {
	initiate(ctx context.Context, key string) (id string, err error)
	uploadPart(ctx context.Context, key, id string, number int, body []byte) (etag string, err error)
	complete(ctx context.Context, key, id string, etags []string) (etag string, err error)

	// download writes the whole object.
	download(ctx context.Context, key string, w io.Writer) error

	// remove deletes an object and gives its space back, so that none of it burdens what is measured
	// next.
	remove(ctx context.Context, key string) error

	close() error
}

// A place is where a store is and how it is to be.
type place struct {
	dir     string // absolute, exists, for this store alone
	encrypt bool
	minio   string // binary of the server, for the contender that is one
}

// A contender is a system to measure.
type contender struct {
	name     string
	note     string // where it runs, what it syncs before it acknowledges, what it verifies
	encrypts bool
	open     func(ctx context.Context, p place) (store, error)
}

// contenders are all of them, ours first.
func contenders() []contender {
	return []contender{
		gabionContender(), filesContender(), versityContender(), boltContender(), aferoContender(), minioContender(),
	}
}
