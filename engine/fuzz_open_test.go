package engine_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"
	"testing"
	"time"

	"github.com/gabion-storage/gabion/engine"
	"github.com/gabion-storage/gabion/index/badger"
)

// mutationOptions are such that little memory and small files are enough.
func mutationOptions(o engine.Options) *engine.Options {
	o.ChunkSize, o.VolumeSize, o.MemoryBudget, o.ReserveSpace = 16<<10, 1<<20, 1<<20, 64<<20
	return &o
}

// mutatedStores are the stores whose images are mutated, and what may be read from them.
type mutatedStores struct {
	options *engine.Options
	images  []*storeImage
	bodies  map[string][][]byte // by bucket and key: all that has ever been there
}

// put remembers what is put under a key.
func (s *mutatedStores) put(bucket, key string, parts ...[]byte) {
	name := bucket + "/" + key
	s.bodies[name] = append(s.bodies[name], bytes.Join(parts, nil))
}

// fill puts something of each kind into a store. Each round is another seed.
func (s *mutatedStores) fill(t testing.TB, e *engine.Engine, round uint64) {
	ctx := context.Background()
	for _, rules := range []engine.Rules{engine.OSS, engine.S3} {
		bucket := "bucket-" + strings.ToLower(string(rules))
		_, err := e.CreateBucket(ctx, &engine.CreateBucketRequest{Bucket: bucket, Rules: rules})
		if err != nil && !errors.Is(err, engine.ErrBucketAlreadyExists) {
			t.Fatal(err)
		}
		for n, sse := range []string{"", "AES256"} {
			body := func(k uint64, size int) []byte { return random(round*100+uint64(n)*10+k, size) }
			key := func(name string) string { return fmt.Sprintf("%s%s", name, sse) }
			parts := [][]byte{body(1, 100<<10), body(2, 40_000)}
			if rules == engine.S3 {
				parts = parts[:1] // all but the last have to be larger there
			}
			s.put(bucket, key("parts"), parts...)
			mustObject(t, e, bucket, key("parts"), sse, parts...)
			for k, size := range []int{0, 1000, 30_000, 50_000} {
				small := body(uint64(3+k), size)
				s.put(bucket, key(fmt.Sprint("put", k)), small)
				mustPut(t, e, engine.PutObjectRequest{Bucket: bucket, Key: key(fmt.Sprint("put", k)), Body: bytes.NewReader(small), EncryptionRequest: engine.EncryptionRequest{ServerSideEncryption: engine.EncryptionAlgorithm(sse)}})
			}
			for _, from := range []string{"parts", "put1"} {
				s.put(bucket, key("copy-"+from), s.bodies[bucket+"/"+key(from)][len(s.bodies[bucket+"/"+key(from)])-1])
				if _, err := e.CopyObject(ctx, &engine.CopyObjectRequest{
					Bucket: bucket, Key: key("copy-" + from), SourceBucket: bucket, SourceKey: key(from), EncryptionRequest: engine.EncryptionRequest{ServerSideEncryption: engine.EncryptionAlgorithm(sse)},
				}); err != nil {
					t.Fatal(err)
				}
			}
			res, err := e.InitiateMultipartUpload(ctx, &engine.InitiateMultipartUploadRequest{
				Bucket: bucket, Key: key("open"), EncryptionRequest: engine.EncryptionRequest{ServerSideEncryption: engine.EncryptionAlgorithm(sse)}, Sequential: rules == engine.OSS,
			})
			if err != nil {
				t.Fatal(err)
			}
			s.put(bucket, key("open"), body(7, 100<<10))
			mustPart(t, e, bucket, key("open"), res.UploadID, 1, body(7, 100<<10))
		}
		mustDelete(t, e, bucket, "put2")
	}
}

// buildMutated makes the images: of a store that was closed; of one that was compacted, used and
// closed, and the same when it was killed.
func buildMutated(t testing.TB) *mutatedStores {
	s := &mutatedStores{options: mutationOptions(engine.Options{Keys: keys(t)}), bodies: map[string][][]byte{}}
	dir := filepath.Join(t.TempDir(), "store")
	ctx := context.Background()
	must := func(errs ...error) {
		t.Helper()
		if err := errors.Join(errs...); err != nil {
			t.Fatal(err)
		}
	}
	keep := func() {
		img, err := readImage(dir)
		must(err)
		s.images = append(s.images, img)
	}
	for round := range uint64(3) {
		e, err := engine.Open(ctx, dir, s.options)
		must(err)
		s.fill(t, e, round)
		if round == 2 {
			mustReclaim(t, e)
			s.fill(t, e, round+1)
			keep()
		}
		must(e.Close())
		keep()
		if round == 0 {
			idx, err := badger.Open(ctx, filepath.Join(dir, "index"), nil)
			must(err)
			must(idx.Compact(ctx), idx.Close())
		}
	}
	return s
}

// try mutates an image and uses what has become of it. An error is a promise that was broken: Open
// must give an error or a sound store, of which every object reads as it once was, or not. It
// reports whether Open gave a store.
func (s *mutatedStores) try(dir string, program []byte) (opened bool, err error) {
	if len(program) == 0 {
		return false, nil
	}
	img := s.images[int(program[0])%len(s.images)]
	if err := img.write(dir); err != nil {
		return false, err
	}
	m := &mutation{dir: dir, img: img, others: s.images}
	if err := m.apply(program[1:]); err != nil {
		return false, err
	}
	return s.use(dir)
}

// use opens a store that may be damaged. What it has acknowledged by then must be there when it is
// opened again.
func (s *mutatedStores) use(dir string) (opened bool, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	e, err := engine.Open(ctx, dir, s.options)
	if err != nil {
		return false, typedOrNil(err)
	}
	err = s.readAll(ctx, e)
	body := random(99, 60_000)
	acknowledged := false
	if bucket := firstBucket(ctx, e); bucket != "" {
		_, putErr := e.PutObject(ctx, &engine.PutObjectRequest{Bucket: bucket, Key: "new", Body: bytes.NewReader(body)})
		acknowledged = putErr == nil
		_, deleteErr := e.DeleteObject(ctx, &engine.DeleteObjectRequest{Bucket: bucket, Key: "put1"})
		err = errors.Join(err, typedOrNil(putErr), typedOrNil(deleteErr))
	}
	_, reclaimErr := e.Reclaim(ctx, nil)
	_, statsErr := e.Stats(ctx, nil)
	closeErr := e.Close()
	err = errors.Join(err, typedOrNil(reclaimErr), typedOrNil(statsErr), typedOrNil(closeErr))
	if err != nil || closeErr != nil || reclaimErr != nil {
		return true, err
	}
	if e, err = engine.Open(ctx, dir, s.options); err != nil {
		return true, fmt.Errorf("it was opened, used and closed, and is not opened again: %w", err)
	}
	if acknowledged {
		err = readBack(ctx, e, firstBucket(ctx, e), "new", [][]byte{body})
		if err != nil {
			err = fmt.Errorf("what was acknowledged: %w", err)
		}
	}
	return true, errors.Join(err, typedOrNil(e.Close()))
}

// readAll checks the store and reads all of it.
func (s *mutatedStores) readAll(ctx context.Context, e *engine.Engine) error {
	_, err := e.Check(ctx, &engine.CheckRequest{Data: true})
	errs := []error{typedOrNil(err)}
	buckets, err := e.ListBuckets(ctx, nil)
	if err != nil {
		return errors.Join(append(errs, typedOrNil(err))...)
	}
	for _, b := range buckets.Buckets {
		for obj, err := range e.Objects(ctx, &engine.ListObjectsRequest{Bucket: b.Name}) {
			if err != nil {
				errs = append(errs, typedOrNil(err))
				break
			}
			if err := readBack(ctx, e, b.Name, obj.Key, s.bodies[b.Name+"/"+obj.Key]); errors.Is(err, errWrong) {
				errs = append(errs, err)
			} else {
				errs = append(errs, typedOrNil(err))
			}
		}
		for up, err := range e.Uploads(ctx, &engine.ListMultipartUploadsRequest{Bucket: b.Name}) {
			if err == nil {
				_, err = e.CompleteMultipartUpload(ctx, &engine.CompleteMultipartUploadRequest{
					Bucket: b.Name, Key: up.Key, UploadID: up.UploadID, All: true,
				})
			}
			errs = append(errs, typedOrNil(err))
		}
	}
	return errors.Join(errs...)
}

// errWrong says that a read gave, without an error, what never was there.
var errWrong = errors.New("wrong bytes were read")

// readBack reads an object and compares it with what may be there.
func readBack(ctx context.Context, e *engine.Engine, bucket, key string, may [][]byte) error {
	obj, err := e.GetObject(ctx, &engine.GetObjectRequest{Bucket: bucket, Key: key})
	if err != nil {
		return err
	}
	data, err := io.ReadAll(io.LimitReader(obj, 1<<20))
	if err = errors.Join(err, obj.Close()); err != nil {
		return err
	}
	for _, body := range may {
		if bytes.Equal(body, data) {
			return nil
		}
	}
	return fmt.Errorf("%w: %s/%s, %d bytes", errWrong, bucket, key, len(data))
}

func firstBucket(ctx context.Context, e *engine.Engine) string {
	res, err := e.ListBuckets(ctx, nil)
	if err != nil || len(res.Buckets) == 0 {
		return ""
	}
	return res.Buckets[0].Name
}

// typedOrNil passes on an error that is not as errors have to be, or that says that something has
// hung.
func typedOrNil(err error) error {
	var typed *engine.Error
	var corrupt *engine.CorruptionError
	if err == nil || errors.As(err, &corrupt) || errors.As(err, &typed) && !errors.Is(err, engine.ErrRequestTimeout) {
		return nil
	}
	return fmt.Errorf("%T: %w", err, err)
}

// mutationSeeds are inputs that take each kind of step once with each entry of a store, some of
// them.
func mutationSeeds(n int) (seeds [][]byte) {
	rng := rand.New(rand.NewPCG(1, 1))
	for i := range n {
		seed := []byte{byte(i), byte(i), byte(rng.Uint32()), byte(rng.Uint32()), byte(rng.Uint32()), byte(rng.Uint32()), byte(rng.Uint32()), byte(rng.Uint32())}
		if i%2 == 0 {
			seed = append(seed, []byte{stepUnclean, 0, 0, 0, 0, 0, 0}...)
		}
		seeds = append(seeds, seed)
	}
	return seeds
}

// FuzzOpen mutates the directory of a small store and uses what has become of it: bits flipped,
// files cut, made longer, exchanged, removed, copied under other names, replaced by symlinks, FIFOs
// and directories, pieces moved. Open gives an error or a sound store. See TestOpenMutated for the
// same with a bound on memory.
func FuzzOpen(f *testing.F) {
	for _, seed := range mutationSeeds(2 * stepKinds) {
		f.Add(seed)
	}
	stores := buildMutated(f)
	f.Fuzz(func(t *testing.T, program []byte) {
		t.Parallel()
		if _, err := stores.try(filepath.Join(t.TempDir(), "store"), program); err != nil {
			t.Error(err)
		}
	})
}

// TestUnmutated uses the stores of FuzzOpen as they are.
func TestUnmutated(t *testing.T) {
	stores := buildMutated(t)
	for n, img := range stores.images {
		dir := filepath.Join(t.TempDir(), "store")
		if err := img.write(dir); err != nil {
			t.Fatal(err)
		}
		e := open(t, dir, stores.options)
		res, err := e.Check(t.Context(), &engine.CheckRequest{Data: true})
		if err != nil || len(res.Problems) > 0 {
			t.Errorf("image %d: %v, %v", n, res.Problems, err)
		}
		for name, bodies := range stores.bodies {
			bucket, key, _ := strings.Cut(name, "/")
			err := readBack(t.Context(), e, bucket, key, bodies)
			if gone := key == "put2" || strings.HasPrefix(key, "open"); err != nil && !gone {
				t.Errorf("image %d: %s: %v", n, name, err)
			}
		}
		if err := e.Close(); err != nil {
			t.Error(err)
		}
		if opened, err := stores.use(dir); !opened || err != nil {
			t.Errorf("image %d: opened %v, %v", n, opened, err)
		}
		files := map[string]int64{}
		for _, f := range img.files {
			files[f.name] = f.size
		}
		t.Logf("image %d: %v", n, files)
	}
}

// mutationMemory is what a process that opens and uses a mutated store may occupy, in bytes,
// whatever was done to it. The race detector has about as much again for itself.
func mutationMemory() int64 {
	if underRaceDetector() {
		return 512 << 20
	}
	return 256 << 20
}

// mutationBatch is how many stores one process opens.
const mutationBatch = 50

// TestOpenMutated is FuzzOpen in processes of their own, with inputs by chance: so what ends a
// process is caught, and what it occupies measured. GABION_MUTATIONS is how many inputs are tried.
func TestOpenMutated(t *testing.T) {
	if os.Getenv(mutationVariable) != "" {
		t.Skip("this is the child")
	}
	start, n := seed(t), rounds(t, "GABION_MUTATIONS", 20)
	rng := rand.New(rand.NewPCG(start, 0))
	dir := t.TempDir()
	var used time.Duration
	opened := 0
	for done := 0; done < n; done += mutationBatch {
		var programs [][]byte
		for range min(mutationBatch, n-done) {
			program := make([]byte, 1+stepSize*(1+rng.IntN(4)))
			for i := range program {
				program[i] = byte(rng.Uint32())
				if ofFile := i%stepSize == 2 || i%stepSize == 3; ofFile && rng.IntN(4) > 0 {
					program[i] %= 14 // mostly what is not a volume; see entry
				}
			}
			if rng.IntN(3) == 0 {
				program = append(program, stepUnclean, 0, 0, 0, 0, 0, 0)
			}
			programs = append(programs, program)
		}
		some, time := mutationChildren(t, filepath.Join(dir, fmt.Sprint(done)), programs)
		used, opened = used+time, opened+some
	}
	t.Logf("%d inputs, of which %d were opened, in %v of processor time", n, opened, used.Round(time.Second))
}

const mutationVariable = "GABION_MUTATION_DIR"

// mutationChildren tries all programs, in another process after each one that ends it.
func mutationChildren(t *testing.T, dir string, programs [][]byte) (opened int, used time.Duration) {
	t.Helper()
	for len(programs) > 0 {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Duration(len(programs))*time.Minute)
		child := exec.CommandContext(ctx, os.Args[0], "-test.run=^TestOpenMutatedChild$")
		child.Env = append(os.Environ(), mutationVariable+"="+dir)
		var in, out, stderr bytes.Buffer
		for _, p := range programs {
			fmt.Fprintf(&in, "%x\n", p)
		}
		child.Stdin, child.Stdout, child.Stderr = &in, &out, &stderr
		err := child.Run()
		cancel()
		used += child.ProcessState.UserTime() + child.ProcessState.SystemTime()
		var said strings.Builder
		tried := 0
		for lines := bufio.NewScanner(&out); lines.Scan(); {
			switch word, what, _ := strings.Cut(lines.Text(), " "); word {
			case "good":
				tried++
				if what == "true" {
					opened++
				}
			case "bad":
				t.Errorf("input %x: %s", programs[tried], what)
				tried++
			default:
				fmt.Fprintln(&said, lines.Text())
			}
		}
		if tried < len(programs) {
			t.Errorf("input %x ends the process: %v\n%s\n%.6000s", programs[tried], err, said.String(), &stderr)
			tried++
		}
		programs = programs[tried:]
		if err := os.RemoveAll(dir); err != nil {
			t.Fatal(err)
		}
	}
	return opened, used
}

// TestOpenMutatedChild is the process that opens mutated stores.
func TestOpenMutatedChild(t *testing.T) {
	dir := os.Getenv(mutationVariable)
	if dir == "" {
		t.Skip("runs only as a child of another test")
	}
	stores := buildMutated(t)
	n := 0
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); n++ {
		program, err := hex.DecodeString(lines.Text())
		if err != nil {
			t.Fatal(err)
		}
		runtime.GC()
		debug.FreeOSMemory()
		base := forgetPeak()
		hang := time.AfterFunc(50*time.Second, func() {
			stacks := make([]byte, 1<<20)
			panic("it hangs:\n" + string(stacks[:runtime.Stack(stacks, true)]))
		})
		at := filepath.Join(dir, fmt.Sprint(n))
		opened, err := stores.try(at, program)
		hang.Stop()
		peak := peakMemory()
		switch {
		case err != nil:
			fmt.Printf("bad %q\n", err.Error())
		case peak > mutationMemory():
			fmt.Printf("bad it takes %d MiB of memory, %d before\n", peak>>20, base>>20)
		default:
			fmt.Println("good", opened)
		}
		if err := os.RemoveAll(at); err != nil {
			t.Fatal(err)
		}
	}
}
