//go:build (!amd64 && !arm64) || purego

package md5lanes

// kernels are none.
var kernels []kernel
