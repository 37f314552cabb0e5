package disk

import "io/fs"

// OthersRead is always false here: access is a matter of lists that modes say nothing about.
func OthersRead(fs.FileInfo) bool { return false }

// OthersWrite is always false here: see OthersRead.
func OthersWrite(fs.FileInfo) bool { return false }
