package cli

import (
	"errors"
	"flag"
	"os"
)

// JSONUsage is what the flag -json of a benchmark is for.
const JSONUsage = "also write the value of every round to `FILE`, which bench/charts draws"

// A Place is two flags: where a benchmark makes its files, and the report that it leaves.
type Place struct{ Dir, JSON string }

// Define defines the flags -dir and -json.
func (p *Place) Define(flags *flag.FlagSet) {
	flags.StringVar(&p.Dir, "dir", os.TempDir(),
		"`directory`, on the file system to measure, to make one in that is removed at the end")
	flags.StringVar(&p.JSON, "json", "", JSONUsage)
}

// In calls do with a new directory in Dir, and removes it.
func (p *Place) In(do func(dir string) error) (err error) {
	dir, err := os.MkdirTemp(p.Dir, "gabion-bench-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	return do(dir)
}
