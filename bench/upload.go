package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"

	"github.com/gabion-storage/gabion/bench/internal/bytesize"
	"github.com/gabion-storage/gabion/bench/internal/cli"
	"github.com/gabion-storage/gabion/engine"
)

const (
	bucket          = "bench"
	algorithm       = "AES256"
	defaultPartSize = 8 << 20
	defaultParallel = 16
	maxParallel     = 1024
)

const uploadSynopsis = "[-sse] [-part-size 8MiB] [-parallel 16] [-dir DIR] [-key NAME] [-keyring FILE] [-new-keyring] [-json] [FILE...]"

// uploadOptions are the arguments of the upload command.
type uploadOptions struct {
	dir      string
	key      string
	keyring  string
	newKeys  bool
	partSize bytesize.Size
	parallel int
	sse      bool
	json     bool
	files    []string
}

// parseUpload parses the arguments and checks what can be checked without the file system.
func parseUpload(args []string, stdout io.Writer) (*uploadOptions, error) {
	o := &uploadOptions{partSize: defaultPartSize}
	flags := flag.NewFlagSet("bench upload", flag.ContinueOnError)
	flags.BoolVar(&o.sse, "sse", false, "encrypt with a key of a local key ring")
	flags.Var(&o.partSize, "part-size", "`bytes` of a part, or a number with KiB, MiB or GiB")
	flags.IntVar(&o.parallel, "parallel", defaultParallel, fmt.Sprintf("parts under way at once, 1 to %d", maxParallel))
	flags.StringVar(&o.dir, "dir", "", "`directory` of the store; without it the store is temporary")
	flags.StringVar(&o.key, "key", "", "`name` of the object, or a prefix that ends in / (default the base name of FILE)")
	flags.StringVar(&o.keyring, "keyring", "", "`file` of the key ring, outside of the store (default DIR + \".keyring\")")
	flags.BoolVar(&o.newKeys, "new-keyring", false, "make the key ring if it is not there, though the store is")
	flags.BoolVar(&o.json, "json", false, "print one JSON object a FILE")
	if err := cli.Parse(flags, args, uploadSynopsis, stdout); err != nil {
		return nil, err
	}
	o.files = flags.Args()
	return o, o.check()
}

func (o *uploadOptions) check() error {
	switch {
	case o.partSize < 1 || o.partSize > engine.MaxPartSize:
		return cli.Usagef("-part-size is %v, must be 1 byte to %v", o.partSize, bytesize.Size(engine.MaxPartSize))
	case o.parallel < 1 || o.parallel > maxParallel:
		return cli.Usagef("-parallel is %d, must be 1 to %d", o.parallel, maxParallel)
	case o.keyring != "" && !o.sse:
		return cli.Usagef("-keyring is of use only with -sse")
	case o.newKeys && !o.sse:
		return cli.Usagef("-new-keyring is of use only with -sse")
	}
	for _, file := range o.files {
		switch {
		case file == "-":
			return cli.Usagef("FILE - is not supported: parts are read in parallel, which needs a file")
		case strings.HasPrefix(file, "-"):
			return cli.Usagef("%s comes behind a FILE: flags come first (a FILE of that name is .%c%s)", file, filepath.Separator, file)
		}
	}
	return nil
}

// A job is one file to upload.
type job struct {
	path string
	key  string
	plan plan
}

// jobs plans the uploads of all files, before any of them begins. Without files there is one, of
// a sample that is made later.
func (o *uploadOptions) jobs() ([]job, error) {
	files := o.files
	if len(files) == 0 {
		files = []string{sampleName}
	}
	keys, err := keysFor(o.key, files)
	if err != nil {
		return nil, err
	}
	jobs := make([]job, len(files))
	for i, file := range files {
		length := int64(sampleSize)
		if len(o.files) > 0 {
			if length, err = fileSize(file); err != nil {
				return nil, err
			}
		}
		p, err := planParts(length, int64(o.partSize))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		jobs[i] = job{path: file, key: keys[i], plan: p}
	}
	return jobs, nil
}

func fileSize(path string) (int64, error) {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return 0, err
	case info.IsDir():
		return 0, fmt.Errorf("%s is a directory, must be a file", path)
	case !info.Mode().IsRegular():
		return 0, fmt.Errorf("%s is not a regular file, and has no size to cut into parts", path)
	}
	return info.Size(), nil
}

// runUpload is the upload command.
func runUpload(ctx context.Context, args []string, stdout io.Writer, stderr *console) (err error) {
	o, err := parseUpload(args, stdout)
	if err != nil {
		return err
	}
	jobs, err := o.jobs()
	if err != nil {
		return err
	}
	work, err := openWorkspace(o, stderr)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, work.remove()) }()
	if len(o.files) == 0 {
		jobs[0].path = work.sample
		stderr.notef("no FILE given: the sample has %s, random bytes and some text", bytesize.Human(sampleSize))
		if err := makeSample(ctx, work.sample, sampleSize); err != nil {
			return err
		}
	}
	return uploadAll(ctx, o, work, jobs, stdout, stderr)
}

// uploadAll opens the store and uploads one file after the other, up to the first that fails.
func uploadAll(ctx context.Context, o *uploadOptions, work *workspace, jobs []job, stdout io.Writer, stderr *console) (err error) {
	e, keyID, err := work.openStore(ctx, o.sse, stderr)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, e.Close()) }()
	u := &uploader{engine: e, parallel: o.parallel, keyID: keyID, out: stderr}
	for i, j := range jobs {
		s, err := u.run(ctx, j)
		if errors.Is(err, engine.ErrInvalidObjectName) {
			return cli.Usagef("-key %q: %v", j.key, err)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", j.path, err)
		}
		if err := s.write(stdout, o.json, i > 0); err != nil {
			return err
		}
	}
	return nil
}

// An uploader uploads files into the bucket and verifies what has become of them.
type uploader struct {
	engine   *engine.Engine
	parallel int
	keyID    string // encrypt, and under this key; "" for not
	out      *console
}

// run uploads one file and verifies the object.
func (u *uploader) run(ctx context.Context, j job) (_ *summary, err error) {
	f, err := os.Open(j.path)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	watch := watchMemory()
	s := &summary{File: j.path, Bucket: bucket, Key: j.key, KeyID: u.keyID}
	err = u.uploadAndVerify(ctx, j, f, s)
	s.Memory = watch.stop()
	return s, err
}

func (u *uploader) uploadAndVerify(ctx context.Context, j job, f io.ReaderAt, s *summary) error {
	before, err := u.settle(ctx)
	if err != nil {
		return err
	}
	up, err := u.upload(ctx, j, f)
	if err != nil {
		return err
	}
	s.countUpload(j.plan, up, before)
	v := &verifier{engine: u.engine, job: j, file: f, up: up, encryption: u.encryption(), out: u.out}
	down, err := v.verify(ctx)
	if err != nil {
		return fmt.Errorf("not verified: %w", err)
	}
	s.countDown(down)
	return nil
}

// encryption is what Initiate is asked for.
func (u *uploader) encryption() string {
	if u.keyID == "" {
		return ""
	}
	return algorithm
}

// settle lets the store finish what earlier deletions left to do, which would show in the
// differences, and counts what it holds.
func (u *uploader) settle(ctx context.Context) (*engine.StatsResult, error) {
	if _, err := u.engine.Reclaim(ctx, &engine.ReclaimRequest{}); err != nil {
		return nil, err
	}
	return u.engine.Stats(ctx, &engine.StatsRequest{})
}

// all reads a file from its beginning to whatever its end is by then.
func all(f io.ReaderAt) io.Reader { return io.NewSectionReader(f, 0, math.MaxInt64) }
