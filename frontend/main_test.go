package main

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/aliyun/alibabacloud-oss-go-sdk-v2/oss"
	"github.com/aliyun/alibabacloud-oss-go-sdk-v2/oss/credentials"

	"github.com/gabion-storage/gabion/frontend/access"
)

// asCommand, in the environment of the test binary, makes it the command.
const asCommand = "GABION_FRONTEND_COMMAND"

func TestMain(m *testing.M) {
	if os.Getenv(asCommand) != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

// newCommand is the command over a directory, at any free ports.
func newCommand(t *testing.T, dir string) *exec.Cmd {
	t.Helper()
	path, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(path, "-dir", dir, "-oss", ":0", "-s3", ":0")
	cmd.Env = append(os.Environ(), asCommand+"=1")
	return cmd
}

// A process is the command, running.
type process struct {
	*exec.Cmd
	oss, s3 string // where it serves
	stderr  bytes.Buffer
}

var servesAt = regexp.MustCompile(`^(OSS|S3) is at (http://127\.0\.0\.1:\d+)$`)

// startCommand starts the command over a directory, and waits until it serves.
func startCommand(t *testing.T, dir string) *process {
	t.Helper()
	p := &process{Cmd: newCommand(t, dir)}
	p.Cmd.Stderr = &p.stderr
	stdout, err := p.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if p.ProcessState == nil {
			_ = p.Process.Kill()
			_ = p.Wait()
		}
	})
	lines := bufio.NewScanner(stdout)
	for p.s3 == "" && lines.Scan() {
		switch m := servesAt.FindStringSubmatch(lines.Text()); {
		case m == nil:
		case m[1] == "OSS":
			p.oss = m[2]
		default:
			p.s3 = m[2]
		}
	}
	if p.s3 == "" {
		t.Fatalf("it does not serve: %s", p.stderr.String())
	}
	go func() { _, _ = io.Copy(io.Discard, stdout) }()
	return p
}

// client is the SDK, with the command's key, and with each request going through seen.
func (p *process) client(
	t *testing.T, dir string, seen func(*http.Request, *http.Response),
) *oss.Client {
	t.Helper()
	keys, err := access.LoadKeys(filepath.Join(dir, "keys"))
	if err != nil {
		t.Fatal(err)
	}
	config := oss.LoadDefaultConfig().WithEndpoint(p.oss).WithRegion("local").
		WithUsePathStyle(true).WithRetryMaxAttempts(1).
		WithHttpClient(&http.Client{Transport: watched(seen)})
	for accessKey, secret := range keys {
		config.WithCredentialsProvider(
			credentials.NewStaticCredentialsProvider(accessKey, secret))
	}
	return oss.NewClient(config)
}

// watched is a transport that shows what goes through it.
type watched func(*http.Request, *http.Response)

func (see watched) RoundTrip(r *http.Request) (*http.Response, error) {
	a, err := http.DefaultTransport.RoundTrip(r)
	if err == nil && see != nil {
		see(r, a)
	}
	return a, err
}

// partStored is the number of the part that an exchange has stored, "" if it has none.
func partStored(r *http.Request, a *http.Response) string {
	if r.Method != "PUT" || a.StatusCode != 200 {
		return ""
	}
	return r.URL.Query().Get("partNumber")
}

// partsOf are the numbers of the parts of all uploads to a bucket.
func partsOf(t *testing.T, client *oss.Client, bucket string) map[string]bool {
	t.Helper()
	uploads, err := client.ListMultipartUploads(t.Context(),
		&oss.ListMultipartUploadsRequest{Bucket: &bucket})
	if err != nil {
		t.Fatal(err)
	}
	numbers := map[string]bool{}
	for _, u := range uploads.Uploads {
		parts, err := client.ListParts(t.Context(),
			&oss.ListPartsRequest{Bucket: &bucket, Key: u.Key, UploadId: u.UploadId})
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range parts.Parts {
			numbers[strconv.Itoa(int(p.PartNumber))] = true
		}
	}
	return numbers
}

// The server is killed in the middle of an SDK's resumable upload, and started again: what it has
// acknowledged is there, the upload goes on, and what comes out is what went in.
func TestAnUploadGoesOnAfterKill(t *testing.T) {
	const partSize, parts, before = 256 << 10, 40, 8
	content := make([]byte, parts*partSize-1000)
	_, _ = rand.NewChaCha8([32]byte{1}).Read(content) // never fails
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, content, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, encryption := range []string{"", "AES256", "KMS"} {
		t.Run("encryption "+encryption, func(t *testing.T) {
			dir, checkpoints, bucket := t.TempDir(), t.TempDir(), "photos"
			put := &oss.PutObjectRequest{Bucket: &bucket, Key: oss.Ptr("big")}
			if encryption != "" {
				put.ServerSideEncryption = &encryption
			}
			upload := func(client *oss.Client) error {
				u := client.NewUploader(func(o *oss.UploaderOptions) {
					o.PartSize, o.ParallelNum = partSize, 3
					o.EnableCheckpoint, o.CheckpointDir = true, checkpoints
				})
				_, err := u.UploadFile(t.Context(), put, file)
				return err
			}

			p := startCommand(t, dir)
			var stored sync.Map
			var count atomic.Int64
			client := p.client(t, dir, func(r *http.Request, a *http.Response) {
				if number := partStored(r, a); number != "" {
					stored.Store(number, true)
					if count.Add(1) == before {
						_ = p.Process.Kill()
					}
				}
			})
			_, err := client.PutBucket(t.Context(), &oss.PutBucketRequest{Bucket: &bucket})
			if err != nil {
				t.Fatal(err)
			}
			if err := upload(client); err == nil {
				t.Fatal("the upload ended well, without a server")
			}
			_ = p.Wait() // says that it was killed

			p = startCommand(t, dir)
			client = p.client(t, dir, func(r *http.Request, a *http.Response) {
				number := partStored(r, a)
				if _, was := stored.Load(number); was && number == "1" {
					t.Error("the upload began anew")
				}
			})
			there := partsOf(t, client, bucket)
			stored.Range(func(number, _ any) bool {
				if !there[number.(string)] {
					t.Errorf("part %s was acknowledged and is lost", number)
				}
				return true
			})
			if err := upload(client); err != nil {
				t.Fatal(err)
			}
			got, err := client.GetObject(t.Context(), &oss.GetObjectRequest{
				Bucket: &bucket, Key: put.Key,
			})
			if err != nil {
				t.Fatal(err)
			}
			defer got.Body.Close()
			read, err := io.ReadAll(got.Body)
			if err != nil || !bytes.Equal(read, content) {
				t.Errorf("%d bytes came back, of %d: %v", len(read), len(content), err)
			}
			if said := oss.ToString(got.ServerSideEncryption); said != encryption {
				t.Errorf("encryption %q", said)
			}
		})
	}
}

func TestAWrongSecretIsRefused(t *testing.T) {
	dir := t.TempDir()
	p := startCommand(t, dir)
	client := p.client(t, dir, nil)
	if _, err := client.ListBuckets(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	keys, err := access.LoadKeys(filepath.Join(dir, "keys"))
	if err != nil {
		t.Fatal(err)
	}
	for accessKey := range keys {
		wrong := oss.NewClient(oss.LoadDefaultConfig().WithEndpoint(p.oss).WithRegion("local").
			WithUsePathStyle(true).WithCredentialsProvider(
			credentials.NewStaticCredentialsProvider(accessKey, "wrong")))
		_, err = wrong.ListBuckets(t.Context(), nil)
	}
	var refused *oss.ServiceError
	if !errors.As(err, &refused) || refused.Code != "SignatureDoesNotMatch" {
		t.Error(err)
	}
}

func TestTheCommandEndsWhenItIsAskedTo(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("it has no SIGTERM")
	}
	dir := t.TempDir()
	for range 2 { // the second time everything is there
		p := startCommand(t, dir)
		if err := p.Process.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		if err := p.Wait(); err != nil {
			t.Errorf("%v: %s", err, p.stderr.String())
		}
	}
}

func TestASecondCommandIsRefused(t *testing.T) {
	dir := t.TempDir()
	startCommand(t, dir)
	out, err := newCommand(t, dir).CombinedOutput()
	if err == nil || !strings.Contains(string(out), "in use") {
		t.Errorf("%v: %s", err, out)
	}
}

func TestAnAddressWithoutHostIsLoopback(t *testing.T) {
	for addr, want := range map[string]bool{
		":0": true, "127.0.0.1:0": true, "0.0.0.0:0": false,
	} {
		l, err := (&command{}).listen(addr)
		if err != nil {
			t.Fatal(err)
		}
		if got := l.Addr().(*net.TCPAddr).IP.IsLoopback(); got != want {
			t.Errorf("%s listens at %s", addr, l.Addr())
		}
		l.Close()
	}
}
