package report

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"golang.org/x/sys/cpu"
)

// Machine tells what a measurement ran on. What the system does not tell is empty.
type Machine struct {
	OS         string `json:"os"`
	Arch       string `json:"arch"`
	CPU        string `json:"cpu,omitempty"`          // its model
	SIMD       string `json:"instructions,omitempty"` // the widest that it has: "AVX-512"
	CPUs       int    `json:"cpus"`                   // that the process may use
	Kernel     string `json:"kernel,omitempty"`
	FileSystem string `json:"file_system,omitempty"` // its type
	Go         string `json:"go"`
}

// ThisMachine describes this machine. dir is where files are measured; "" for measurements without.
func ThisMachine(dir string) Machine {
	read := func(path string) string {
		text, _ := os.ReadFile(path) // none where the system does not tell
		return strings.TrimSpace(string(text))
	}
	m := Machine{
		OS: runtime.GOOS, Arch: runtime.GOARCH, CPUs: runtime.GOMAXPROCS(0), Go: runtime.Version(),
		CPU: cpuModel(read("/proc/cpuinfo")), Kernel: read("/proc/sys/kernel/osrelease"),
	}
	switch {
	case cpu.X86.HasAVX512F:
		m.SIMD = "AVX-512"
	case cpu.X86.HasAVX2:
		m.SIMD = "AVX2"
	case cpu.ARM64.HasSVE:
		m.SIMD = "SVE"
	case cpu.ARM64.HasASIMD:
		m.SIMD = "NEON"
	}
	if dir != "" {
		if real, err := filepath.EvalSymlinks(dir); err == nil {
			dir = real
		}
		dir, _ = filepath.Abs(dir) // "" without a working directory, which no mount holds
		m.FileSystem = mountType(read("/proc/self/mounts"), dir)
	}
	return m
}

// String returns one line.
func (m Machine) String() string {
	fields := []string{m.OS + "/" + m.Arch, "1 CPU"}
	if m.CPUs > 1 {
		fields[1] = fmt.Sprintf("%d CPUs", m.CPUs)
	}
	kernel := m.Kernel
	if kernel != "" {
		kernel = "kernel " + kernel
	}
	for _, field := range []string{m.CPU, m.SIMD, kernel, m.FileSystem, m.Go} {
		if field != "" {
			fields = append(fields, field)
		}
	}
	return strings.Join(fields, ", ")
}

// cpuModel returns the model name in the text of /proc/cpuinfo, "" when there is none.
func cpuModel(info string) string {
	for line := range strings.Lines(info) {
		if name, model, _ := strings.Cut(line, ":"); strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(model)
		}
	}
	return ""
}

// mountType returns the type of the mount that holds dir, an absolute path, in the text of
// /proc/self/mounts. Of several on one place the last one hides the others.
func mountType(mounts, dir string) (kind string) {
	longest := 0
	for line := range strings.Lines(mounts) {
		fields := append(strings.Fields(line), "", "", "")
		point := strings.ReplaceAll(fields[1], `\040`, " ")
		rel, err := filepath.Rel(point, dir)
		if err == nil && filepath.IsLocal(rel) && len(point) >= longest {
			longest, kind = len(point), fields[2]
		}
	}
	return kind
}
