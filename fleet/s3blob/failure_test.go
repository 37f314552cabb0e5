package s3blob_test

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gabion-storage/gabion/blob"
	"github.com/gabion-storage/gabion/blob/blobtest"
	"github.com/gabion-storage/gabion/fleet/internal/s3server"
	"github.com/gabion-storage/gabion/fleet/s3blob"
)

func put(t *testing.T, s blob.Store, seed uint64, size int) (blob.Ref, []byte) {
	t.Helper()
	id, frame := blobtest.Frame(seed, size)
	ref, err := s.Put(t.Context(), id, frame)
	if err != nil {
		t.Fatalf("Put: %v", err)
	}
	return ref, frame
}

func synced(t *testing.T, s blob.Store, seed uint64, size int) (blob.Ref, []byte) {
	t.Helper()
	ref, frame := put(t, s, seed, size)
	if err := s.Sync(t.Context(), ref.Volume); err != nil {
		t.Fatalf("Sync: %v", err)
	}
	return ref, frame
}

func wantFrame(t *testing.T, s blob.Store, ref blob.Ref, want []byte) {
	t.Helper()
	got, err := s.Get(t.Context(), ref, nil)
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("Get: %d bytes, %v; want the %d that were put", len(got), err, len(want))
	}
}

func wantCorrupt(t *testing.T, what string, err error) {
	t.Helper()
	if corrupt := (*blob.CorruptionError)(nil); !errors.As(err, &corrupt) {
		t.Errorf("%s: %v, want a CorruptionError", what, err)
	}
}

// TestAnswerLost has each first write of an object done, and its answer lost: as an error, or with
// the connection. The object is written once, and the Sync succeeds.
func TestAnswerLost(t *testing.T) {
	server := s3server.Start(t)
	for name, lose := range map[string]func(*http.Request) (*http.Response, error){
		"500":        func(r *http.Request) (*http.Response, error) { return reply(r, 500, "InternalError"), nil },
		"SlowDown":   func(r *http.Request) (*http.Response, error) { return reply(r, 503, "SlowDown"), nil },
		"connection": func(*http.Request) (*http.Response, error) { return nil, errCut },
	} {
		t.Run(name, func(t *testing.T) {
			var w wire
			lost := map[string]bool{}
			w.set(nil, func(r *http.Request, res *http.Response) (*http.Response, error) {
				if r.Method != http.MethodPut || lost[r.URL.Path] {
					return res, nil
				}
				lost[r.URL.Path] = true
				res.Body.Close()
				return lose(r)
			})
			s := open(t, w.through(server.Client()), s3blob.Options{Prefix: name + "/"})
			ref, frame := synced(t, s, 1, 100_000)
			wantFrame(t, s, ref, frame)
			if len(lost) != 2 {
				t.Errorf("the answers to %d objects were lost, want those of an opening and a volume", len(lost))
			}
		})
	}
}

// TestWritingFails has no volume written. All who wait get the error, nothing of the volume is read
// later, its memory is free for others, and the store goes on when the server does.
func TestWritingFails(t *testing.T) {
	server := s3server.Start(t)
	var w wire
	s := open(t, w.through(server.Client()), s3blob.Options{
		VolumeSize: 1 << 20, Memory: 2 << 20, Attempts: 1,
	})
	synced(t, s, 1, 1000) // has its number by now
	for _, failure := range []struct {
		status int
		code   string
		want   error
	}{
		{500, "InternalError", blob.ErrUnavailable}, {503, "SlowDown", blob.ErrUnavailable},
		{507, "InsufficientStorage", blob.ErrNoSpace}, {400, "QuotaExceeded", blob.ErrNoSpace},
	} {
		w.set(func(r *http.Request) (*http.Response, error) {
			if r.Method != http.MethodPut {
				return nil, nil
			}
			swallowBody(r)
			return reply(r, failure.status, failure.code), nil
		}, nil)
		for seed := range uint64(5) { // more than Memory takes
			ref, _ := put(t, s, seed, 1<<20)
			err := s.Sync(t.Context(), ref.Volume)
			if !errors.Is(err, failure.want) {
				t.Errorf("%s: Sync: %v, want %v", failure.code, err, failure.want)
			}
			_, err = s.Get(t.Context(), ref, nil)
			wantCorrupt(t, "Get of what was not written", err)
			// It may have failed before the first Sync began, too.
			if err := s.Sync(t.Context(), ref.Volume); !errors.Is(err, failure.want) {
				t.Errorf("%s: Sync of what was not written: %v, want %v", failure.code, err, failure.want)
			}
			wantNotWritten(t, s, ref.Volume, failure.want)
			ref, _ = put(t, s, seed, 1000) // and of one that takes frames, and fails only now
			wantNotWritten(t, s, ref.Volume, failure.want)
		}
	}
	w.set(nil, nil)
	ref, frame := synced(t, s, 9, 1000)
	wantFrame(t, s, ref, frame)
}

// wantNotWritten wants Seal and Remove to say that a volume is not there, and why.
func wantNotWritten(t *testing.T, s blob.Store, volume uint64, why error) {
	t.Helper()
	for range 2 {
		if err := s.Seal(t.Context(), volume); !errors.Is(err, blob.ErrNoVolume) || !errors.Is(err, why) {
			t.Errorf("Seal of what was not written: %v, want %v and %v", err, blob.ErrNoVolume, why)
		}
	}
	if err := s.Remove(t.Context(), volume); !errors.Is(err, blob.ErrNoVolume) || !errors.Is(err, why) {
		t.Errorf("Remove of what was not written: %v, want %v and %v", err, blob.ErrNoVolume, why)
	}
}

// TestSealAnswerLost has an object written, and no answer to that come: for Sync that is an error, but
// the volume is there, and can be sealed and removed.
func TestSealAnswerLost(t *testing.T) {
	server := s3server.Start(t)
	var w wire
	s := open(t, w.through(server.Client()), s3blob.Options{Attempts: 1})
	synced(t, s, 1, 1000) // has its number by now
	w.set(nil, func(r *http.Request, res *http.Response) (*http.Response, error) {
		if r.Method != http.MethodPut {
			return res, nil
		}
		res.Body.Close()
		return reply(r, 500, "InternalError"), nil
	})
	ref, _ := put(t, s, 2, 1000)
	for range 2 {
		if err := s.Seal(t.Context(), ref.Volume); err != nil {
			t.Errorf("Seal: %v", err)
		}
		if err := s.Sync(t.Context(), ref.Volume); !errors.Is(err, blob.ErrUnavailable) {
			t.Errorf("Sync: %v, want %v", err, blob.ErrUnavailable)
		}
	}
	w.set(nil, nil)
	if err := s.Remove(t.Context(), ref.Volume); err != nil {
		t.Errorf("Remove: %v", err)
	}
	if err := s.Remove(t.Context(), ref.Volume); !errors.Is(err, blob.ErrNoVolume) {
		t.Errorf("second Remove: %v", err)
	}
}

// TestReadCut cuts the answers to reads after ever more bytes: they are tried again.
func TestReadCut(t *testing.T) {
	server := s3server.Start(t)
	var w wire
	s := open(t, w.through(server.Client()), s3blob.Options{})
	ref, frame := synced(t, s, 1, 10_000)
	for _, after := range []int64{0, 1, 39, 40, 41, 9_999, 10_039} {
		cuts := 0
		w.set(nil, func(r *http.Request, res *http.Response) (*http.Response, error) {
			if r.Method != http.MethodGet || cuts > 0 {
				return res, nil
			}
			cuts++
			return cut(res, after), nil
		})
		wantFrame(t, s, ref, frame)
		if cuts == 0 {
			t.Error("nothing was cut")
		}
	}
}

// TestAnswersCut cuts the answer to each kind of request after ever more bytes. Once, the request is
// tried again; always, another try may help, and nothing counts as missing.
func TestAnswersCut(t *testing.T) {
	server := s3server.Start(t)
	var w wire
	client := w.through(server.Client())
	ref, frame := synced(t, open(t, client, s3blob.Options{}), 1, 1000)
	fresh := func() blob.Store { return open(t, client, s3blob.Options{Attempts: 2}) }
	for what, call := range map[string]func(s blob.Store) error{
		"Volumes": func(s blob.Store) error {
			_, err := s.Volumes(t.Context())
			return err
		},
		"Get, which looks for the volume": func(s blob.Store) error {
			got, err := s.Get(t.Context(), ref, nil)
			if err == nil && !bytes.Equal(got, frame) {
				t.Error("Get: other bytes than were put")
			}
			return err
		},
		"Put, which claims a number": func(s blob.Store) error {
			_, err := s.Put(t.Context(), ref.ID, frame)
			return err
		},
		"Get of a volume that nobody has": func(s blob.Store) error {
			other := ref
			other.Volume++
			_, err := s.Get(t.Context(), other, nil)
			if corrupt := (*blob.CorruptionError)(nil); errors.As(err, &corrupt) {
				return nil
			}
			return err
		},
	} {
		for _, after := range []int64{0, 100} {
			for _, method := range []string{http.MethodGet, http.MethodPut} {
				cuts, most := 0, 1
				w.set(nil, func(r *http.Request, res *http.Response) (*http.Response, error) {
					if r.Method != method || cuts == most {
						return res, nil
					}
					cuts++
					return cut(res, after), nil
				})
				if err := call(fresh()); err != nil {
					t.Errorf("%s, after one answer to %s that ends at %d: %v", what, method, after, err)
				}
				if cuts, most = 0, -1; method == http.MethodPut {
					continue // its answers have no bodies that matter
				}
				if err := call(fresh()); !errors.Is(err, blob.ErrUnavailable) || cuts == 0 {
					t.Errorf("%s, all of %d answers to %s end at %d: %v", what, cuts, method, after, err)
				}
			}
		}
	}
}

// TestForeign404 has what stands before the object store answer that it knows no such place, as an
// ingress does while it has no server. That says nothing of the object: once, the request is tried
// again; always, another try may help; and nothing counts as missing, or as removed.
func TestForeign404(t *testing.T) {
	server := s3server.Start(t)
	var w wire
	client := w.through(server.Client())
	first, frame := synced(t, open(t, client, s3blob.Options{}), 1, 1000)
	calls := []struct {
		what string
		call func(s blob.Store, ref blob.Ref) error
	}{
		{"GET volumes", func(s blob.Store, ref blob.Ref) error {
			got, err := s.Get(t.Context(), ref, nil)
			if err == nil && !bytes.Equal(got, frame) {
				t.Error("Get: other bytes than were put")
			}
			return err
		}},
		{"GET openings", func(s blob.Store, _ blob.Ref) error {
			_, err := s.Put(t.Context(), first.ID, frame)
			return err
		}},
		{"PUT openings", func(s blob.Store, _ blob.Ref) error {
			_, err := s.Put(t.Context(), first.ID, frame)
			return err
		}},
		{"PUT volumes", func(s blob.Store, _ blob.Ref) error {
			ref, err := s.Put(t.Context(), first.ID, frame)
			if err == nil {
				err = s.Sync(t.Context(), ref.Volume)
			}
			return err
		}},
		{"DELETE volumes", func(s blob.Store, ref blob.Ref) error {
			err := s.Remove(t.Context(), ref.Volume)
			if _, read := open(t, client, s3blob.Options{}).Get(t.Context(), ref, nil); err == nil {
				wantCorrupt(t, "Get of what was removed", read)
			}
			return err
		}},
	}
	for _, page := range []string{
		"404 page not found\n", "", "<html><body><h1>404</h1><br>nginx</body></html>",
		"<Error><Code>NoSuchUpload</Code></Error>",
	} {
		for _, c := range calls {
			for _, most := range []int{1, -1} {
				w.set(nil, nil)
				ref, _ := synced(t, open(t, client, s3blob.Options{}), 1, 1000)
				s := open(t, client, s3blob.Options{Attempts: 2})
				if _, err := s.Volumes(t.Context()); err != nil {
					t.Fatal(err)
				}
				answers := 0
				w.set(func(r *http.Request) (*http.Response, error) {
					if kindOf(r) != c.what || answers == most {
						return nil, nil
					}
					answers++
					swallowBody(r)
					return replyWith(r, http.StatusNotFound, page), nil
				}, nil)
				err := c.call(s, ref)
				switch {
				case most > 0 && (err != nil || answers != 1):
					t.Errorf("%s, after %d answers %q: %v", c.what, answers, page, err)
				case most < 0 && (!errors.Is(err, blob.ErrUnavailable) || answers != 2):
					t.Errorf("%s, all of %d answers are %q: %v, want ErrUnavailable",
						c.what, answers, page, err)
				}
				if most < 0 {
					w.set(nil, nil)
					wantFrame(t, s, ref, frame)
				}
			}
		}
	}
}

// TestClaimCut cuts the answer that says whose a number is, after ever more bytes. It is read again,
// and another try may help if it is cut always.
func TestClaimCut(t *testing.T) {
	server := s3server.Start(t)
	var w wire
	client := w.through(server.Client())
	id, frame := blobtest.Frame(1, 1000)
	for _, after := range []int64{0, 26} { // of 26 bytes
		for _, most := range []int{1, -1} {
			cuts := 0
			w.set(nil, func(r *http.Request, res *http.Response) (*http.Response, error) {
				if kindOf(r) != "GET openings" || r.URL.Query().Has("prefix") || cuts == most {
					return res, nil
				}
				cuts++
				return cut(res, after), nil
			})
			_, err := open(t, client, s3blob.Options{Attempts: 2}).Put(t.Context(), id, frame)
			switch {
			case most < 0 && (!errors.Is(err, blob.ErrUnavailable) || cuts != 2):
				t.Errorf("Put, all of %d answers end at %d: %v", cuts, after, err)
			case most > 0 && (err != nil || cuts != 1):
				t.Errorf("Put, after %d answers that end at %d: %v", cuts, after, err)
			}
		}
	}
}

// TestEmptyListing has listings be empty answers. They do not say that there is no volume.
func TestEmptyListing(t *testing.T) {
	server := s3server.Start(t)
	var w wire
	client := w.through(server.Client())
	ref, _ := synced(t, open(t, client, s3blob.Options{}), 1, 1000)
	w.set(nil, func(_ *http.Request, res *http.Response) (*http.Response, error) {
		res.Body.Close()
		res.Body, res.ContentLength = http.NoBody, 0
		return res, nil
	})
	s := open(t, client, s3blob.Options{})
	if _, err := s.Volumes(t.Context()); !errors.Is(err, blob.ErrUnavailable) {
		t.Errorf("Volumes: %v, want ErrUnavailable", err)
	}
	if _, err := s.Get(t.Context(), ref, nil); !errors.Is(err, blob.ErrUnavailable) {
		t.Errorf("Get: %v, want ErrUnavailable", err)
	}
	if _, err := s.Put(t.Context(), ref.ID, nil); !errors.Is(err, blob.ErrUnavailable) {
		t.Errorf("Put: %v, want ErrUnavailable", err)
	}
}

// TestAttempts has no read answered. The request is tried as often as Options.Attempts says.
func TestAttempts(t *testing.T) {
	server := s3server.Start(t)
	var w wire
	s := open(t, w.through(server.Client()), s3blob.Options{Attempts: 2})
	ref, _ := synced(t, s, 1, 1000)
	w.set(func(r *http.Request) (*http.Response, error) {
		return reply(r, http.StatusInternalServerError, "InternalError"), nil
	}, nil)
	if _, err := s.Get(t.Context(), ref, nil); !errors.Is(err, blob.ErrUnavailable) {
		t.Errorf("Get without an answer: %v, want ErrUnavailable", err)
	}
	if n := w.count("GET volumes"); n != 2 {
		t.Errorf("%d requests, want 2", n)
	}
}

// TestUnavailable has reads cut as often as they are tried, a server that is gone, and one that
// denies. Only the first two say that another try may help.
func TestUnavailable(t *testing.T) {
	server := s3server.Start(t)
	var w wire
	s := open(t, w.through(server.Client()), s3blob.Options{Attempts: 2})
	ref, _ := synced(t, s, 1, 1000)
	want := func(what string, unavailable bool) {
		t.Helper()
		_, err := s.Get(t.Context(), ref, nil)
		if err == nil || errors.Is(err, blob.ErrUnavailable) != unavailable {
			t.Errorf("%s: %v, an ErrUnavailable: want %v", what, err, unavailable)
		}
	}
	w.set(nil, func(_ *http.Request, res *http.Response) (*http.Response, error) {
		return cut(res, 10), nil
	})
	want("cut", true)
	w.set(nil, nil)
	server.Kill()
	want("no server", true)
	w.set(func(r *http.Request) (*http.Response, error) {
		return reply(r, http.StatusForbidden, "AccessDenied"), nil
	}, nil)
	want("denied", false)
}

// TestRestart kills the server between writing and reading, and while it is down both wait.
func TestRestart(t *testing.T) {
	server := s3server.Start(t)
	s := open(t, server.Client(), s3blob.Options{})
	first, frame := synced(t, s, 1, 10_000)
	server.Kill()
	ctx, cancel := context.WithCancel(t.Context())
	second, _ := put(t, s, 2, 10_000)
	done := make(chan error)
	go func() { done <- s.Sync(ctx, second.Volume) }()
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("Sync whose context has ended: %v", err)
	}
	server.Restart()
	wantFrame(t, s, first, frame)
	if err := s.Sync(t.Context(), second.Volume); err != nil {
		t.Errorf("Sync after the restart: %v", err)
	}
}

// TestFlippedBits flips each bit of heads, and some of frames, in the object itself.
func TestFlippedBits(t *testing.T) {
	server := s3server.Start(t)
	s := open(t, server.Client(), s3blob.Options{})
	before, frame := put(t, s, 1, 300)
	ref, _ := put(t, s, 2, 300)
	if err := s.Sync(t.Context(), ref.Volume); err != nil {
		t.Fatal(err)
	}
	paths, err := filepath.Glob(filepath.Join(server.Dir(), "volumes", "*"))
	if err != nil || len(paths) != 1 {
		t.Fatalf("volumes: %q, %v", paths, err)
	}
	object, err := os.OpenFile(paths[0], os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer object.Close()
	flip := func(offset int64, bit int) {
		var b [1]byte
		if _, err := object.ReadAt(b[:], offset); err != nil {
			t.Fatal(err)
		}
		b[0] ^= 1 << bit
		if _, err := object.WriteAt(b[:], offset); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 340 {
		offset := int64(ref.Offset) + int64(i)
		flip(offset, i%8)
		_, err := s.Get(t.Context(), ref, nil)
		wantCorrupt(t, "Get", err)
		flip(offset, i%8)
	}
	wantFrame(t, s, before, frame)
	if err := object.Truncate(int64(ref.Offset) + 100); err != nil {
		t.Fatal(err)
	}
	_, err = s.Get(t.Context(), ref, nil)
	wantCorrupt(t, "Get beyond the end", err)
	wantFrame(t, s, before, frame)
}

// TestStalled has the server not answer. A call ends when its time is over, or its context.
func TestStalled(t *testing.T) {
	server := s3server.Start(t)
	var w wire
	s := open(t, w.through(server.Client()), s3blob.Options{Timeout: 50 * time.Millisecond, Attempts: 1})
	ref, _ := put(t, s, 1, 1000)
	w.set(func(r *http.Request) (*http.Response, error) {
		swallowBody(r)
		<-r.Context().Done()
		return nil, r.Context().Err()
	}, nil)
	if err := s.Sync(t.Context(), ref.Volume); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Sync: %v, want that the time is over", err)
	}
	if _, err := s.Volumes(t.Context()); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Volumes: %v, want that the time is over", err)
	}
}

// TestStalledRead has the answer to a read stop amid the frame. When the time for requests is over,
// another try may help; when the call's context has ended, that is its error.
func TestStalledRead(t *testing.T) {
	server := s3server.Start(t)
	var w wire
	client := w.through(server.Client())
	ref, _ := synced(t, open(t, client, s3blob.Options{}), 1, 1000)
	var stalls atomic.Int32
	var stalled func()
	w.set(nil, func(r *http.Request, res *http.Response) (*http.Response, error) {
		if kindOf(r) == "GET volumes" && !r.URL.Query().Has("prefix") {
			stalls.Add(1)
			stalled()
			stall(r, res, 10)
		}
		return res, nil
	})
	get := func(ctx context.Context, timeout time.Duration) error {
		s := open(t, client, s3blob.Options{Timeout: timeout, Attempts: 3})
		for { // until it knows the volume, however slow the listing is
			if _, err := s.Volumes(t.Context()); err == nil {
				break
			}
		}
		_, err := s.Get(ctx, ref, nil)
		return err
	}

	stalled = func() {}
	for stalls.Load() == 0 { // else not even its head came in time
		if err := get(t.Context(), 50*time.Millisecond); !errors.Is(err, blob.ErrUnavailable) {
			t.Errorf("Get whose time is over: %v, want ErrUnavailable", err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	stalled = cancel
	err := get(ctx, time.Minute)
	if !errors.Is(err, context.Canceled) || errors.Is(err, blob.ErrUnavailable) {
		t.Errorf("Get whose context has ended: %v, want Canceled", err)
	}
}
