package access

import (
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A request is one that is to be verified.
type request struct {
	*http.Request
	query       url.Values // each has one value
	bucket, key string
}

// ParseQuery parses the query of a request as url.ParseQuery does, but that a semicolon is a character as
// any other: some clients do not escape those that they sign escaped.
func ParseQuery(raw string) (url.Values, error) {
	return url.ParseQuery(strings.ReplaceAll(raw, ";", "%3B"))
}

// newRequest takes a request apart. It joins the values of headers that are there twice, since that
// is how they are signed, so that a face sees what was signed.
func newRequest(r *http.Request, domain string) (*request, error) {
	query, err := ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, badRequest("InvalidURI", "Couldn't parse the specified URI.")
	}
	for name, values := range query {
		if len(values) > 1 {
			return nil, badRequest("InvalidArgument", "The parameter "+name+" is there twice.")
		}
	}
	for name, values := range r.Header {
		if len(values) > 1 {
			r.Header[name] = []string{strings.Join(values, ",")}
		}
	}
	bucket, key := locate(r, domain)
	return &request{r, query, bucket, key}, nil
}

// locate finds the bucket and the key that a request is about. The path is taken as it is, byte by
// byte.
func locate(r *http.Request, domain string) (bucket, key string) {
	host := r.Host
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	path := strings.TrimPrefix(r.URL.Path, "/")
	if bucket, ok := strings.CutSuffix(strings.ToLower(host), "."+domain); ok {
		return bucket, path
	}
	bucket, key, _ = strings.Cut(path, "/")
	return bucket, key
}

// declaredLength is what the client says of the length of the body, -1 if it says nothing.
func (r *request) declaredLength() int64 {
	if r.ContentLength == 0 && r.Header.Get("Content-Length") == "" {
		return -1
	}
	return r.ContentLength
}

// value is what the header of a name in lower case says; ok is false if it is not there.
func (r *request) value(name string) (value string, ok bool) {
	if name == "host" {
		return r.Host, true
	}
	values, ok := r.Header[http.CanonicalHeaderKey(name)]
	if !ok {
		return "", false
	}
	return values[0], true
}

// headersWith are the names, in lower case, of the headers whose names begin with prefix.
func (r *request) headersWith(prefix string) []string {
	var names []string
	for name := range r.Header {
		if name := strings.ToLower(name); strings.HasPrefix(name, prefix) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// hasAny says whether one of some parameters is there.
func (r *request) hasAny(parameters ...string) bool {
	return slices.ContainsFunc(parameters, r.query.Has)
}

// lifetime is how long a URL holds, by a parameter in seconds. ok is false if it is not a time that
// version 4 allows. One of nothing at all is over at once.
func (r *request) lifetime(parameter string) (life time.Duration, ok bool) {
	seconds, err := strconv.ParseInt(r.query.Get(parameter), 10, 32)
	life = time.Duration(seconds) * time.Second
	return life, err == nil && 0 <= life && life <= longestLife
}
