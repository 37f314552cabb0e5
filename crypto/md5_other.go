//go:build !amd64 || purego

package crypto

// md5Kernels are none.
var md5Kernels []md5Kernel
