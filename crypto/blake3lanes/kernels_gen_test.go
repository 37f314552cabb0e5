package blake3lanes_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"
)

// runtimeRegisters are those that assembly must leave to the runtime.
var runtimeRegisters = regexp.MustCompile(`\b(BP|SP|R14|R15)\b`)

func TestAssemblyIsCurrent(t *testing.T) {
	tool, err := exec.LookPath("go")
	if err != nil {
		t.Skip(err)
	}
	const name = "kernels_amd64.s"
	fresh := t.TempDir()
	if out, err := exec.Command(tool, "run", "kernels_gen.go", "-dir", fresh).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	want, err := os.ReadFile(filepath.Join(fresh, name))
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s is not what the generator writes: run go generate ./crypto/blake3lanes", name)
	}
	if found := runtimeRegisters.Find(got); found != nil {
		t.Errorf("%s: the kernel uses %s, which is not ours", name, found)
	}
}
