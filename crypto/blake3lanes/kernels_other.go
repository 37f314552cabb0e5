//go:build !amd64 || purego

package blake3lanes

// kernel is none.
var kernel func(l *lanes, data *byte, blocks int)
