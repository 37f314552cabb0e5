package main

import (
	"context"
	"crypto/md5"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/gabion-storage/gabion/bench/internal/contest"
	"github.com/gabion-storage/gabion/bench/internal/floor"
	"github.com/gabion-storage/gabion/crypto"
)

const floorName = "floor"

// lesser are the contenders that do a piece of what the engine does.
func lesser() []contest.Contender {
	return []contest.Contender{
		{Name: floorName, Encrypts: true, Open: func(ctx context.Context, dir string, encrypt bool) (contest.Store, error) {
			cipher, err := newCipher(encrypt)
			if err != nil {
				return nil, err
			}
			s, err := floor.Open(ctx, dir, cipher)
			return &baseline{store: s, parts: map[int]*floor.Part{}}, err
		}},
		{Name: "hashing", Encrypts: true, WriteOnly: true, Open: func(_ context.Context, _ string, encrypt bool) (contest.Store, error) {
			cipher, err := newCipher(encrypt)
			return &baseline{store: floor.HashOnly(cipher), parts: map[int]*floor.Part{}}, err
		}},
		{Name: "crypto/md5", Encrypts: true, WriteOnly: true, Open: func(context.Context, string, bool) (contest.Store, error) {
			return &onlyMD5{}, nil
		}},
	}
}

// newCipher returns the cipher of one upload; nil for none.
func newCipher(encrypt bool) (*crypto.Cipher, error) {
	if !encrypt {
		return nil, nil
	}
	key, err := crypto.NewDataKey()
	if err != nil {
		return nil, err
	}
	return crypto.NewCipher(key)
}

// onlyMD5 is crypto/md5.
type onlyMD5 struct{}

func (onlyMD5) Initiate(context.Context, string) (string, error) { return "", nil }

func (onlyMD5) UploadPart(_ context.Context, _, _ string, _ int, body []byte) (string, error) {
	return fmt.Sprintf("%x", md5.Sum(body)), nil
}

func (onlyMD5) Complete(_ context.Context, _, _ string, etags []string) (string, error) {
	return contest.ETag(etags)
}

func (onlyMD5) Download(context.Context, string, io.Writer) error { return errors.ErrUnsupported }
func (onlyMD5) Remove(context.Context, string) error              { return nil }
func (onlyMD5) Close() error                                      { return nil }

// baseline is the floor, or its digests alone. It has one object.
type baseline struct {
	onlyMD5
	store *floor.Store

	mu    sync.Mutex // guards parts
	parts map[int]*floor.Part
}

func (b *baseline) UploadPart(ctx context.Context, _, _ string, number int, body []byte) (string, error) {
	p, err := b.store.Upload(ctx, body)
	if err != nil {
		return "", err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.parts[number] = p
	return fmt.Sprintf("%x", p.MD5), nil
}

func (b *baseline) Download(ctx context.Context, _ string, w io.Writer) error {
	var parts []*floor.Part
	for number := 1; b.parts[number] != nil; number++ {
		parts = append(parts, b.parts[number])
	}
	return b.store.Download(ctx, parts, w)
}

func (b *baseline) Close() error { return b.store.Close() }
