package s3_test

import (
	"fmt"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/gabion-storage/gabion/frontend/access"
	"github.com/gabion-storage/gabion/frontend/internal/clients"
)

// minioGo is the client whose functional tests are run.
const minioGo = "github.com/minio/minio-go/v7@v7.4.1"

// minioEdits are what is changed in the tests: how they are started, and the signature of those that sign
// by the old version 2.
var minioEdits = [][2]string{
	{"//go:build mint\n", ""},
	{"\nfunc main() {", "\nfunc all() {"},
	{"credentials.NewStaticV2(", "credentials.NewStaticV4("},
}

// TestMinioGo runs the functional tests of minio-go, each as a process of its own. Those that are
// not run are in testdata, each with what NOT-OFFERED.md says.
func TestMinioGo(t *testing.T) {
	clients.Need(t)
	program, names := buildMinioGo(t)
	server := serve(t, diskEngine(t), access.Options{}, httptest.NewTLSServer)
	env := append(os.Environ(), "SERVER_ENDPOINT="+strings.TrimPrefix(server.URL, "https://"),
		"ACCESS_KEY="+accessKey, "SECRET_KEY="+secretKey, "ENABLE_HTTPS=1", "SKIP_CERT_VALIDATION=1",
		"SERVER_REGION=us-east-1", "MINT_MODE=full")
	dir := t.TempDir()
	suite := clients.Suite{
		Client: minioGo, Names: names, Excluded: "testdata/minio-go-excluded.txt",
		Command: func(t *testing.T, _ int, name string) *exec.Cmd {
			run := exec.CommandContext(t.Context(), program, name)
			run.Dir, run.Env = dir, env
			return run
		},
		Passed: func(_ string, out []byte) bool { return !elsePassed.Match(out) },
	}
	suite.Test(t)
}

// elsePassed matches what a test says if it has not passed: that it failed, or that an operation or a
// checksum is not there.
var elsePassed = regexp.MustCompile(`\bstatus=(FAIL|NA)`)

// buildMinioGo builds the functional tests aside, with a main that runs the one that it is told.
func buildMinioGo(t *testing.T) (suite string, names []string) {
	t.Helper()
	dir := clients.CopyModule(t, minioGo)
	aside := filepath.Join(dir, "functional")
	if err := os.Mkdir(aside, 0o700); err != nil {
		t.Fatal(err)
	}
	tests := filepath.Join(aside, "tests.go")
	if err := os.Rename(filepath.Join(dir, "functional_tests.go"), tests); err != nil {
		t.Fatal(err)
	}
	source := clients.Edit(t, tests, minioEdits)
	main := "package main\n\nimport \"os\"\n\nfunc main() {\n\tswitch os.Args[1] {\n"
	for _, m := range regexp.MustCompile(`(?m)^func (test\w+)\(\) {`).FindAllSubmatch(source, -1) {
		names = append(names, string(m[1]))
		main += fmt.Sprintf("\tcase %q:\n\t\t%s()\n", m[1], m[1])
	}
	main += "\tdefault:\n\t\tos.Exit(3)\n\t}\n}\n"
	if err := os.WriteFile(filepath.Join(aside, "main.go"), []byte(main), 0o600); err != nil {
		t.Fatal(err)
	}
	suite = filepath.Join(dir, "suite")
	clients.Run(t, dir, "go", "build", "-o", suite, "./functional")
	return suite, names
}
