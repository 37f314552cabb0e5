package main

import (
	_ "embed"
	"strings"
)

// sessionsText is what the command prints, for its default addresses.
//
//go:embed sessions.txt
var sessionsText string

// sessions shows how to point clients at faces that are served at some addresses, "" for none.
func sessions(oss, s3, keys string) string {
	var shown []string
	for _, s := range strings.SplitAfter(sessionsText, "\n\n") {
		if oss == "" && strings.Contains(s, "127.0.0.1:9000") ||
			s3 == "" && strings.Contains(s, "127.0.0.1:9001") {
			continue
		}
		shown = append(shown, s)
	}
	return strings.NewReplacer(
		"127.0.0.1:9000", oss, "127.0.0.1:9001", s3, "DIR/keys", keys,
	).Replace(strings.Join(shown, ""))
}
