package s3_test

import (
	"bytes"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/gabion-storage/gabion/frontend/access"
	"github.com/gabion-storage/gabion/frontend/internal/clients"
)

// versity is another server of S3, which can run its own tests against any. What they expect its authors
// have compared with S3.
const versity = "github.com/versity/versitygw@v1.8.0"

// versityEdits are texts, by file, that S3 has otherwise: full stops that it does not have; and names of
// what is wrong for which the tests want the value. What S3 says is quoted in issues of versitygw (1065,
// 2035, 2108) and others.
var versityEdits = map[string][][2]string{
	"s3err/s3err.go": {
		{`what was computed: %v", expected, actual)`, `what was computed: %v", actual, expected)`},
		{`"Access Denied."`, `"Access Denied"`},
		{`"The bucket you tried to delete is not empty."`, `"The bucket you tried to delete is not empty"`},
		{`"The specified multipart upload does not`, `"The specified upload does not`},
		{`functionality that is not implemented."`, `functionality that is not implemented"`},
		{`"The requested partnumber is not satisfiable."`, `"The requested partnumber is not satisfiable"`},
		{`"The Content-Md5 you specified is not valid."`, `"The Content-MD5 you specified was invalid."`},
		{`"The TagSet does not exist."`, `"The TagSet does not exist"`},
		{`"The bucket policy does not exist."`, `"The bucket policy does not exist"`},
		{`Lock configuration does not exist for this bucket."`, `Lock configuration does not exist for this bucket"`},
	},
	"s3err/invalid-argument.go": {
		{`between 1 and 10000, inclusive."`, `between 1 and 10000, inclusive"`},
		{`not an integer or within integer range", value)`, `not an integer or within integer range", name)`},
		{`between 0 and 2147483647", value)`, `between 0 and 2147483647", name)`},
	},
	"tests/integration/ListObjects.go": {
		{`MaxLimiter("max-keys"`, `MaxLimiter("maxKeys"`},
	},
}

// TestVersity runs them, each as a process of its own against a store of its own: every process calls its
// buckets as the others do, and leaves some. Those that are not run are in testdata, each with the reason.
func TestVersity(t *testing.T) {
	clients.Need(t)
	program := buildVersity(t)
	help, err := exec.CommandContext(t.Context(), program, "test", "--help").Output()
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, m := range regexp.MustCompile(`(?m)^ +(\w+) +Runs \w+ integration test$`).FindAllSubmatch(help, -1) {
		names = append(names, string(m[1]))
	}
	slices.Sort(names) // which the help does not
	env := slices.DeleteFunc(os.Environ(), func(v string) bool {
		return strings.HasPrefix(v, "AWS_") // which its SDK would read
	})
	suite := clients.Suite{
		Client: versity, Names: names, Excluded: "testdata/versitygw-excluded.txt", Lanes: 4,
		Command: func(t *testing.T, _ int, name string) *exec.Cmd {
			server := serve(t, memoryEngine(t), access.Options{}, httptest.NewServer)
			run := exec.CommandContext(t.Context(), program, "test",
				"-a", accessKey, "-s", secretKey, "-e", server.URL, name)
			run.Dir, run.Env = t.TempDir(), env
			return run
		},
		Passed: func(_ string, out []byte) bool { // some call themselves otherwise than the program does
			return bytes.Contains(out, []byte("PASS ")) && !bytes.Contains(out, []byte("SKIP "))
		},
	}
	suite.Test(t)
}

// buildVersity builds versitygw aside, with its tests.
func buildVersity(t *testing.T) (program string) {
	t.Helper()
	dir := clients.CopyModule(t, versity)
	for name, edits := range versityEdits {
		clients.Edit(t, filepath.Join(dir, name), edits)
	}
	program = filepath.Join(dir, "versitygw")
	clients.Run(t, dir, "go", "build", "-ldflags=-s -w", "-o", program, "./cmd/versitygw")
	return program
}
