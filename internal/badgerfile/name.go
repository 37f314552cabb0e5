package badgerfile

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/dgraph-io/badger/v4"
)

// What the names of numbered files end with.
const (
	TableSuffix    = ".sst"
	LogSuffix      = ".mem"
	ValueLogSuffix = ".vlog"
)

// Names that Badger itself does not export.
const (
	Discard         = "DISCARD"
	ManifestRewrite = badger.ManifestFilename + "-REWRITE"
)

// LogHeader is how many bytes a log, and a value log, has before its records.
const LogHeader = 8 + 12

// Marks of a record, in its meta.
const (
	MarkPointer = 1 << 1 // its value is a pointer into a value log
	MarkTxn     = 1 << 6 // a transaction has written it
	MarkTxnEnd  = 1 << 7 // it ends a transaction
)

// LogName is the name of a log.
func LogName(number int) string { return fmt.Sprintf("%05d", number) + LogSuffix }

// LogNumber is the number of a log by its name.
func LogNumber(name string) (number int, ok bool) {
	digits, ok := strings.CutSuffix(name, LogSuffix)
	if !ok {
		return 0, false
	}
	number, err := strconv.Atoi(digits)
	return number, err == nil && number > 0 && number < 1<<31-1 && name == LogName(number)
}
