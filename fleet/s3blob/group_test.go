package s3blob_test

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/gabion-storage/gabion/blob"
	"github.com/gabion-storage/gabion/fleet/internal/s3server"
	"github.com/gabion-storage/gabion/fleet/s3blob"
)

// hold has writes of volumes wait until it is called.
func hold(w *wire) (release func()) {
	open := make(chan struct{})
	w.set(func(r *http.Request) (*http.Response, error) {
		if kindOf(r) == "PUT volumes" {
			<-open
		}
		return nil, nil
	}, nil)
	return sync.OnceFunc(func() { close(open) })
}

// TestGroups has many put and sync while a volume is being written: they share the next one.
func TestGroups(t *testing.T) {
	server := s3server.Start(t)
	var w wire
	s := open(t, w.through(server.Client()), s3blob.Options{Uploads: 1})
	release := hold(&w)
	defer release()
	first, frame := put(t, s, 0, 1000)
	var wg sync.WaitGroup
	sync := func(ref blob.Ref) {
		wg.Go(func() {
			if err := s.Sync(t.Context(), ref.Volume); err != nil {
				t.Errorf("Sync: %v", err)
			}
		})
	}
	sync(first)
	// The first volume is under way when the next frame goes to another.
	second := first
	for seed := uint64(1); second.Volume == first.Volume; seed++ {
		second, _ = put(t, s, seed, 1000)
	}
	for seed := range uint64(50) {
		ref, _ := put(t, s, 1000+seed, 1000)
		if ref.Volume != second.Volume {
			t.Fatalf("a frame went to volume %d, want that it waits in %d", ref.Volume, second.Volume)
		}
		sync(ref)
	}
	wantFrame(t, s, first, frame)
	release()
	wg.Wait()
	if n := w.count("PUT volumes"); n != 2 {
		t.Errorf("%d volumes were written, want 2", n)
	}
}

// TestMemory fills the memory while nothing can be written. A Put waits then, and only so long.
func TestMemory(t *testing.T) {
	server := s3server.Start(t)
	var w wire
	s := open(t, w.through(server.Client()), s3blob.Options{VolumeSize: 1 << 20, Memory: 3 << 20})
	release := hold(&w)
	defer release()
	const size = 100_000
	var refs []blob.Ref
	for seed := range uint64(31) {
		ref, _ := put(t, s, seed, size)
		refs = append(refs, ref)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancelled := make(chan error)
	go func() {
		_, err := s.Put(ctx, blob.ID{1}, make([]byte, size))
		cancelled <- err
	}()
	select {
	case err := <-cancelled:
		t.Fatalf("Put beyond the memory did not wait: %v", err)
	default:
		cancel()
	}
	if err := <-cancelled; !errors.Is(err, context.Canceled) {
		t.Errorf("Put whose context has ended: %v", err)
	}
	release()
	put(t, s, 99, size)
	// One that is longer than all of the memory gets it.
	large, frame := synced(t, s, 100, 5<<20)
	wantFrame(t, s, large, frame)
	for _, ref := range refs {
		if err := s.Sync(t.Context(), ref.Volume); err != nil {
			t.Errorf("Sync: %v", err)
		}
	}
}

// TestClose writes what nobody has synced.
func TestClose(t *testing.T) {
	server := s3server.Start(t)
	s := open(t, server.Client(), s3blob.Options{})
	ref, frame := put(t, s, 1, 1000)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	again := open(t, server.Client(), s3blob.Options{})
	wantFrame(t, again, ref, frame)
}

// TestHeaders sends what the options say with each volume.
func TestHeaders(t *testing.T) {
	server := s3server.Start(t)
	var w wire
	s := open(t, w.through(server.Client()), s3blob.Options{
		StorageClass: types.StorageClassStandardIa, Encryption: types.ServerSideEncryptionAwsKms,
		KMSKeyID: "a-key", Attempts: 1,
	})
	var sent http.Header
	w.set(func(r *http.Request) (*http.Response, error) {
		if kindOf(r) == "PUT volumes" {
			sent = r.Header.Clone()
			return reply(r, http.StatusNotImplemented, "NotImplemented"), nil
		}
		return nil, nil
	}, nil)
	ref, _ := put(t, s, 1, 1000)
	if err := s.Sync(t.Context(), ref.Volume); err == nil {
		t.Error("Sync of a volume that was refused succeeded")
	}
	for name, want := range map[string]string{
		"X-Amz-Storage-Class": "STANDARD_IA", "X-Amz-Server-Side-Encryption": "aws:kms",
		"X-Amz-Server-Side-Encryption-Aws-Kms-Key-Id": "a-key", "If-None-Match": "*",
	} {
		if got := sent.Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}

// TestEncryptionDemanded has a bucket whose policy refuses what is to be written without the header of
// encryption, as those of many buckets do. All objects have it, also those that claim numbers.
func TestEncryptionDemanded(t *testing.T) {
	server := s3server.Start(t)
	var w wire
	w.set(func(r *http.Request) (*http.Response, error) {
		if r.Method != http.MethodPut {
			return nil, nil
		}
		const encryption = "X-Amz-Server-Side-Encryption"
		const key = encryption + "-Aws-Kms-Key-Id"
		if r.Header.Get(encryption) != "aws:kms" || r.Header.Get(key) != "a-key" {
			swallowBody(r)
			return reply(r, http.StatusForbidden, "AccessDenied"), nil
		}
		return nil, nil
	}, nil)
	s := open(t, w.through(server.Client()), s3blob.Options{
		Encryption: types.ServerSideEncryptionAwsKms, KMSKeyID: "a-key",
	})
	ref, frame := synced(t, s, 1, 1000)
	wantFrame(t, s, ref, frame)
	if w.count("PUT openings") == 0 {
		t.Error("no number was claimed by writing")
	}
}
