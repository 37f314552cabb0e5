package oss_test

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/gabion-storage/gabion/engine"
	"github.com/gabion-storage/gabion/frontend/access"
	"github.com/gabion-storage/gabion/frontend/internal/clients"
	"github.com/gabion-storage/gabion/frontend/oss"
)

// The one client that is known.
const accessKey, secret = "LTAIexample", "exampleSecret"

// serve serves an engine in memory over loopback, to who signs with the key, and returns where.
func serve(t *testing.T) (endpoint string) {
	t.Helper()
	server := httptest.NewServer(clients.Serve(t, memoryEngine(t), func(e *engine.Engine) http.Handler {
		return oss.New(e, &oss.Options{Access: access.Options{Keys: access.StaticKeys{accessKey: secret}}})
	}))
	t.Cleanup(server.Close)
	return server.URL
}

// sdkEnvironment tells the tests of either SDK for Go where they find what they test.
func sdkEnvironment(endpoint string) []string {
	return append(os.Environ(),
		"OSS_TEST_ENDPOINT="+endpoint, "OSS_TEST_REGION="+oss.DefaultRegion,
		"OSS_TEST_ACCESS_KEY_ID="+accessKey, "OSS_TEST_ACCESS_KEY_SECRET="+secret,
		"OSS_TEST_ACCOUNT_ID=gabion", "OSS_TEST_RAM_UID=gabion",
	)
}

// TestGoSDKv2 runs the integration tests of alibabacloud-oss-go-sdk-v2.
func TestGoSDKv2(t *testing.T) {
	clients.Need(t)
	const client = "github.com/aliyun/alibabacloud-oss-go-sdk-v2@v1.6.1"
	dir := filepath.Join(clients.CopyModule(t, client), "oss")
	clients.Run(t, dir, "go", "test", "-c", "-tags", "integration", "-o", "suite")
	env := sdkEnvironment(serve(t))
	suite := clients.Suite{
		Client: client, Excluded: "testdata/go-sdk-v2-excluded.txt",
		Names: testsIn(t, filepath.Join(dir, "client_integration_*_test.go"), `(?m)^func (Test)(\w+)\(`, ""),
		Command: func(t *testing.T, _ int, name string) *exec.Cmd {
			run := exec.CommandContext(t.Context(), "./suite", "-test.v", "-test.run", "^"+name+"$")
			run.Dir, run.Env = dir, env
			return run
		},
		Passed: func(name string, out []byte) bool {
			return bytes.Contains(out, []byte("--- PASS: "+name))
		},
	}
	suite.Test(t)
}

// TestGoSDKv1 runs the tests of aliyun-oss-go-sdk, but for those that need no server and those of
// SQL and live channels.
func TestGoSDKv1(t *testing.T) {
	clients.Need(t)
	const client = "github.com/aliyun/aliyun-oss-go-sdk@v3.0.2+incompatible"
	module := clients.CopyModule(t, client)
	prepareSDKv1(t, module)
	dir := filepath.Join(module, "oss")
	clients.Run(t, dir, "go", "test", "-mod=mod", "-c", "-o", "suite")
	env := sdkEnvironment(serve(t))
	suite := clients.Suite{
		Client: client, Excluded: "testdata/go-sdk-v1-excluded.txt",
		Names: testsIn(t, filepath.Join(dir, "*_test.go"),
			`(?m)^func \(s \*(Oss(?:Bucket|BucketMultipart|Client|Copy|Crc|Download|Progress|Upload)Suite)\) (Test\w+)\(`, "."),
		Command: func(t *testing.T, _ int, name string) *exec.Cmd {
			pattern := "^" + regexp.QuoteMeta(name) + "$"
			run := exec.CommandContext(t.Context(), "./suite", "-check.vv", "-check.f", pattern)
			run.Dir, run.Env = dir, env
			return run
		},
		Passed: func(name string, out []byte) bool {
			return regexp.MustCompile("(?m)^PASS: .*: " + regexp.QuoteMeta(name) + "\t").Match(out)
		},
	}
	suite.Test(t)
}

// prepareSDKv1 makes the copy a module, which it is not, and has its tests wait for nothing, since the
// face answers by what it has acknowledged.
func prepareSDKv1(t *testing.T, module string) {
	t.Helper()
	mod, err := os.ReadFile("testdata/go-sdk-v1.mod")
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(module, "go.mod"), string(mod))
	// Samples and client-side encryption need more modules; of the samples the tests want the files.
	unwanted, err := filepath.Glob(filepath.Join(module, "sample", "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"sample.go", "sample_crypto", "oss/crypto"} {
		unwanted = append(unwanted, filepath.Join(module, name))
	}
	for _, path := range unwanted {
		if err := os.RemoveAll(path); err != nil {
			t.Fatal(err)
		}
	}
	edit(t, filepath.Join(module, "oss", "client_test.go"),
		"timeoutInOperation = 3 * time.Second", "timeoutInOperation = 0 * time.Second")
}

// edit replaces a text in a file, which must have it.
func edit(t *testing.T, path, old, new string) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(text), old) {
		t.Fatalf("%s has no %q", path, old)
	}
	write(t, path, strings.ReplaceAll(string(text), old, new))
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// testsIn are the names of the tests in files: what the two groups of a pattern find.
func testsIn(t *testing.T, files, pattern, between string) (names []string) {
	t.Helper()
	paths, err := filepath.Glob(files)
	if err != nil || len(paths) == 0 {
		t.Fatalf("%s: %v, %v", files, paths, err)
	}
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile(pattern).FindAllStringSubmatch(string(text), -1) {
			names = append(names, m[1]+between+m[2])
		}
	}
	return names
}

// TestAliOSS runs a session of ali-oss, the SDK for JavaScript.
func TestAliOSS(t *testing.T) {
	clients.Need(t)
	const client = "ali-oss@6.23.0"
	for _, program := range []string{"node", "npm"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skip("needs node and npm")
		}
	}
	dir := t.TempDir()
	clients.Run(t, dir, "npm", "install", "--no-audit", "--no-fund", client)
	session, err := os.ReadFile("testdata/ali-oss.mjs")
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "session.mjs"), string(session))
	run := exec.CommandContext(t.Context(), "node", "session.mjs",
		// It signs no URLs of an address.
		strings.Replace(serve(t), "127.0.0.1", "localhost", 1), accessKey, secret)
	run.Dir = dir
	out, err := run.CombinedOutput()
	passed := strings.Count(string(out), "passed V")
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	t.Logf("%s: %d steps passed", client, passed)
}
