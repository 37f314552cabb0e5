package report

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
)

// Machine tells what a measurement ran on. What the system does not tell is empty.
type Machine struct {
	OS         string `json:"os"`
	Arch       string `json:"arch"`
	CPU        string `json:"cpu,omitempty"` // its model
	CPUs       int    `json:"cpus"`          // that the process may use
	Kernel     string `json:"kernel,omitempty"`
	FileSystem string `json:"file_system,omitempty"` // its type
	Go         string `json:"go"`
}

// ThisMachine describes this machine. dir is where files are measured; "" for measurements without.
func ThisMachine(dir string) Machine {
	m := Machine{OS: runtime.GOOS, Arch: runtime.GOARCH, CPUs: runtime.GOMAXPROCS(0), Go: runtime.Version()}
	if info, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		m.CPU = cpuModel(string(info))
	}
	if release, err := os.ReadFile("/proc/sys/kernel/osrelease"); err == nil {
		m.Kernel = strings.TrimSpace(string(release))
	}
	if dir != "" {
		m.FileSystem = fileSystem(dir)
	}
	return m
}

// String returns one line.
func (m Machine) String() string {
	fields := []string{m.OS + "/" + m.Arch, fmt.Sprintf("%d CPUs", m.CPUs)}
	if m.CPUs == 1 {
		fields[1] = "1 CPU"
	}
	kernel := m.Kernel
	if kernel != "" {
		kernel = "kernel " + kernel
	}
	for _, field := range []string{m.CPU, kernel, m.FileSystem, m.Go} {
		if field != "" {
			fields = append(fields, field)
		}
	}
	return strings.Join(fields, ", ")
}

// cpuModel returns the model name in the text of /proc/cpuinfo, "" when there is none.
func cpuModel(info string) string {
	for line := range strings.Lines(info) {
		if name, model, found := strings.Cut(line, ":"); found && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(model)
		}
	}
	return ""
}

// fileSystem returns the type of the file system that holds dir, "" when the system does not tell.
func fileSystem(dir string) string {
	mounts, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		return ""
	}
	if dir, err = filepath.Abs(dir); err != nil {
		return ""
	}
	if real, err := filepath.EvalSymlinks(dir); err == nil {
		dir = real
	}
	return mountType(string(mounts), dir)
}

// mountType returns the type of the mount that holds dir, an absolute path, in the text of
// /proc/self/mounts. Of several on one place the last one hides the others.
func mountType(mounts, dir string) (kind string) {
	longest := -1
	for line := range strings.Lines(mounts) {
		fields := strings.Fields(line)
		if len(fields) < 3 {
			continue
		}
		point := strings.ReplaceAll(fields[1], `\040`, " ")
		if rel, err := filepath.Rel(point, dir); err != nil || !filepath.IsLocal(rel) {
			continue
		}
		if len(point) >= longest {
			longest, kind = len(point), fields[2]
		}
	}
	return kind
}
