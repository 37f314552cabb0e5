package md5lanes_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"
)

func TestAssemblyIsCurrent(t *testing.T) {
	tool, err := exec.LookPath("go")
	if err != nil {
		t.Skip(err)
	}
	fresh := filepath.Join(t.TempDir(), "kernels_amd64.s")
	generate := exec.Command(tool, "run", "kernels_gen.go", "-out", fresh)
	if out, err := generate.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	want, err := os.ReadFile(fresh)
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile("kernels_amd64.s")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Error("kernels_amd64.s is not what kernels_gen.go writes: run go generate ./crypto/md5lanes")
	}
	if found := regexp.MustCompile(`\b(BP|SP)\b`).Find(got); found != nil {
		t.Errorf("a kernel uses %s, which is the runtime's", found)
	}
}
