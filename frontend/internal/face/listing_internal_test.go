package face

import (
	"net/url"
	"testing"
)

// TestNamer writes names as each service does, which differ in what they make of a slash.
func TestNamer(t *testing.T) {
	for _, row := range []struct {
		encoding    string
		escapeSlash bool
		want        Name
	}{
		{"", false, "a/b +%2F"}, {"", true, "a/b +%2F"},
		{"url", false, "a/b%20%2B%252F"}, {"url", true, "a%2Fb%20%2B%252F"},
	} {
		c := &Call{Query: url.Values{"encoding-type": {row.encoding}}, EscapeSlash: row.escapeSlash}
		if got := c.Namer()("a/b +%2F"); got != row.want || c.Err != nil {
			t.Errorf("%+v: %s (%v)", row, got, c.Err)
		}
	}
}
