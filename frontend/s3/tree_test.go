package s3_test

import (
	"bytes"
	"fmt"
	"io/fs"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gabion-storage/gabion/frontend/access"
	"github.com/gabion-storage/gabion/frontend/internal/clients"
)

// A tool is a command of another project that is to bring a tree to the service and back.
type tool struct {
	name string
	t    *testing.T
	env  []string
	args []string // of each of its runs
	runs int
}

// newTool finds a command, and skips the test without it, unless all clients must be there. Nothing
// of the user's own configuration counts.
func newTool(t *testing.T, name string) *tool {
	t.Helper()
	clients.Need(t)
	if _, err := exec.LookPath(name); err != nil {
		if os.Getenv("GABION_CLIENTS") == "all" {
			t.Fatal(err)
		}
		t.Skipf("needs %s", name)
	}
	return &tool{name: name, t: t, env: []string{"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir()}}
}

// run runs the command, and returns what it says.
func (c *tool) run(args ...string) string {
	c.t.Helper()
	c.runs++
	cmd := exec.CommandContext(c.t.Context(), c.name, append(args, c.args...)...)
	cmd.Env = c.env
	out, err := cmd.CombinedOutput()
	if err != nil {
		c.t.Fatalf("%s %q: %v\n%s", c.name, args, err, out)
	}
	return string(out)
}

// finish says how much was done.
func (c *tool) finish() { c.t.Logf("%s: %d runs passed", c.name, c.runs) }

// TestRclone syncs a tree up and down by rclone, which compares checksums.
func TestRclone(t *testing.T) {
	rclone := newTool(t, "rclone")
	server := serve(t, diskEngine(t), access.Options{}, httptest.NewServer)
	rclone.env = append(rclone.env, "RCLONE_CONFIG_GABION_TYPE=s3", "RCLONE_CONFIG_GABION_PROVIDER=Other",
		"RCLONE_CONFIG_GABION_ENDPOINT="+server.URL, "RCLONE_CONFIG_GABION_ACCESS_KEY_ID="+accessKey,
		"RCLONE_CONFIG_GABION_SECRET_ACCESS_KEY="+secretKey, "RCLONE_S3_UPLOAD_CUTOFF=8M", "RCLONE_S3_CHUNK_SIZE=5M")
	up, down := makeTree(t), t.TempDir()
	rclone.run("mkdir", "gabion:tree")
	for range 2 {
		rclone.run("sync", up, "gabion:tree")
		rclone.run("check", up, "gabion:tree")
		rclone.run("check", "--download", up, "gabion:tree")
		rclone.run("sync", "gabion:tree", down)
		sameTree(t, up, down)
		changeTree(t, up)
	}
	rclone.run("copyto", "gabion:tree/big", "gabion:tree/copied") // on the server
	rclone.run("moveto", "gabion:tree/copied", "gabion:tree/moved")
	if got := rclone.run("lsf", "--format", "ps", "gabion:tree/moved"); !strings.HasSuffix(got, fmt.Sprintf("moved;%d\n", bigFile)) {
		t.Errorf("lsf: %q", got)
	}
	rclone.run("purge", "gabion:tree")
	rclone.finish()
}

// TestS3cmd syncs a tree up and down by s3cmd, which compares MD5s.
func TestS3cmd(t *testing.T) {
	s3cmd := newTool(t, "s3cmd")
	server := serve(t, diskEngine(t), access.Options{}, httptest.NewServer)
	host := strings.TrimPrefix(server.URL, "http://")
	s3cmd.args = []string{"--host=" + host, "--host-bucket=" + host, "--no-ssl", "--access_key=" + accessKey,
		"--secret_key=" + secretKey, "--multipart-chunk-size-mb=5", "--no-progress"}
	up, down := makeTree(t), t.TempDir()
	s3cmd.run("mb", "s3://tree")
	for range 2 {
		s3cmd.run("sync", "--delete-removed", up+"/", "s3://tree/")
		s3cmd.run("sync", "--delete-removed", "s3://tree/", down+"/")
		sameTree(t, up, down)
		changeTree(t, up)
	}
	s3cmd.run("cp", "s3://tree/big", "s3://tree/copied")
	s3cmd.run("mv", "s3://tree/copied", "s3://tree/moved")
	s3cmd.run("modify", "--add-header=x-amz-meta-a:b", "s3://tree/moved")
	if got := s3cmd.run("info", "s3://tree/moved"); !strings.Contains(got, "x-amz-meta-a: b") {
		t.Errorf("info: %s", got)
	}
	s3cmd.run("info", "s3://tree")
	s3cmd.run("rb", "--recursive", "--force", "s3://tree")
	s3cmd.finish()
}

// TestAWSCLI syncs a tree up and down by aws, and reads an object by a URL that it has signed.
func TestAWSCLI(t *testing.T) {
	aws := newTool(t, "aws")
	server := serve(t, diskEngine(t), access.Options{}, httptest.NewServer)
	config := t.TempDir()
	write(t, config, "config", []byte("[default]\nregion = us-east-1\ns3 =\n  signature_version = s3v4\n"))
	aws.env = append(aws.env, "AWS_ACCESS_KEY_ID="+accessKey, "AWS_SECRET_ACCESS_KEY="+secretKey,
		"AWS_CONFIG_FILE="+filepath.Join(config, "config"))
	aws.args = []string{"--endpoint-url", server.URL}
	up, down := makeTree(t), t.TempDir()
	aws.run("s3", "mb", "s3://tree")
	for range 2 {
		aws.run("s3", "sync", "--delete", "--sse", "AES256", up, "s3://tree")
		aws.run("s3", "sync", "--delete", "--exact-timestamps", "s3://tree", down)
		sameTree(t, up, down)
		changeTree(t, up)
	}
	aws.run("s3", "cp", "s3://tree/big", "s3://tree/copied")
	aws.run("s3", "mv", "s3://tree/copied", "s3://tree/moved")
	signed := strings.TrimSpace(aws.run("s3", "presign", "s3://tree/moved"))
	res, err := server.Client().Get(signed)
	if err != nil || res.StatusCode != 200 || res.ContentLength != bigFile {
		t.Errorf("GET %s: %+v, %v", signed, res, err)
	} else {
		res.Body.Close()
	}
	aws.run("s3api", "put-object", "--bucket", "tree", "--key", "summed", "--body", filepath.Join(up, "big"), "--checksum-algorithm", "SHA256")
	aws.run("s3api", "get-object", "--bucket", "tree", "--key", "summed", "--checksum-mode", "ENABLED", filepath.Join(down, "summed"))
	aws.run("s3", "rb", "--force", "s3://tree")
	aws.finish()
}

const bigFile = 21<<20 + 1

// makeTree makes files of many sizes, with names that have to be escaped, in directories.
func makeTree(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	write(t, dir, "big", random(1, bigFile))
	write(t, dir, "one", []byte{1})
	write(t, dir, "a dir/b+c%20/ü (1)", random(2, 100_000))
	write(t, dir, "a dir/&=?#;:@,", random(3, 5<<20))
	for i := range 30 {
		write(t, dir, fmt.Sprintf("many/%d", i), fmt.Appendf(nil, "file %d", i))
	}
	return dir
}

// changeTree changes a file in its size and one in its content, adds one, and removes some.
func changeTree(t *testing.T, dir string) {
	t.Helper()
	write(t, dir, "one", []byte("two"))
	write(t, dir, "a dir/&=?#;:@,", random(4, 6<<20))
	write(t, dir, "new/file", random(5, 9<<20))
	for i := range 10 {
		if err := os.Remove(filepath.Join(dir, "many", fmt.Sprint(i))); err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
	}
}

func write(t *testing.T, dir, name string, content []byte) {
	t.Helper()
	path := filepath.Join(dir, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
}

// sameTree demands that two directories have the same files.
func sameTree(t *testing.T, a, b string) {
	t.Helper()
	for _, pair := range [][2]string{{a, b}, {b, a}} {
		err := fs.WalkDir(os.DirFS(pair[0]), ".", func(name string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			want, err := os.ReadFile(filepath.Join(pair[0], name))
			if err != nil {
				return err
			}
			if got, err := os.ReadFile(filepath.Join(pair[1], name)); err != nil || !bytes.Equal(got, want) {
				t.Errorf("%s: %d bytes in %s, %d in %s, %v", name, len(want), pair[0], len(got), pair[1], err)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}
