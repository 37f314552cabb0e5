package fleet

import (
	"errors"
	"strconv"
	"time"

	"github.com/gabion-storage/gabion/fleet/pgindex"
)

// parseIndex returns what the URL of an index leaves for PostgreSQL, and the options in it.
func parseIndex(where string) (dsn string, o *pgindex.Options, err error) {
	u, p, err := parse(where)
	if err != nil {
		return "", nil, err
	}
	if u.Scheme != "postgres" && u.Scheme != "postgresql" {
		return "", nil, errors.New("must begin with postgres://")
	}
	o = &pgindex.Options{}
	take(p, "schema", &o.Schema, text)
	take(p, "views", &o.Views, strconv.Atoi)
	take(p, "patience", &o.Patience, time.ParseDuration)
	take(p, "not-durable", &o.NotDurable, strconv.ParseBool)
	u.RawQuery = p.left.Encode()
	return u.String(), o, p.err()
}
