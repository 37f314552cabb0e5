package oss_test

import (
	"cmp"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/gabion-storage/gabion/frontend/internal/clients"
	"github.com/gabion-storage/gabion/frontend/oss"
)

// TestOssutilSuite runs ossutil's own tests of buckets, objects and uploads. They delete each
// other's buckets, so each lane has a directory and a service of its own. Now and then one fails
// whatever the service does: rm writes to a map that its goroutines read, and Go ends the process for
// that; the progress is compared with what is still counted. So each may be tried three times.
func TestOssutilSuite(t *testing.T) {
	clients.Need(t)
	module := clients.CopyModule(t, clients.OssutilModule)
	prepareOssutil(t, filepath.Join(module, "lib", "command_test.go"))
	clients.Run(t, module, "go", "test", "-mod=mod", "-c", "-o", "suite", "./lib")

	const lanes = 4
	var dirs, endpoints [lanes]string
	for lane := range lanes {
		dirs[lane], endpoints[lane] = t.TempDir(), serve(t)
		write(t, filepath.Join(dirs[lane], "cp_test.go"), "a file that one of the tests looks for")
	}
	var names []string
	for _, file := range []string{
		"allpart_size", "cat", "cp", "du", "listpart", "ls", "mb", "mkdir", "monitor",
		"object_tagging", "rm", "set_acl", "set_meta", "signurl", "stat", "sync",
	} {
		names = append(names, testsIn(t, filepath.Join(module, "lib", file+"_test.go"),
			`(?m)^func \(s \*(OssutilCommandSuite)\) (Test\w+)\(`, ".")...)
	}
	suite := clients.Suite{
		Client: clients.OssutilModule, Excluded: "testdata/ossutil-excluded.txt",
		Names: names, Lanes: lanes, Tries: 3,
		Command: func(t *testing.T, lane int, name string) *exec.Cmd {
			pattern := "^(" + regexp.QuoteMeta(name) + ossutilBefore[name] + ")$"
			run := exec.CommandContext(
				t.Context(), filepath.Join(module, "suite"), "-check.vv", "-check.f", pattern,
			)
			run.Dir = dirs[lane]
			run.Env = append(sdkEnvironment(endpoints[lane]), "HOME="+dirs[lane],
				"OSS_TEST_PAYER_ACCESS_KEY_ID="+accessKey,
				"OSS_TEST_PAYER_ACCESS_KEY_SECRET="+secret, "OSS_TEST_PAYER_UID=gabion",
			)
			run.Stdin = strings.NewReader(cmp.Or(ossutilAnswers[name], "?\n"))
			return run
		},
		Passed: func(name string, out []byte) bool {
			return regexp.MustCompile("(?m)^PASS: .*: " + regexp.QuoteMeta(name) + "\t").Match(out)
		},
	}
	suite.Test(t)
}

// ossutilAnswers are what is said to tests that ask, where it matters. "?" is neither yes nor no.
var ossutilAnswers = map[string]string{
	"OssutilCommandSuite.TestSetObjectMetaObjectFile": "y\nn\n",
}

// ossutilBefore are the tests that need what another one leaves behind, which runs before them.
var ossutilBefore = map[string]string{
	"OssutilCommandSuite.TestCPFunction":             `|OssutilCommandSuite\.TestBatchCPObject`,
	"OssutilCommandSuite.TestCopyFunction":           `|OssutilCommandSuite\.TestBatchCPObject`,
	"OssutilCommandSuite.TestErrDeleteObject":        `|OssutilCommandSuite\.TestBatchCPObject`,
	"OssutilCommandSuite.TestMultipartUpload_Prefix": `|OssutilCommandSuite\.TestBatchCPObject`,
	"OssutilCommandSuite.TestRemoveUploadIdProgress": `|OssutilCommandSuite\.TestBatchCPObject`,
	"OssutilCommandSuite.TestResumeDownloadRetry":    `|OssutilCommandSuite\.TestBatchCPObject`,
}

// prepareOssutil has the tests set no policy, which they need for those who pay alone; wait for
// nothing; and find buckets in a list by where these are, which is not part of the endpoint.
func prepareOssutil(t *testing.T, path string) {
	t.Helper()
	edit(t, path, "s.putBucketPolicy(payerBucket, policy, c)", "_ = policy")
	edit(t, path, "= time.Second\n", "= 0 * time.Second\n")
	edit(t, filepath.Join(filepath.Dir(path), "sync_test.go"), "time.Second * 240", "time.Second")
	edit(t, path, "strings.Contains(str, shortEndpoint)",
		`shortEndpoint != "" && strings.Contains(str, "oss-`+oss.DefaultRegion+`")`)
}
