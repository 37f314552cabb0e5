//go:build !amd64 || purego

package md5lanes

// kernels are none.
var kernels []kernel
