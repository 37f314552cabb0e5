package md5lanes_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"
)

// runtimeRegisters are those that assembly must leave to the runtime, the assembler or the system.
var runtimeRegisters = map[string]*regexp.Regexp{
	"kernels_amd64.s": regexp.MustCompile(`\b(BP|SP)\b`),
	"kernels_arm64.s": regexp.MustCompile(`\b(RSP|g|R18|R2[789]|R30)\b`),
}

func TestAssemblyIsCurrent(t *testing.T) {
	tool, err := exec.LookPath("go")
	if err != nil {
		t.Skip(err)
	}
	fresh := t.TempDir()
	generate := exec.Command(
		tool, "run", "kernels_gen.go", "kernels_gen_avx.go", "kernels_gen_neon.go", "-dir", fresh,
	)
	if out, err := generate.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for name, registers := range runtimeRegisters {
		want, err := os.ReadFile(filepath.Join(fresh, name))
		if err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%s is not what the generator writes: run go generate ./crypto/md5lanes", name)
		}
		if found := registers.Find(got); found != nil {
			t.Errorf("%s: a kernel uses %s, which is not ours", name, found)
		}
	}
}
