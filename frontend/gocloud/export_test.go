package gocloud

import (
	"github.com/gabion-storage/gabion/engine"
	"gocloud.dev/blob/driver"
)

// OpenDriver is what is below OpenBucket, for gocloud's suite.
func OpenDriver(e *engine.Engine, name string, o *Options) (driver.Bucket, error) {
	return openBucket(e, name, o)
}

var (
	EscapeName    = escapeName
	UnescapeName  = unescapeName
	EscapeValue   = escapeValue
	UnescapeValue = unescapeValue
)
