package crypto_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"
)

func TestMD5AssemblyIsCurrent(t *testing.T) {
	tool, err := exec.LookPath("go")
	if err != nil {
		t.Skip(err)
	}
	fresh := filepath.Join(t.TempDir(), "md5_amd64.s")
	if out, err := exec.Command(tool, "run", "md5_gen.go", "-out", fresh).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	want, err := os.ReadFile(fresh)
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile("md5_amd64.s")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Error("md5_amd64.s is not what md5_gen.go writes: run go generate ./crypto")
	}
	if found := regexp.MustCompile(`\b(BP|SP)\b`).Find(got); found != nil {
		t.Errorf("a kernel uses %s, which is the runtime's", found)
	}
}
