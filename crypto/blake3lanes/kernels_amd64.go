//go:build !purego

package blake3lanes

import "golang.org/x/sys/cpu"

// kernel is nil where the CPU has none.
var kernel = func() func(l *lanes, data *byte, blocks int) {
	if cpu.X86.HasAVX512F {
		return avx512
	}
	return nil
}()

//go:noescape
func avx512(l *lanes, data *byte, blocks int)
