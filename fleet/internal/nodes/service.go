package nodes

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/rpc"
	"os"
	"time"

	"github.com/gabion-storage/gabion/engine"
	"github.com/gabion-storage/gabion/fleet"
)

// Call is what a node is asked. Each operation has its own use of the fields.
type Call struct {
	Bucket, Key, UploadID string
	Part                  int
	Body                  Body
	Pause                 time.Duration
	Parts                 []engine.CompletedPart
}

// Answer is what it answers.
type Answer struct {
	Body      Body
	UploadID  string
	Parts     []engine.CompletedPart
	Keys      []string
	Uploads   []Call
	Problems  []string
	LiveBytes int64
}

// Service does what a node is asked.
type Service struct{ e *engine.Engine }

// serve is a node until its standard input ends.
func serve(config string) (err error) {
	var c Config
	if err := json.Unmarshal([]byte(config), &c); err != nil {
		return err
	}
	e, err := open(context.Background(), c)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, e.Close()) }()
	server := rpc.NewServer()
	if err := server.Register(&Service{e}); err != nil {
		return err
	}
	server.ServeConn(&pipe{os.Stdin, os.Stdout})
	return nil
}

// open opens the engine.
func open(ctx context.Context, c Config) (*engine.Engine, error) {
	c.Chunks += fmt.Sprintf("&volume-size=%d", VolumeSize)
	o := &engine.Options{
		ChunkSize: BlockSize, VolumeSize: 1 << 20, Compression: engine.CompressionNone,
		Lease: c.Lease,
	}
	if !c.Immortal {
		return fleet.Open(ctx, c.Config, o)
	}
	idx, blobs, err := fleet.OpenStores(ctx, c.Config)
	if err != nil {
		return nil, err
	}
	o.Node = c.Node
	return engine.OpenStores(ctx, &immortal{Store: idx}, blobs, o)
}

// VolumeSize is how many bytes of frames a volume has at most. It is so small that a body's first
// half is stored when its second half comes.
const VolumeSize = 3 * BlockSize

// told is an error as it goes through the pipe: that of the engine, without its cause.
func told(err error) error {
	if err == nil {
		return nil
	}
	e := &engine.Error{Code: codeWrong}
	if !errors.Is(err, errWrong) {
		errors.As(err, &e)
	}
	text, err := json.Marshal(&engine.Error{
		Code: e.Code, HTTPStatus: e.HTTPStatus, Message: err.Error(),
	})
	if err != nil {
		return err
	}
	return errors.New(string(text))
}

// codeWrong is the code of what no engine should do: wrong bytes, and errors without a code.
const codeWrong = "wrong"

// Ready answers when the store is open.
func (s *Service) Ready(Call, *Answer) error { return nil }

// CreateBucket makes a bucket, if it is not there.
func (s *Service) CreateBucket(c Call, a *Answer) error {
	_, err := s.e.CreateBucket(context.Background(), &engine.CreateBucketRequest{
		Bucket: c.Bucket, IfAbsent: true,
	})
	return told(err)
}

// Put stores an object.
func (s *Service) Put(c Call, a *Answer) error {
	_, err := s.e.PutObject(context.Background(), &engine.PutObjectRequest{
		Bucket: c.Bucket, Key: c.Key, Body: c.Body.reader(c.Pause),
	})
	return told(err)
}

// Get reads an object.
func (s *Service) Get(c Call, a *Answer) error {
	obj, err := s.e.GetObject(context.Background(), &engine.GetObjectRequest{
		Bucket: c.Bucket, Key: c.Key,
	})
	if err != nil {
		return told(err)
	}
	defer obj.Close()
	time.Sleep(c.Pause)
	a.Body, err = readBody(obj)
	return told(err)
}

// Delete deletes an object.
func (s *Service) Delete(c Call, a *Answer) error {
	_, err := s.e.DeleteObject(context.Background(), &engine.DeleteObjectRequest{
		Bucket: c.Bucket, Key: c.Key,
	})
	return told(err)
}

// Begin initiates an upload.
func (s *Service) Begin(c Call, a *Answer) error {
	up, err := s.e.InitiateMultipartUpload(
		context.Background(),
		&engine.InitiateMultipartUploadRequest{Bucket: c.Bucket, Key: c.Key},
	)
	if err == nil {
		a.UploadID = up.UploadID
	}
	return told(err)
}

// UploadPart uploads a part.
func (s *Service) UploadPart(c Call, a *Answer) error {
	_, err := s.e.UploadPart(context.Background(), &engine.UploadPartRequest{
		Bucket: c.Bucket, Key: c.Key, UploadID: c.UploadID, PartNumber: c.Part,
		Body: c.Body.reader(c.Pause),
	})
	return told(err)
}

// Complete completes an upload.
func (s *Service) Complete(c Call, a *Answer) error {
	_, err := s.e.CompleteMultipartUpload(
		context.Background(), &engine.CompleteMultipartUploadRequest{
			Bucket: c.Bucket, Key: c.Key, UploadID: c.UploadID, Parts: c.Parts,
		},
	)
	return told(err)
}

// Abort aborts an upload.
func (s *Service) Abort(c Call, a *Answer) error {
	_, err := s.e.AbortMultipartUpload(context.Background(), &engine.AbortMultipartUploadRequest{
		Bucket: c.Bucket, Key: c.Key, UploadID: c.UploadID,
	})
	return told(err)
}

// Parts lists the parts of an upload.
func (s *Service) Parts(c Call, a *Answer) error {
	for part, err := range s.e.Parts(context.Background(), &engine.ListPartsRequest{
		Bucket: c.Bucket, Key: c.Key, UploadID: c.UploadID,
	}) {
		if err != nil {
			return told(err)
		}
		a.Parts = append(a.Parts, engine.CompletedPart{PartNumber: part.PartNumber, ETag: part.ETag})
	}
	return nil
}

// Keys lists the objects of a bucket.
func (s *Service) Keys(c Call, a *Answer) error {
	for entry, err := range s.e.Objects(context.Background(), &engine.ListObjectsRequest{
		Bucket: c.Bucket,
	}) {
		if err != nil {
			return told(err)
		}
		a.Keys = append(a.Keys, entry.Key)
	}
	return nil
}

// Uploads lists the open uploads of a bucket.
func (s *Service) Uploads(c Call, a *Answer) error {
	for up, err := range s.e.Uploads(context.Background(), &engine.ListMultipartUploadsRequest{
		Bucket: c.Bucket,
	}) {
		if err != nil {
			return told(err)
		}
		a.Uploads = append(a.Uploads, Call{Bucket: c.Bucket, Key: up.Key, UploadID: up.UploadID})
	}
	return nil
}

// Reclaim gives space back.
func (s *Service) Reclaim(_ Call, a *Answer) error {
	_, err := s.e.Reclaim(context.Background(), &engine.ReclaimRequest{})
	return told(err)
}

// Check checks the store with all its data.
func (s *Service) Check(_ Call, a *Answer) error {
	res, err := s.e.Check(context.Background(), &engine.CheckRequest{Data: true})
	if err != nil {
		return told(err)
	}
	for _, p := range res.Problems {
		a.Problems = append(a.Problems, fmt.Sprint(p))
	}
	return nil
}

// Stats says how much lives in volumes.
func (s *Service) Stats(_ Call, a *Answer) error {
	res, err := s.e.Stats(context.Background(), &engine.StatsRequest{})
	if err != nil {
		return told(err)
	}
	a.LiveBytes = res.StoredBytes
	return nil
}
