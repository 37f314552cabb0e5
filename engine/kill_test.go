package engine_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/gabion-storage/gabion/engine"
	"github.com/gabion-storage/gabion/internal/faulttest"
)

const (
	killBucket  = "killed"
	killWorkers = 4
)

// A killedStore is a store whose process is killed, over and over.
type killedStore struct {
	dir     string
	keyring string // outside of dir
}

// options are, in every other round, so small that a short life sees volumes sealed and copied, and
// parts of several chunks. The kind of volumes changes every two rounds, for the first time after
// one: each kind is the new one and the old one, with volumes of either size.
func (s *killedStore) options(round int) (*engine.Options, error) {
	ring, err := keysAt(s.keyring)
	o := &engine.Options{Keys: ring, Volumes: volumeKinds[(round+1)/2%len(volumeKinds)]}
	if round%2 == 1 {
		o.ChunkSize, o.VolumeSize = 64<<10, 2<<20
	}
	return o, err
}

// rounds returns how often a test with a short and a long form repeats itself.
func rounds(t *testing.T, env string, short int) int {
	t.Helper()
	text := os.Getenv(env)
	if text == "" {
		return short
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatalf("%s: %v", env, err)
	}
	return n
}

// TestKill kills a process with SIGKILL in the middle of uploads, overwrites, completes, aborts,
// deletions and reclaiming, over and over on one store. Each time every acknowledged part must be
// listed with its ETag and read back in the completed object, what was under way must be absent or
// whole, and nothing else may be there. GABION_KILLS sets the number of rounds.
func TestKill(t *testing.T) {
	dir := t.TempDir()
	s := &killedStore{dir: filepath.Join(dir, "store"), keyring: filepath.Join(dir, "keyring")}
	rng := rand.New(rand.NewPCG(seed(t), 1))
	var total killTotals
	for round := range rounds(t, "GABION_KILLS", 6) {
		story := s.life(t, round, rng, (*os.Process).Kill)
		s.check(t, round, story, &total)
		if t.Failed() {
			t.Fatalf("round %d failed", round)
		}
	}
	total.report(t)
}

// killTotals say what a test has seen.
type killTotals struct {
	rounds, acknowledged int
	slowestOpen          time.Duration
}

func (total *killTotals) report(t *testing.T) {
	t.Helper()
	t.Logf("%d rounds, %d acknowledged parts, slowest Open %v", total.rounds, total.acknowledged, total.slowestOpen)
	if total.acknowledged == 0 {
		t.Error("no part was ever acknowledged: the test has lost its grip")
	}
}

// check opens the store after a death and compares it with what was told.
func (s *killedStore) check(t *testing.T, round int, story map[string]*killedUpload, total *killTotals) {
	t.Helper()
	o, err := s.options(round)
	if err != nil {
		t.Fatal(err)
	}
	begun := time.Now()
	e := open(t, s.dir, o)
	total.slowestOpen = max(total.slowestOpen, time.Since(begun))
	total.rounds++
	res, err := e.Check(context.Background(), &engine.CheckRequest{Data: true})
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range res.Problems {
		t.Errorf("Check: %v", p)
	}
	for _, up := range story {
		total.acknowledged += up.check(t, e)
	}
	checkNothingElse(t, e, story)
	if err := e.Close(); err != nil {
		t.Fatalf("Close: %v", err)
	}
}

// A killedUpload is what the process told of one upload before it died. A value that was tried and
// not acknowledged may be there or not.
type killedUpload struct {
	key, id   string
	parts     map[int]killedPart
	ending    string // the last of "complete", "delete", "abort" that was tried
	confirmed bool   // and acknowledged

	object *killedBody // of an object that was made without an upload, whose key is the id
}

type killedPart struct {
	did, tried *killedBody
}

type killedBody struct {
	seed uint64
	size int
}

func (b *killedBody) bytes() []byte { return random(b.seed, b.size) }

// life runs a process that works on the store, strikes it down at a random moment and returns what
// it told.
func (s *killedStore) life(t *testing.T, round int, rng *rand.Rand, strike func(*os.Process) error) map[string]*killedUpload {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^TestKillChild$")
	cmd.Env = append(os.Environ(),
		"GABION_KILL_STORE="+s.dir,
		"GABION_KILL_KEYRING="+s.keyring,
		fmt.Sprintf("GABION_KILL_SEED=%d", rng.Uint64()),
		fmt.Sprintf("GABION_KILL_ROUND=%d", round))
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	story := map[string]*killedUpload{}
	lines := bufio.NewScanner(out)
	// However early the others are struck down, in the first round there is something to lose.
	for round == 0 && !hasPart(story) && lines.Scan() {
		tell(t, story, lines.Text())
	}
	for after := rng.IntN(160); after > 0 && lines.Scan(); after-- {
		tell(t, story, lines.Text())
	}
	time.Sleep(time.Duration(rng.IntN(20_000)) * time.Microsecond)
	if err := strike(cmd.Process); err != nil {
		t.Fatalf("the process ended by itself: %v\n%s", err, stderr.String())
	}
	for lines.Scan() { // what it told before it died
		tell(t, story, lines.Text())
	}
	if err := cmd.Wait(); cmd.ProcessState.Exited() {
		t.Fatalf("the process ended by itself: %v\n%s", err, stderr.String())
	}
	return story
}

// hasPart says whether a part was acknowledged.
func hasPart(story map[string]*killedUpload) bool {
	for _, up := range story {
		for _, p := range up.parts {
			if p.did != nil {
				return true
			}
		}
	}
	return false
}

// tell takes in one line. The last one may be cut short by the kill.
func tell(t *testing.T, story map[string]*killedUpload, line string) {
	var tense, verb, key, id string
	var number int
	var body killedBody
	n, _ := fmt.Sscanf(line, "%s %s %s %s %d %d %d .", &tense, &verb, &key, &id, &number, &body.seed, &body.size)
	if n < 7 || line[len(line)-1] != '.' {
		t.Logf("incomplete line %q", line)
		return
	}
	up := story[id]
	if up == nil {
		up = &killedUpload{key: key, id: id, parts: map[int]killedPart{}}
		story[id] = up
	}
	switch {
	case verb == "part" && tense == "try":
		p := up.parts[number]
		p.tried = &body
		up.parts[number] = p
	case verb == "part":
		up.parts[number] = killedPart{did: &body}
	case verb == "put" || verb == "copy":
		up.object, up.confirmed = &body, tense == "did"
	case verb == "complete" || verb == "delete" || verb == "abort":
		up.ending, up.confirmed = verb, tense == "did"
	}
}

// check compares an upload with what was told of it, completes it if it is open, reads the object
// back and deletes it. It returns the number of acknowledged parts.
func (up *killedUpload) check(t *testing.T, e *engine.Engine) (acknowledged int) {
	t.Helper()
	ctx := context.Background()
	if up.object != nil {
		up.checkPut(t, e)
		return 0
	}
	for n, p := range up.parts {
		if up.ending == "complete" && p.tried != nil { // it would not have been tried; telling has failed
			p = killedPart{did: p.tried}
			up.parts[n] = p
		}
		if p.did != nil {
			acknowledged++
		}
	}
	list, err := e.ListParts(ctx, &engine.ListPartsRequest{Bucket: killBucket, Key: up.key, UploadID: up.id})
	open := err == nil
	if err != nil && !errors.Is(err, engine.ErrNoSuchUpload) {
		t.Fatalf("upload %s: %v", up.id, err)
	}
	switch {
	case open && (up.confirmed || up.ending == "delete"):
		t.Errorf("upload %s is open, but was ended by %s", up.id, up.ending)
	case !open && up.ending == "":
		t.Errorf("upload %s is gone, but was never ended", up.id)
	case !open && up.ending == "abort":
		return acknowledged
	case up.ending == "delete":
		_, err := e.HeadObject(ctx, &engine.HeadObjectRequest{Bucket: killBucket, Key: up.key})
		if err == nil && up.confirmed {
			t.Errorf("object %s is there, but its deletion was acknowledged", up.key)
		}
		if errors.Is(err, engine.ErrNoSuchKey) {
			return acknowledged
		}
	}
	if open {
		up.checkParts(t, list.Parts)
		if len(list.Parts) == 0 {
			return acknowledged
		}
		mustComplete(t, e, killBucket, up.key, up.id)
	}
	up.checkObject(t, e)
	mustDelete(t, e, killBucket, up.key)
	return acknowledged
}

// checkPut compares an object that was put or copied, and deletes it.
func (up *killedUpload) checkPut(t *testing.T, e *engine.Engine) {
	t.Helper()
	_, err := e.HeadObject(context.Background(), &engine.HeadObjectRequest{Bucket: killBucket, Key: up.key})
	if errors.Is(err, engine.ErrNoSuchKey) && !up.confirmed {
		return
	}
	if got := readAll(t, e, killBucket, up.key); !bytes.Equal(got, up.object.bytes()) {
		t.Errorf("object %s reads back wrong: %d bytes", up.key, len(got))
	}
	mustDelete(t, e, killBucket, up.key)
}

// checkParts compares a listing and settles which of the values that may be there are.
func (up *killedUpload) checkParts(t *testing.T, listed []engine.Part) {
	t.Helper()
	byNumber := map[int]engine.Part{}
	for _, p := range listed {
		byNumber[p.PartNumber] = p
		if _, known := up.parts[p.PartNumber]; !known {
			t.Errorf("upload %s has part %d, which was never sent", up.id, p.PartNumber)
		}
	}
	for n, p := range up.parts {
		got, there := byNumber[n]
		switch {
		case there && p.did != nil && got.ETag == md5ETag(p.did.bytes()):
			up.parts[n] = killedPart{did: p.did}
		case there && p.tried != nil && got.ETag == md5ETag(p.tried.bytes()):
			up.parts[n] = killedPart{did: p.tried}
		case there:
			t.Errorf("upload %s part %d: ETag %s is of no body that was sent", up.id, n, got.ETag)
		case p.did != nil:
			t.Errorf("upload %s part %d was acknowledged and is not listed", up.id, n)
		default:
			delete(up.parts, n)
		}
	}
}

func (up *killedUpload) checkObject(t *testing.T, e *engine.Engine) {
	t.Helper()
	var want [][]byte
	for n := 1; n <= 100; n++ {
		if p, ok := up.parts[n]; ok {
			want = append(want, p.did.bytes())
		}
	}
	obj := mustGet(t, e, killBucket, up.key, "")
	defer obj.Close()
	if obj.ETag != ossETag(want...) {
		t.Errorf("object %s has ETag %s, wanted %s", up.key, obj.ETag, ossETag(want...))
	}
	got, err := io.ReadAll(obj)
	if err != nil || !bytes.Equal(got, bytes.Join(want, nil)) {
		t.Errorf("object %s reads back wrong: %d bytes, %v", up.key, len(got), err)
	}
}

// checkNothingElse makes sure that the store holds nothing that was not told of. What remains are
// uploads without parts, which the checks leave open.
func checkNothingElse(t *testing.T, e *engine.Engine, story map[string]*killedUpload) {
	t.Helper()
	for _, up := range story {
		if up.object != nil {
			continue
		}
		_, err := e.AbortMultipartUpload(context.Background(), &engine.AbortMultipartUploadRequest{
			Bucket: killBucket, Key: up.key, UploadID: up.id,
		})
		if err != nil && !errors.Is(err, engine.ErrNoSuchUpload) {
			t.Errorf("AbortMultipartUpload: %v", err)
		}
	}
	left := tallyOf(t, e)
	// An upload that was begun in the last moment, with its id never told, stays.
	if left.Uploads > 0 && left.Parts == 0 {
		left.Uploads = 0
	}
	if left != (tally{}) {
		t.Errorf("with everything deleted there is left: %+v", left)
	}
}

// TestKillChild is the process that TestKill kills.
func TestKillChild(t *testing.T) {
	s := &killedStore{dir: os.Getenv("GABION_KILL_STORE"), keyring: os.Getenv("GABION_KILL_KEYRING")}
	if s.dir == "" {
		t.Skip("runs only as a child of other tests")
	}
	start, err := strconv.ParseUint(os.Getenv("GABION_KILL_SEED"), 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	round, err := strconv.Atoi(os.Getenv("GABION_KILL_ROUND"))
	if err != nil {
		t.Fatal(err)
	}
	o, err := s.options(round)
	if err != nil {
		t.Fatal(err)
	}
	e, err := engine.Open(context.Background(), s.dir, o)
	if err != nil {
		t.Fatal(err)
	}
	_, err = e.CreateBucket(context.Background(), &engine.CreateBucketRequest{Bucket: killBucket})
	if err != nil && !errors.Is(err, engine.ErrBucketAlreadyExists) {
		t.Fatal(err)
	}
	failed := make(chan error)
	for w := range uint64(killWorkers) {
		rng := rand.New(rand.NewPCG(start, w))
		go func() {
			for n := 0; ; n++ {
				key := fmt.Sprintf("round-%d/worker-%d/%d", round, w, n)
				if err := uploadUntilKilled(e, key, rng); err != nil {
					failed <- err
				}
				if err := copyUntilKilled(e, key, rng); err != nil {
					failed <- err
				}
			}
		}()
	}
	go func() {
		for {
			if _, err := e.Reclaim(context.Background(), &engine.ReclaimRequest{}); err != nil {
				failed <- err
			}
			time.Sleep(10 * time.Millisecond)
		}
	}()
	t.Fatal(<-failed)
}

// uploadUntilKilled makes one upload and tells of every step, before it and after it.
func uploadUntilKilled(e *engine.Engine, key string, rng *rand.Rand) error {
	ctx := context.Background()
	sse := []string{"", "AES256"}[rng.IntN(2)]
	up, err := e.InitiateMultipartUpload(ctx, &engine.InitiateMultipartUploadRequest{
		Bucket: killBucket, Key: key, EncryptionRequest: engine.EncryptionRequest{ServerSideEncryption: engine.EncryptionAlgorithm(sse)},
	})
	if err != nil {
		return err
	}
	say := func(tense, verb string, n int, b killedBody) {
		faulttest.Say("%s %s %s %s %d %d %d .\n", tense, verb, key, up.UploadID, n, b.seed, b.size)
	}
	say("did", "initiate", 0, killedBody{})
	for range 1 + rng.IntN(12) {
		n := 1 + rng.IntN(8)
		b := killedBody{seed: rng.Uint64N(50), size: 100<<10 + rng.IntN(600<<10)}
		say("try", "part", n, b)
		_, err := e.UploadPart(ctx, &engine.UploadPartRequest{
			Bucket: killBucket, Key: key, UploadID: up.UploadID, PartNumber: n, Body: bytes.NewReader(b.bytes()),
		})
		if err != nil {
			return err
		}
		say("did", "part", n, b)
	}
	for _, verb := range [][]string{{"complete", "delete"}, {"complete"}, {"abort"}, nil}[rng.IntN(4)] {
		say("try", verb, 0, killedBody{})
		switch verb {
		case "complete":
			_, err = e.CompleteMultipartUpload(ctx, &engine.CompleteMultipartUploadRequest{
				Bucket: killBucket, Key: key, UploadID: up.UploadID, All: true,
			})
		case "delete":
			_, err = e.DeleteObject(ctx, &engine.DeleteObjectRequest{Bucket: killBucket, Key: key})
		case "abort":
			_, err = e.AbortMultipartUpload(ctx, &engine.AbortMultipartUploadRequest{
				Bucket: killBucket, Key: key, UploadID: up.UploadID,
			})
		}
		if err != nil {
			return err
		}
		say("did", verb, 0, killedBody{})
	}
	return nil
}

// copyUntilKilled puts an object, small or large, and copies it: by reference, or under new keys.
func copyUntilKilled(e *engine.Engine, key string, rng *rand.Rand) error {
	ctx := context.Background()
	b := killedBody{seed: rng.Uint64N(50), size: []int{1000, 200_000}[rng.IntN(2)]}
	sse := []string{"", "AES256"}
	for _, step := range []struct {
		verb, key string
		call      func() error
	}{
		{"put", key + "/put", func() error {
			_, err := e.PutObject(ctx, &engine.PutObjectRequest{
				Bucket: killBucket, Key: key + "/put", Body: bytes.NewReader(b.bytes()), EncryptionRequest: engine.EncryptionRequest{ServerSideEncryption: engine.EncryptionAlgorithm(sse[rng.IntN(2)])},
			})
			return err
		}},
		{"copy", key + "/copy", func() error {
			_, err := e.CopyObject(ctx, &engine.CopyObjectRequest{
				Bucket: killBucket, Key: key + "/copy", SourceBucket: killBucket, SourceKey: key + "/put", EncryptionRequest: engine.EncryptionRequest{ServerSideEncryption: engine.EncryptionAlgorithm(sse[rng.IntN(2)])},
			})
			return err
		}},
	} {
		faulttest.Say("try %s %s %s 0 %d %d .\n", step.verb, step.key, step.key, b.seed, b.size)
		if err := step.call(); err != nil {
			return err
		}
		faulttest.Say("did %s %s %s 0 %d %d .\n", step.verb, step.key, step.key, b.seed, b.size)
	}
	return nil
}
