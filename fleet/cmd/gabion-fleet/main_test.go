package main

import (
	"bufio"
	"bytes"
	"io"
	"math/rand/v2"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gabion-storage/gabion/crypto"
	"github.com/gabion-storage/gabion/engine"
	"github.com/gabion-storage/gabion/fleet/internal/postgres"
	"github.com/gabion-storage/gabion/fleet/internal/s3server"
)

// aFleet starts the servers of a fleet and returns its URLs.
func aFleet(t *testing.T) string {
	database, objects := postgres.Start(t), s3server.Start(t)
	s3server.Setenv(t)
	return postgres.URL(database.Dir()) + "," + s3server.URL(objects.Addr, "moved")
}

// must runs the command, which has to end with 0, and returns what it says.
func must(t *testing.T, args ...string) string {
	t.Helper()
	var out, told bytes.Buffer
	if code := run(t.Context(), args, &out, &told); code != 0 {
		t.Fatalf("%v ends with %d: %s%s", args, code, &out, &told)
	}
	return out.String()
}

// wantLine wants a line among what the command says.
func wantLine(t *testing.T, out, line string) {
	t.Helper()
	if !strings.Contains(out, line+"\n") {
		t.Errorf("the command says\n%s, want %q", out, line)
	}
}

func random(seed uint64, n int) []byte {
	data := make([]byte, n)
	rand.NewChaCha8([32]byte{byte(seed), byte(seed >> 8)}).Read(data)
	return data
}

const bucket = "bucket"

// A moving is a store in a directory that has objects and an open upload, plain and encrypted.
type moving struct {
	dir, ring string
	keys      *crypto.Keyring
	uploads   map[string]string // by key, of a part with openPart each
}

var openPart = random(100, 300<<10)

func furnish(t *testing.T) *moving {
	t.Helper()
	m := &moving{dir: filepath.Join(t.TempDir(), "store"), ring: filepath.Join(t.TempDir(), "ring"), uploads: map[string]string{}}
	var err error
	if m.keys, err = crypto.CreateKeyring(m.ring); err != nil {
		t.Fatal(err)
	}
	e := m.open(t, m.dir)
	if _, err := e.CreateBucket(t.Context(), &engine.CreateBucketRequest{Bucket: bucket}); err != nil {
		t.Fatal(err)
	}
	for i, sse := range []engine.EncryptionAlgorithm{"", "AES256"} {
		for key, size := range map[string]int{"small": 1000, "large": 3 << 20} {
			_, err := e.PutObject(t.Context(), &engine.PutObjectRequest{
				Bucket: bucket, Key: key + string(sse), Body: bytes.NewReader(random(uint64(i), size)),
				EncryptionRequest: engine.EncryptionRequest{ServerSideEncryption: sse},
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		key := "open" + string(sse)
		up, err := e.InitiateMultipartUpload(t.Context(), &engine.InitiateMultipartUploadRequest{
			Bucket: bucket, Key: key, EncryptionRequest: engine.EncryptionRequest{ServerSideEncryption: sse},
		})
		if err != nil {
			t.Fatal(err)
		}
		m.uploads[key] = up.UploadID
		m.part(t, e, key, 1, openPart)
	}
	mustClose(t, e)
	return m
}

// open opens a store that is encrypted like the moving one.
func (m *moving) open(t *testing.T, dir string) *engine.Engine {
	t.Helper()
	e, err := engine.Open(t.Context(), dir, &engine.Options{Keys: m.keys})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func (m *moving) part(t *testing.T, e *engine.Engine, key string, n int, body []byte) {
	t.Helper()
	_, err := e.UploadPart(t.Context(), &engine.UploadPartRequest{
		Bucket: bucket, Key: key, UploadID: m.uploads[key], PartNumber: n, Body: bytes.NewReader(body),
	})
	if err != nil {
		t.Fatal(err)
	}
}

func mustClose(t *testing.T, e *engine.Engine) {
	t.Helper()
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestCopy moves a store from a directory into a fleet and back into another directory, and
// completes there the uploads that were open.
func TestCopy(t *testing.T) {
	fleet, m, back := aFleet(t), furnish(t), filepath.Join(t.TempDir(), "back")
	same := "the same in both: 1 buckets, 4 objects, 2 uploads with 2 parts, 6907856 bytes"
	there := must(t, "copy", "-keyring", m.ring, m.dir, fleet)
	wantLine(t, there, same)
	if !strings.HasPrefix(there, "copied 14 chunks") {
		t.Errorf("the command says\n%s, want 14 chunks to be copied", there)
	}
	wantLine(t, must(t, "copy", "-quick", "-keyring", m.ring, fleet, back), same)
	wantLine(t, must(t, "compare", m.dir, back), same)

	e := m.open(t, back)
	defer mustClose(t, e)
	rest := random(101, 1000)
	for key, id := range m.uploads {
		m.part(t, e, key, 2, rest)
		_, err := e.CompleteMultipartUpload(t.Context(), &engine.CompleteMultipartUploadRequest{
			Bucket: bucket, Key: key, UploadID: id, All: true,
		})
		if err != nil {
			t.Fatal(err)
		}
		obj, err := e.GetObject(t.Context(), &engine.GetObjectRequest{Bucket: bucket, Key: key})
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(obj)
		if err != nil || !bytes.Equal(got, append(bytes.Clone(openPart), rest...)) {
			t.Errorf("%s, completed after both moves, reads back wrong: %v", key, err)
		}
		obj.Close()
	}
}

// TestCopyKilled kills the command amid a copy, and has another one go on. Meanwhile nobody can open
// the copy.
func TestCopyKilled(t *testing.T) {
	fleet, m := aFleet(t), furnish(t)
	e := m.open(t, m.dir)
	_, err := e.PutObject(t.Context(), &engine.PutObjectRequest{
		Bucket: bucket, Key: "huge", Body: bytes.NewReader(random(7, 100<<20)),
	})
	if err != nil {
		t.Fatal(err)
	}
	mustClose(t, e)

	program := filepath.Join(t.TempDir(), "gabion-fleet")
	if out, err := exec.Command("go", "build", "-o", program, ".").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	cmd := exec.Command(program, "copy", "-quick", m.dir, fleet)
	told, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() }) // unless the test has done so
	if line, err := bufio.NewReader(told).ReadString('\n'); !strings.HasPrefix(line, "pass 1: ") {
		t.Fatalf("the command tells %q, %v", line, err)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err == nil {
		t.Fatal("the command was done before it was killed: the test has lost its grip")
	}
	var out, errs bytes.Buffer
	code := run(t.Context(), []string{"compare", m.dir, fleet}, &out, &errs)
	if code != 1 || !strings.Contains(errs.String(), "UnfinishedClone") {
		t.Errorf("compare with a copy that is not complete ends with %d: %s", code, &errs)
	}
	again := must(t, "copy", "-keyring", m.ring, m.dir, fleet)
	wantLine(t, again, "the same in both: 1 buckets, 5 objects, 2 uploads with 2 parts, 111765456 bytes")
	if strings.Contains(again, "copied 108 chunks") {
		t.Error("everything was copied again")
	}
}

// TestWrongUse calls the command in ways that make no sense, or with stores that do not go together.
func TestWrongUse(t *testing.T) {
	m, other := furnish(t), furnish(t)
	for name, c := range map[string]struct {
		args []string
		code int
		says string
	}{
		"nothing":        {nil, 2, "usage"},
		"another verb":   {[]string{"move", m.dir, other.dir}, 2, "usage"},
		"one store":      {[]string{"copy", m.dir}, 2, "usage"},
		"half a fleet":   {[]string{"copy", m.dir, "postgres://host/db"}, 2, "usage"},
		"no such flag":   {[]string{"compare", "-quick", m.dir, other.dir}, 2, "usage"},
		"no store":       {[]string{"copy", m.dir + "/none", t.TempDir()}, 1, "none"},
		"to itself":      {[]string{"copy", m.dir, m.dir}, 1, "InUse"},
		"onto a store":   {[]string{"copy", m.dir, other.dir}, 1, "no clone"},
		"two stores":     {[]string{"compare", m.dir, other.dir}, 1, "not the same"},
		"an unknown URL": {[]string{"copy", m.dir, "postgres://host/db,s3://bucket?colour=red"}, 1, "colour"},
	} {
		t.Run(name, func(t *testing.T) {
			var out, told bytes.Buffer
			code := run(t.Context(), c.args, &out, &told)
			if code != c.code || !strings.Contains(told.String(), c.says) {
				t.Errorf("it ends with %d and %q, want %d and %q", code, &told, c.code, c.says)
			}
		})
	}
}
