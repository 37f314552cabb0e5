package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"log"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/gabion-storage/gabion/bench/internal/bytesize"
	"github.com/gabion-storage/gabion/bench/internal/cli"
	"github.com/gabion-storage/gabion/bench/internal/contest"
	"github.com/gabion-storage/gabion/bench/internal/process"
	"github.com/gabion-storage/gabion/crypto"
	"github.com/gabion-storage/gabion/engine"
)

const (
	bucket     = contest.Bucket
	sampleName = "sample"
	sampleSize = 64 << 20
)

// uploadOptions are the arguments of the upload command.
type uploadOptions struct {
	dir, key, keyring  string
	sse, newKeys, json bool
	partSize           bytesize.Size
	parallel           int
	volumes            engine.VolumeKind
	files              []string
}

// parseUpload parses the arguments and checks what can be checked without the file system.
func parseUpload(args []string, stdout io.Writer) (*uploadOptions, error) {
	o := &uploadOptions{partSize: engine.DefaultPartSize, parallel: 16}
	flags := flag.NewFlagSet("bench upload", flag.ContinueOnError)
	flags.BoolVar(&o.sse, "sse", false, "encrypt with a key of a local key ring")
	cli.Size(flags, &o.partSize, "part-size", 1, engine.MaxPartSize,
		"`bytes` of a part, or a number with KiB, MiB or GiB")
	cli.Int(flags, &o.parallel, "parallel", 1, engine.MaxParallel, "parts under way at once")
	flags.StringVar(&o.dir, "dir", "",
		"`directory` of the store; without it the store is temporary")
	flags.StringVar(&o.key, "key", "",
		"`name` of the object, or a prefix that ends in / (default the base name of FILE)")
	flags.StringVar(&o.keyring, "keyring", "",
		"`file` of the key ring, outside of the store (default DIR + \".keyring\")")
	flags.BoolVar(&o.newKeys, "new-keyring", false,
		"make the key ring if it is not there, though the store is")
	flags.Func("volumes", "`kind` of new volumes: badger, badger-format or log (default badger)",
		func(kind string) error {
			o.volumes = engine.VolumeKind(kind)
			switch o.volumes {
			case engine.VolumesBadger, engine.VolumesBadgerFormat, engine.VolumesLog:
				return nil
			}
			return errors.New("must be badger, badger-format or log")
		})
	flags.BoolVar(&o.json, "json", false, "print one JSON object a FILE")
	if err := cli.Parse(flags, args, "[FILE...]", stdout); err != nil {
		return nil, err
	}
	o.files = flags.Args()
	if (o.keyring != "" || o.newKeys) && !o.sse {
		return nil, cli.Usagef("-keyring and -new-keyring are of use only with -sse")
	}
	rel, err := filepath.Rel(o.dir, o.keyring)
	if o.dir != "" && o.keyring != "" && err == nil && filepath.IsLocal(rel) {
		return nil, cli.Usagef("-keyring %s lies in the store, must lie outside", o.keyring)
	}
	keys := map[string]string{}
	for _, file := range o.files {
		key := o.keyOf(file)
		switch other, taken := keys[key]; {
		case strings.HasPrefix(file, "-"):
			return nil, cli.Usagef("FILE %s: flags come first, and - is not supported, since parts"+
				" are read in parallel", file)
		case taken:
			return nil, cli.Usagef("%s and %s would both become the object %q: -key can be a prefix"+
				" that ends in /", other, file, key)
		}
		keys[key] = file
	}
	return o, nil
}

// keyOf names the object of a file.
func (o *uploadOptions) keyOf(file string) string {
	if o.key != "" && !strings.HasSuffix(o.key, "/") {
		return o.key
	}
	return o.key + filepath.Base(file)
}

// runUpload is the upload command.
func runUpload(ctx context.Context, args []string, stdout io.Writer, stderr *log.Logger) error {
	o, err := parseUpload(args, stdout)
	if err != nil {
		return err
	}
	for _, file := range o.files { // all of them before any is stored
		if info, err := os.Stat(file); err != nil {
			return err
		} else if !info.Mode().IsRegular() {
			return fmt.Errorf("%s is not a regular file, and has no size to cut into parts", file)
		}
	}
	place := cli.Place{}
	return place.In(func(temp string) error {
		if o.dir == "" {
			o.dir = filepath.Join(temp, "store")
			stderr.Printf("no -dir given: the store is in %s, removed at the end", temp)
		}
		if len(o.files) == 0 {
			stderr.Printf("no FILE given: the sample has %v, random bytes and some text",
				bytesize.Size(sampleSize))
			o.files = []string{filepath.Join(temp, sampleName)}
			if err := os.WriteFile(o.files[0], sample(sampleSize), 0o600); err != nil {
				return err
			}
		}
		return o.uploadAll(ctx, stdout, stderr)
	})
}

// sample is n bytes, the same every time: blocks, in turn of several with random bytes and one with
// text, so that a chunk holds both and compresses a little.
func sample(n int) []byte {
	const block, textEvery = 64 << 10, 4
	words := strings.Fields("stone wire cage wall river bank water rough part chunk many one holds" +
		" against the flood")
	p := make([]byte, n)
	source := rand.NewChaCha8([32]byte([]byte("gabion bench: the sample's seed.")))
	source.Read(p) // never fails
	rng := rand.New(source)
	for at := (textEvery - 1) * block; at < n; at += textEvery * block {
		for rest := p[at:min(at+block, n)]; len(rest) > 0; {
			rest = rest[copy(rest, words[rng.IntN(len(words))]+" "):]
		}
	}
	return p
}

// uploadAll opens the store and uploads one file after the other, up to the first that fails.
func (o *uploadOptions) uploadAll(
	ctx context.Context, stdout io.Writer, stderr *log.Logger,
) (err error) {
	u := &uploader{options: o, log: stderr}
	opts := engine.Options{Volumes: o.volumes}
	if o.sse {
		path, mayMake := o.keyring, o.newKeys || !isThere(o.dir)
		if path == "" {
			path = o.dir + ".keyring"
		}
		keys, err := openKeyring(path, mayMake)
		if err != nil {
			return err
		}
		// The engine does not tell the key's id for AES256.
		if u.keyID, err = keys.CurrentKeyID(ctx); err != nil {
			return err
		}
		opts.Keys, u.encryption = keys, engine.EncryptionAES256
	}
	u.engine, err = contest.OpenEngine(ctx, o.dir, opts, engine.OSS, stderr.Printf)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, u.engine.Close()) }()
	for i, file := range o.files {
		s, err := u.run(ctx, file)
		switch {
		case errors.Is(err, engine.ErrInvalidObjectName) || errors.Is(err, engine.ErrInvalidArgument):
			return cli.Usagef("-key, or -part-size: %v", err)
		case err != nil:
			return fmt.Errorf("%s: %w", file, err)
		case o.json:
			err = json.NewEncoder(stdout).Encode(s)
		case i > 0:
			fmt.Fprintln(stdout)
			fallthrough
		default:
			err = s.write(stdout)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// openKeyring opens a key ring. Where mayMake says so, it makes one that is not there: beside a
// store that is, the one that is missing may only be away.
func openKeyring(path string, mayMake bool) (*crypto.Keyring, error) {
	keys, err := crypto.OpenKeyring(path)
	switch {
	case !errors.Is(err, fs.ErrNotExist):
		return keys, err
	case !mayMake:
		return nil, fmt.Errorf("the store is there, but not its key ring; -new-keyring makes one: %w",
			err)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, err
	}
	return crypto.CreateKeyring(path)
}

// isThere reports whether a directory holds anything, or cannot be looked into.
func isThere(dir string) bool {
	entries, err := os.ReadDir(dir)
	return len(entries) > 0 || err != nil && !errors.Is(err, fs.ErrNotExist)
}

// An uploader uploads files into the bucket and verifies what has become of them.
type uploader struct {
	options    *uploadOptions
	engine     *contest.Engine
	encryption engine.EncryptionAlgorithm // "" for none
	keyID      string
	log        *log.Logger
}

// run uploads one file and verifies the object.
func (u *uploader) run(ctx context.Context, file string) (_ *summary, err error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	s := &summary{
		File: file, Bucket: bucket, Key: u.options.keyOf(file), Size: info.Size(),
		KeyID: u.keyID, Encryption: u.encryption,
	}
	watch := process.WatchMemory()
	if err = u.upload(ctx, f, s); err == nil {
		if err = u.verify(ctx, f, s); err != nil {
			err = fmt.Errorf("not verified: %w", err)
		}
	}
	s.Memory = watch()
	return s, err
}

// upload stores the file as an object, by parts, and counts what that added to the store.
func (u *uploader) upload(ctx context.Context, f *os.File, s *summary) (err error) {
	// The parts of an object that is replaced would show in the counts: they stay as long as it is
	// open.
	get := &engine.GetObjectRequest{Bucket: bucket, Key: s.Key}
	if old, err := u.engine.GetObject(ctx, get); err == nil {
		defer old.Close()
	}
	before, err := u.settle(ctx)
	if err != nil {
		return err
	}
	req := &engine.UploadRequest{
		Bucket: bucket, Key: s.Key, Body: f, Size: s.Size, Parallel: u.options.parallel,
		PartSize: int64(u.options.partSize), Progress: progress(u.log, "uploading", s.Key, s.Size),
	}
	if s.Size <= req.PartSize { // one part, which may be small
		req.PartSize = max(req.PartSize, engine.OSS.MinPartSize())
	}
	if s.Size == 0 {
		req.Size = engine.EmptyBody
	}
	req.ServerSideEncryption = u.encryption
	begin := time.Now()
	done, err := u.engine.Upload(ctx, req)
	took := time.Since(begin)
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx) // and not which part happened to notice
	case err != nil:
		return err
	}
	after, err := u.settle(ctx)
	if err != nil {
		return err
	}
	s.ETag, s.CRC64 = done.ETag, done.CRC64
	s.UpSeconds, s.UpRate = took.Seconds(), process.Rate(s.Size, took)
	s.NewChunks = after.Chunks - before.Chunks
	s.DeduplicatedChunks = after.References - before.References - s.NewChunks
	s.StoredBytes = after.StoredBytes - before.StoredBytes
	return nil
}

// settle lets the store finish what deletions left to do, and counts what it holds.
func (u *uploader) settle(ctx context.Context) (*engine.StatsResult, error) {
	if _, err := u.engine.Reclaim(ctx, &engine.ReclaimRequest{}); err != nil {
		return nil, err
	}
	return u.engine.Stats(ctx, &engine.StatsRequest{})
}

// progress tells at each quarter how far some work is.
func progress(log *log.Logger, doing, key string, total int64) func(done int64) {
	told := int64(0)
	return func(done int64) {
		if quarter := 4 * done / max(total, 1); quarter > told {
			told = quarter
			log.Printf("%s %q: %d %%", doing, key, 25*quarter)
		}
	}
}

// A summary is what there is to say about one upload that was verified.
type summary struct {
	File   string `json:"file"`
	Bucket string `json:"bucket"`
	Key    string `json:"key"`

	Size     int64  `json:"size"`
	Parts    int    `json:"parts"`
	PartSize int64  `json:"part_size"`
	ETag     string `json:"etag"`
	CRC64    uint64 `json:"crc64,string"` // as text: many readers of JSON keep 53 bits

	UpSeconds   float64 `json:"up_seconds"`
	DownSeconds float64 `json:"down_seconds"`
	UpRate      float64 `json:"up_mb_per_second"`
	DownRate    float64 `json:"down_mb_per_second"`

	NewChunks          int64 `json:"chunks_new"`
	DeduplicatedChunks int64 `json:"chunks_deduplicated"`
	StoredBytes        int64 `json:"stored_bytes"`

	Encryption engine.EncryptionAlgorithm `json:"encryption,omitempty"`
	KeyID      string                     `json:"encryption_key_id,omitempty"`
	Memory     process.Memory             `json:"memory"`
	Verified   bool                       `json:"verified"`
}

// write prints the summary as lines for people.
func (s *summary) write(w io.Writer) error {
	encryption := "none"
	if s.Encryption != "" {
		encryption = fmt.Sprintf("%s, key %s", s.Encryption, s.KeyID)
	}
	_, err := fmt.Fprintf(w, `object      %s/%s
size        %d bytes
parts       %d x %s
ETag        %s
CRC64       %d
up          %.1f MB/s
down        %.1f MB/s
chunks      %d new, %d deduplicated
stored      %d bytes
encryption  %s
memory      peak %d MiB resident, peak anonymous %d MiB
verified
`, s.Bucket, s.Key, s.Size, s.Parts, bytesize.Size(s.PartSize), s.ETag, s.CRC64,
		s.UpRate, s.DownRate, s.NewChunks, s.DeduplicatedChunks, s.StoredBytes, encryption,
		s.Memory.PeakResident>>20, s.Memory.PeakAnonymous>>20)
	return err
}
