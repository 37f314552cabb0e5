package access

import (
	"cmp"
	"net/http"
	"net/url"
	"slices"
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
		return nil, badRequest("InvalidArgument", "Only one auth mechanism allowed.")
	case inURL:
		return claimInS3URL(r)
	case strings.HasPrefix(authorization, dialectS3.algorithm+" "):
		return claimInS3Header(r, dialectS3.fields(authorization))
	case authorization != "" || r.hasAny("AWSAccessKeyId", "Signature"):
		return nil, badRequest("InvalidRequest", "The authorization mechanism you have provided is "+
			"not supported. Please use AWS4-HMAC-SHA256.")
	}
	return nil, nil
}

func claimInS3Header(r *request, fields map[string]string) (*claim, error) {
	malformed := badRequest("AuthorizationHeaderMalformed", "The authorization header is malformed: "+
		"it must have Credential=ACCESSKEY/DATE/REGION/s3/aws4_request, SignedHeaders and Signature.")
	cred, ok := dialectS3.credential(fields["Credential"])
	if !ok {
		return nil, malformed
	}
	signed, err := timeOf(cmp.Or(r.Header.Get("X-Amz-Date"), r.Header.Get("Date")))
	if err != nil {
		return nil, accessDenied("AWS authentication requires a valid Date or x-amz-date header")
	}
	if r.Header.Get(headerPayload) == "" {
		return nil, badRequest("InvalidRequest",
			"Missing required header for this request: x-amz-content-sha256")
	}
	c := &claim{
		accessKey: cred.accessKey, signature: fields["Signature"],
		signed: signed, date: signed.Format(timeV4),
	}
	return c, c.signS3(r, cred, fields["SignedHeaders"], malformed)
}

func claimInS3URL(r *request) (*claim, error) {
	malformed := badRequest("AuthorizationQueryParametersError", "X-Amz-Algorithm, X-Amz-Credential, "+
		"X-Amz-Date, X-Amz-Expires, X-Amz-SignedHeaders and X-Amz-Signature must all be there, "+
		"well-formed, and X-Amz-Expires less than a week (in seconds).")
	cred, ok := dialectS3.credential(r.query.Get("X-Amz-Credential"))
	signed, err := time.Parse(timeV4, r.query.Get("X-Amz-Date"))
	life, lives := r.lifetime("X-Amz-Expires")
	if !ok || !lives || err != nil || r.query.Get("X-Amz-Algorithm") != dialectS3.algorithm {
		return nil, malformed
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
		date:      r.query.Get("X-Amz-Date"),
	}
	return c, c.signS3(r, cred, r.query.Get("X-Amz-SignedHeaders"), malformed)
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

// signS3 completes a claim by what its signature must be made of. It is malformed if what is signed
// does not do.
func (c *claim) signS3(r *request, cred credential, signedHeaders string, malformed *Error) error {
	headers := strings.Split(signedHeaders, ";")
	if !slices.Contains(headers, "host") || c.signed.Format(dateV4) != cred.date {
		return malformed
	}
	for _, name := range r.headersWith("x-amz-") {
		// What payload says is signed in any case.
		if !slices.Contains(headers, name) && name != "x-amz-content-sha256" {
			return accessDenied("There were headers present in the request which were not signed: " +
				name)
		}
	}
	c.signV4(cred, strings.Join([]string{
		r.Method,
		canonicalPath(r.URL),
		r.canonicalQuery("X-Amz-Signature", "="),
		r.canonicalHeaders(headers, oneSpace),
		signedHeaders,
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
