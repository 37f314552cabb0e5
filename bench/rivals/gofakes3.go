package main

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3afero"
	"github.com/johannesboyne/gofakes3/backend/s3bolt"
	"go.etcd.io/bbolt"

	"github.com/gabion-storage/gabion/bench/internal/contest"
)

// bolt is gofakes3 with all objects in one file of bolt.
//
// Its parts are kept in memory until Complete (uploader.go), which stores the object as one value
// in one transaction of bolt; that ends with fdatasync, since s3bolt does not set NoSync. strace of
// an upload shows fdatasync at Complete only. A download is bolt's mapped memory itself:
// bson.Unmarshal does not copy the value (decode.go of mgo.v2/bson, readBinary).
func bolt() contest.Contender {
	return contest.Contender{
		Name: "gofakes3-bolt",
		Note: "in process, through its http.Handler; keeps parts in memory, where a crash loses them, and syncs the object when it is completed; hands out the memory that bolt maps, does not verify it",
		Open: func(ctx context.Context, dir string, _ bool) (contest.Store, error) {
			db, err := bbolt.Open(filepath.Join(dir, "bolt"), 0o600, nil)
			if err != nil {
				return nil, err
			}
			return openFake(ctx, s3bolt.New(db), db.Close)
		},
	}
}

// afero is gofakes3 with a file an object.
//
// Its parts are kept in memory until Complete, too. Nothing in backend/s3afero calls Sync, and
// strace of an upload shows neither fsync nor fdatasync.
func afero() contest.Contender {
	return contest.Contender{
		Name: "gofakes3-afero",
		Note: "in process, through its http.Handler; keeps parts in memory, where a crash loses them, and writes the object when it is completed; syncs nothing; does not verify what it reads",
		Open: func(ctx context.Context, dir string, _ bool) (contest.Store, error) {
			fs, err := s3afero.FsPath(dir, 0)
			if err != nil {
				return nil, err
			}
			backend, err := s3afero.MultiBucket(fs)
			if err != nil {
				return nil, err
			}
			return openFake(ctx, backend, func() error { return nil })
		},
	}
}

// A fakeStore calls the handler of gofakes3, without network.
type fakeStore struct {
	handler http.Handler
	end     func() error
}

// openFake makes the bucket. end closes the backend, also when that fails.
func openFake(ctx context.Context, backend gofakes3.Backend, end func() error) (contest.Store, error) {
	s := &fakeStore{gofakes3.New(backend).Server(), end}
	if _, err := s.call(ctx, http.MethodPut, "", nil, nil, nil); err != nil {
		return nil, errors.Join(err, end())
	}
	return s, nil
}

// call makes a request and returns the headers of the response. Its body goes to w, unless it is an
// error.
func (s *fakeStore) call(ctx context.Context, method, key string, query url.Values, body []byte, w io.Writer) (http.Header, error) {
	target := url.URL{Path: "/" + bucket + "/" + key, RawQuery: query.Encode()}
	req, err := http.NewRequestWithContext(ctx, method, target.String(), bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Length", strconv.Itoa(len(body))) // which a server leaves there, and gofakes3 looks for
	if w == nil {
		w = io.Discard
	}
	res := &response{header: http.Header{}, status: http.StatusOK, body: w}
	s.handler.ServeHTTP(res, req)
	if res.status >= 300 {
		return nil, fmt.Errorf("%s %s: status %d: %s", method, key, res.status, &res.problem)
	}
	return res.header, nil
}

// callXML makes a request and decodes the response.
func (s *fakeStore) callXML(ctx context.Context, key string, query url.Values, body []byte, into any) error {
	var text bytes.Buffer
	if _, err := s.call(ctx, http.MethodPost, key, query, body, &text); err != nil {
		return err
	}
	return xml.Unmarshal(text.Bytes(), into)
}

func (s *fakeStore) Initiate(ctx context.Context, key string) (string, error) {
	var res gofakes3.InitiateMultipartUploadResult
	err := s.callXML(ctx, key, url.Values{"uploads": {""}}, nil, &res)
	return string(res.UploadID), err
}

func (s *fakeStore) UploadPart(ctx context.Context, key, id string, number int, body []byte) (string, error) {
	query := url.Values{"uploadId": {id}, "partNumber": {strconv.Itoa(number)}}
	header, err := s.call(ctx, http.MethodPut, key, query, body, nil)
	return strings.Trim(header.Get("ETag"), `"`), err
}

func (s *fakeStore) Complete(ctx context.Context, key, id string, etags []string) (string, error) {
	var req gofakes3.CompleteMultipartUploadRequest
	for i, etag := range etags {
		req.Parts = append(req.Parts, gofakes3.CompletedPart{PartNumber: i + 1, ETag: etag})
	}
	body, err := xml.Marshal(&req)
	if err != nil {
		return "", err
	}
	var res gofakes3.CompleteMultipartUploadResult
	err = s.callXML(ctx, key, url.Values{"uploadId": {id}}, body, &res)
	return strings.Trim(res.ETag, `"`), err
}

func (s *fakeStore) Download(ctx context.Context, key string, w io.Writer) error {
	_, err := s.call(ctx, http.MethodGet, key, nil, nil, w)
	return err
}

func (s *fakeStore) Remove(ctx context.Context, key string) error {
	_, err := s.call(ctx, http.MethodDelete, key, nil, nil, nil)
	return err
}

func (s *fakeStore) Close() error { return s.end() }

// A response is an http.ResponseWriter that hands the body on instead of keeping it, as
// httptest.ResponseRecorder would: of a download that would be all of it.
type response struct {
	header  http.Header
	status  int
	body    io.Writer
	problem bytes.Buffer // the body when the status is that of an error
}

func (r *response) Header() http.Header         { return r.header }
func (r *response) WriteHeader(status int)      { r.status = status }
func (r *response) Write(p []byte) (int, error) { return r.to().Write(p) }

// ReadFrom implements io.ReaderFrom, as the response of a server does.
func (r *response) ReadFrom(src io.Reader) (int64, error) { return io.Copy(r.to(), src) }

func (r *response) to() io.Writer {
	if r.status >= 300 {
		return &r.problem
	}
	return r.body
}
