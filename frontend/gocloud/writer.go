package gocloud

import (
	"bufio"
	"bytes"
	"context"
	"io"

	"github.com/gabion-storage/gabion/engine"
	"gocloud.dev/blob/driver"
)

// smallBlob is below how many bytes a blob is put at once: one commit, where parts take three.
const smallBlob = 64 << 10

// A writer hands what is written to an upload under way.
type writer struct {
	ctx  context.Context
	pipe *io.PipeWriter
	done chan struct{} // closed when the upload has ended
	err  error         // how it has
}

func (b *bucket) NewTypedWriter(
	ctx context.Context, key, contentType string, opts *driver.WriterOptions,
) (driver.Writer, error) {
	req := &engine.UploadRequest{
		Bucket: b.name, Key: key,
		Attributes: engine.Attributes{
			ContentType:        contentType,
			CacheControl:       opts.CacheControl,
			ContentDisposition: opts.ContentDisposition,
			ContentEncoding:    opts.ContentEncoding,
			ContentLanguage:    opts.ContentLanguage,
			Metadata:           escaped(opts.Metadata),
		},
		EncryptionRequest: b.encryption,
	}
	if opts.IfNotExist {
		req.IfNoneMatch = "*"
	}
	if err := before(opts.BeforeWrite, req); err != nil {
		return nil, err
	}
	body, pipe := io.Pipe()
	w := &writer{ctx: ctx, pipe: pipe, done: make(chan struct{})}
	stop := context.AfterFunc(ctx, func() { body.CloseWithError(ctx.Err()) })
	go func() {
		defer close(w.done)
		defer stop()
		if w.err = b.store(ctx, req, body); w.err != nil && ctx.Err() != nil {
			w.err = ctx.Err()
		}
		body.CloseWithError(w.err) // who writes on hears of it
	}()
	return w, nil
}

// store makes a body the object that the request describes.
func (b *bucket) store(ctx context.Context, req *engine.UploadRequest, body io.Reader) error {
	buffered := bufio.NewReaderSize(body, smallBlob)
	whole, err := buffered.Peek(smallBlob)
	switch err {
	case nil:
		req.Body = buffered
		_, err = b.engine.Upload(ctx, req)
	case io.EOF:
		_, err = b.engine.PutObject(ctx, &engine.PutObjectRequest{
			Bucket: req.Bucket, Key: req.Key, Body: bytes.NewReader(whole),
			Checksum:   engine.Checksum{Algorithm: req.Checksum.Algorithm},
			Attributes: req.Attributes, EncryptionRequest: req.EncryptionRequest,
			Preconditions: req.Preconditions,
		})
	}
	return err
}

func (w *writer) Write(p []byte) (int, error) { return w.pipe.Write(p) }

// Close waits until the blob is durable. If the context has ended, the write is dropped.
func (w *writer) Close() error {
	w.pipe.CloseWithError(w.ctx.Err()) // nil is the end of the body
	<-w.done
	return w.err
}
