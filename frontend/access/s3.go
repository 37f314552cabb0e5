package access

import (
	"cmp"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gabion-storage/gabion/frontend/internal/sha256pairs"
)

// s3 is what is S3's own.
type s3 struct{ hashes *sha256pairs.Pool }

func (s3) dialect() dialect { return dialectS3 }

// claim finds out who r says has signed it. It is nil if nobody has.
func (s3) claim(r *request) (*claim, error) {
	authorization := r.Header.Get("Authorization")
	inURL := r.hasAny("X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Signature")
	switch {
	case authorization != "" && inURL:
		return nil, invalidArgument("Authorization", scheme(authorization), "Only one auth mechanism "+
			"allowed; only the X-Amz-Algorithm query parameter, Signature query string parameter "+
			"or the Authorization header should be specified")
	case inURL:
		return claimInS3URL(r)
	case strings.HasPrefix(authorization, dialectS3.algorithm+" "):
		return claimInS3Header(r, authorization)
	case authorization != "":
		return nil, unsupported(authorization)
	case r.hasAny("AWSAccessKeyId", "Signature"):
		return nil, unsupportedMechanism()
	}
	return nil, nil
}

func claimInS3Header(r *request, authorization string) (*claim, error) {
	fields, cred, err := s3Components(strings.TrimPrefix(authorization, dialectS3.algorithm))
	if err != nil {
		return nil, err
	}
	signed, err := timeOf(cmp.Or(r.Header.Get("X-Amz-Date"), r.Header.Get("Date")))
	if err != nil {
		return nil, accessDenied("AWS authentication requires a valid Date or x-amz-date header")
	}
	c := &claim{
		accessKey: cred.accessKey, signature: fields["Signature"],
		signed: signed, date: signed.Format(timeV4),
	}
	said := r.Header.Get(headerPayload)
	switch {
	case signed.Format(dateV4) != cred.date:
		return c, headerMalformed(headerDate)
	case said == "":
		return nil, badRequest("InvalidRequest",
			"Missing required header for this request: x-amz-content-sha256")
	}
	if err := checkPayload(said); err != nil {
		return c, err
	}
	if err := c.signS3(r, cred, fields["SignedHeaders"]); err != errSignedHeaders {
		return c, err
	}
	return c, headerMalformed("SignedHeaders must have host, and no name twice.")
}

// s3Components parses what an Authorization header has behind its algorithm.
func s3Components(text string) (fields map[string]string, cred credential, err error) {
	fields = map[string]string{}
	components := strings.SplitN(text, ",", 4)
	if len(components) != 3 {
		return nil, cred, headerMalformed(headerComponents)
	}
	for _, component := range components {
		component = strings.TrimSpace(component)
		name, value, ok := strings.Cut(component, "=")
		if !ok {
			return nil, cred, headerMalformed(headerComponent, component)
		}
		fields[name] = value
	}
	for _, name := range []string{"Credential", "SignedHeaders", "Signature"} {
		if fields[name] == "" {
			return nil, cred, headerMalformed(headerMissing, name)
		}
	}
	cred, fault := s3Credential(fields["Credential"])
	if fault != "" {
		return nil, cred, headerMalformed("%s", fault)
	}
	return fields, cred, nil
}

// s3Credential parses a credential. fault says what is wrong with it, if anything is.
func s3Credential(text string) (cred credential, fault string) {
	p := strings.Split(text, "/")
	n := len(p) - 4
	switch {
	case n < 1:
		return cred, credentialMalformed
	case n > 1 && (p[n+2] != dialectS3.service || p[n+3] != dialectS3.end):
		return cred, credentialMalformed // rather than an access key with a slash
	case p[n+2] != dialectS3.service:
		return cred, say(credentialService, p[n+2])
	case p[n+3] != dialectS3.end:
		return cred, say(credentialTerminal, p[n+3])
	}
	if _, err := time.Parse(dateV4, p[n]); err != nil {
		return cred, say(credentialDate, p[n])
	}
	return credential{dialectS3, strings.Join(p[:n], "/"), p[n], p[n+1]}, ""
}

func claimInS3URL(r *request) (*claim, error) {
	cred, signed, life, err := s3Parameters(r)
	if err != nil {
		return nil, err
	}
	headers, err := headersInS3URL(r)
	if err != nil {
		return nil, err
	}
	c := &claim{
		accessKey: cred.accessKey,
		headers:   headers,
		signature: r.query.Get("X-Amz-Signature"),
		signed:    signed,
		until:     signed.Add(life),
		life:      life,
		date:      r.query.Get("X-Amz-Date"),
	}
	if err := c.signS3(r, cred, r.query.Get("X-Amz-SignedHeaders")); err != errSignedHeaders {
		return c, err
	}
	return c, urlMalformed("X-Amz-SignedHeaders must have host, and no name twice.")
}

// s3Parameters parses what a URL says of its signature, and finds out whether all of it is there.
func s3Parameters(r *request) (
	cred credential, signed time.Time, life time.Duration, err error,
) {
	fail := func(text string, said ...string) (credential, time.Time, time.Duration, error) {
		return credential{}, time.Time{}, 0, urlMalformed(text, said...)
	}
	for _, name := range []string{
		"X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Date", "X-Amz-Signature",
		"X-Amz-SignedHeaders", "X-Amz-Expires",
	} {
		if r.query.Get(name) == "" {
			return fail(urlMissing)
		}
	}
	switch r.query.Get("X-Amz-Algorithm") {
	case dialectS3.algorithm:
	case "AWS4-ECDSA-P256-SHA256":
		return fail(urlNoECDSA)
	default:
		return fail(urlAlgorithm)
	}
	cred, fault := s3Credential(r.query.Get("X-Amz-Credential"))
	if fault != "" {
		return fail("Error parsing the X-Amz-Credential parameter; %s", fault)
	}
	signed, err = time.Parse(timeV4, r.query.Get("X-Amz-Date"))
	if err != nil {
		return fail(urlDate)
	}
	if date := signed.Format(dateV4); date != cred.date {
		return fail(otherDate, cred.date, date)
	}
	seconds, err := strconv.ParseInt(r.query.Get("X-Amz-Expires"), 10, 64)
	switch {
	case err != nil && !errors.Is(err, strconv.ErrRange):
		return fail(urlNumber)
	case seconds < 0:
		return fail(urlNegative)
	case seconds > int64(longestLife/time.Second):
		return fail(urlTooLong)
	}
	return cred, signed, time.Duration(seconds) * time.Second, nil
}

// headersInS3URL are the service's own headers that a URL has as parameters, which is where some SDKs
// put them: they are signed there as well. Those are not among them that are about the signature, nor
// checksums, since SDKs sign that of no body, as long as there is none.
func headersInS3URL(r *request) (map[string]string, error) {
	ofSignature := []string{
		"x-amz-algorithm", "x-amz-content-sha256", "x-amz-credential", "x-amz-date", "x-amz-expires",
		"x-amz-security-token", "x-amz-sdk-checksum-algorithm", "x-amz-signature",
		"x-amz-signedheaders",
	}
	headers := map[string]string{}
	for said, values := range r.query {
		lower := strings.ToLower(said)
		if !strings.HasPrefix(lower, dialectS3.own) || slices.Contains(ofSignature, lower) ||
			strings.HasPrefix(lower, "x-amz-checksum-") {
			continue
		}
		name := http.CanonicalHeaderKey(lower)
		if _, ok := headers[name]; ok {
			return nil, badRequest("InvalidArgument", "The parameter "+lower+" is there twice.")
		}
		if strings.ContainsFunc(lower, notInName) || strings.ContainsFunc(values[0], isControl) {
			return nil, badRequest("InvalidArgument", "The parameter "+lower+" could not be a header.")
		}
		headers[name] = values[0]
	}
	return headers, nil
}

// errSignedHeaders is returned for a list of signed headers that cannot be one.
var errSignedHeaders = errors.New("access: a list of signed headers without host, or with a name twice")

// signS3 completes a claim by what its signature must be made of. listed names the headers.
func (c *claim) signS3(r *request, cred credential, listed string) error {
	headers := strings.Split(listed, ";")
	// What is signed has each header as often as it is listed, and anybody may send a list: without
	// this, one of 32 KiB that names one header of 32 KiB again and again takes half a gigabyte.
	signed := make(map[string]bool, len(headers))
	for _, name := range headers {
		lower := strings.ToLower(name)
		if _, twice := signed[lower]; twice {
			return errSignedHeaders
		}
		signed[lower] = name == lower
	}
	if !signed["host"] {
		return errSignedHeaders
	}
	const token = "X-Amz-Security-Token"
	if r.Header.Get(token) != "" || r.query.Has(token) {
		return invalidToken()
	}
	var missing []string
	for _, name := range r.headersWith("x-amz-") {
		// What payload says is signed in any case.
		if !signed[name] && name != "x-amz-content-sha256" {
			missing = append(missing, name)
		}
	}
	if len(missing) > 0 {
		return headersNotSigned(missing)
	}
	c.signV4(cred, strings.Join([]string{
		r.Method,
		canonicalPath(r.URL),
		r.canonicalQuery("X-Amz-Signature", "="),
		r.canonicalHeaders(headers, oneSpace),
		listed,
		payload(r),
	}, "\n"))
	return nil
}

// canonicalPath escapes a path as S3 does. A slash that came escaped stays so.
func canonicalPath(u *url.URL) string {
	if u.Path == "" {
		return "/"
	}
	segments := strings.Split(u.EscapedPath(), "/")
	for i, s := range segments {
		if plain, err := url.PathUnescape(s); err == nil {
			segments[i] = escape(plain, "")
		}
	}
	return strings.Join(segments, "/")
}

// oneSpace leaves one of several spaces, and none at the ends.
func oneSpace(s string) string {
	words := strings.FieldsFunc(s, func(c rune) bool { return c == ' ' })
	return strings.TrimSpace(strings.Join(words, " "))
}
