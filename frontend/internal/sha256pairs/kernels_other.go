//go:build !amd64 || purego

package sha256pairs

// Without kernels no message is made.
const supported = false

func hashOne(*[8]uint32, *byte, int)             { panic("sha256pairs: no kernel") }
func hashTwo(_, _ *[8]uint32, _, _ *byte, _ int) { panic("sha256pairs: no kernel") }
