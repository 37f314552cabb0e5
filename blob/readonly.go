//go:build !windows

package blob

// canReadOnly says whether Badger can open a database read-only on this platform.
const canReadOnly = true
