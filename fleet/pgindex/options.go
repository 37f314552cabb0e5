package pgindex

import (
	"errors"
	"fmt"
	"regexp"
	"time"
)

// ErrNotDurable is returned by Open, and by calls after the server was exchanged for such a one,
// when the server may lose what it has committed: with fsync off, or synchronous_commit off or
// local.
var ErrNotDurable = errors.New("pgindex: the server does not make commits durable")

// Options are the options of Open. The zero value and nil work.
type Options struct {
	// Schema is the name of the schema that the index is in: letters a to z, digits and
	// underscores, at most 63; "gabion" if empty. A database may hold several.
	Schema string

	// Views is how many Views may go on at once, each on a connection of its own; 16 if 0, at most
	// 10,000. Others wait. Gets have two connections more and updates one; each may be there twice
	// while one is given up.
	Views int

	// Patience is how long a call tries to reach the server again, from a second to an hour; 30
	// seconds if 0. Then it fails with index.ErrUnavailable, and an Update whose outcome could not
	// be learned with an *index.CommitError.
	Patience time.Duration

	// NotDurable takes a server as it is, also one that may lose what it has acknowledged.
	NotDurable bool
}

var schemaName = regexp.MustCompile(`^[a-z_][a-z0-9_]{0,62}$`)

func (o *Options) withDefaults() Options {
	var full Options
	if o != nil {
		full = *o
	}
	if full.Schema == "" {
		full.Schema = "gabion"
	}
	if full.Views == 0 {
		full.Views = 16
	}
	if full.Patience == 0 {
		full.Patience = 30 * time.Second
	}
	return full
}

func (o *Options) validate() error {
	var errs []error
	if !schemaName.MatchString(o.Schema) {
		errs = append(errs, fmt.Errorf("pgindex: Schema is %q, must match %v", o.Schema, schemaName))
	}
	if o.Views < 1 || o.Views > 10_000 {
		errs = append(errs, fmt.Errorf("pgindex: Views is %d, must be 1 to 10000", o.Views))
	}
	if o.Patience < time.Second || o.Patience > time.Hour {
		errs = append(errs, fmt.Errorf("pgindex: Patience is %v, must be 1s to 1h", o.Patience))
	}
	return errors.Join(errs...)
}
