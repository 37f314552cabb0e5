package main

import (
	"path/filepath"
	"strings"

	"github.com/gabion-storage/gabion/bench/internal/bytesize"
	"github.com/gabion-storage/gabion/bench/internal/cli"
	"github.com/gabion-storage/gabion/engine"
)

// partSizeStep is what a part size is rounded up to when it must grow.
const partSizeStep = 1 << 20

// A plan is how a file is cut into parts.
type plan struct {
	size     int64
	partSize int64
	parts    int // at least one: an empty file has an empty part
}

// planParts cuts size bytes into parts of wanted bytes, or larger ones if there would be too many.
func planParts(size, wanted int64) (plan, error) {
	if least := engine.OSS.MinPartSize(); wanted < least && size > wanted {
		return plan{}, cli.Usagef("-part-size: OSS rules refuse parts below %s other than the last, and %d bytes do not fit in one part of %d",
			bytesize.Human(least), size, wanted)
	}
	needed := ceilDiv(size, engine.MaxPartNumber)
	if needed > wanted {
		wanted = ceilDiv(needed, partSizeStep) * partSizeStep
	}
	if wanted > engine.MaxPartSize {
		return plan{}, cli.Usagef("%d bytes do not fit in %d parts of %s", size, engine.MaxPartNumber, bytesize.Human(engine.MaxPartSize))
	}
	return plan{size: size, partSize: wanted, parts: int(max(1, ceilDiv(size, wanted)))}, nil
}

func ceilDiv(a, b int64) int64 {
	n := a / b
	if a%b != 0 {
		n++
	}
	return n
}

// part returns where the part of index i lies; its number is i+1.
func (p plan) part(i int) (offset, length int64) {
	offset = int64(i) * p.partSize
	return offset, min(p.partSize, p.size-offset)
}

// keysFor names the objects of files. name is the flag -key.
func keysFor(name string, files []string) ([]string, error) {
	prefix := strings.HasSuffix(name, "/")
	if name != "" && !prefix {
		if len(files) > 1 {
			return nil, cli.Usagef("-key %q: with several FILEs it must be a prefix that ends in /", name)
		}
		return []string{name}, nil
	}
	keys := make([]string, len(files))
	owner := map[string]string{}
	for i, file := range files {
		keys[i] = name + filepath.Base(file)
		if other, taken := owner[keys[i]]; taken {
			return nil, cli.Usagef("%s and %s would both become the object %q", other, file, keys[i])
		}
		owner[keys[i]] = file
	}
	return keys, nil
}
