package access

import (
	"cmp"
	"slices"
	"strings"
	"time"
)

// oss is what is OSS's own.
type oss struct{}

func (oss) dialect() dialect { return dialectOSS }

// claim finds out who r says has signed it. It is nil if nobody has.
func (oss) claim(r *request) (*claim, error) {
	authorization := r.Header.Get("Authorization")
	v1URL := r.hasAny("OSSAccessKeyId", "Signature")
	newerURL := r.hasAny("x-oss-signature-version", "x-oss-credential", "x-oss-signature")
	switch {
	case authorization != "" && (v1URL || newerURL), v1URL && newerURL:
		return nil, badRequest("InvalidArgument", "Only one auth mechanism allowed.")
	case v1URL:
		return claimInURLV1(r)
	case newerURL && r.query.Get("x-oss-signature-version") == algorithmV2:
		return claimInURLV2(r)
	case newerURL:
		return claimInOSSURL(r)
	case strings.HasPrefix(authorization, dialectOSS.algorithm+" "):
		return claimInOSSHeader(r, dialectOSS.fields(authorization))
	case strings.HasPrefix(authorization, "OSS "):
		return claimInHeaderV1(r, strings.TrimPrefix(authorization, "OSS "))
	case strings.HasPrefix(authorization, algorithmV2+" "):
		return claimInHeaderV2(r, strings.TrimPrefix(authorization, algorithmV2+" "))
	case authorization != "":
		return nil, badRequest("InvalidArgument", "The authorization mechanism is not supported. "+
			"Please use OSS, OSS2 or OSS4-HMAC-SHA256.")
	}
	return nil, nil
}

// body is as it came: OSS signs no bodies.
func (oss) body(r *request, _ *claim, _ signer) (*body, error) { return plainBody(r), nil }

func (oss) explain(e *Error, _ *claim) *Error { return e }

func (oss) outside(_ *claim, _ time.Time, what string) *Error { return accessDenied(what + ".") }

func claimInOSSHeader(r *request, fields map[string]string) (*claim, error) {
	cred, ok := dialectOSS.credential(fields["Credential"])
	date := cmp.Or(r.Header.Get("X-Oss-Date"), r.Header.Get("Date"))
	signed, err := timeOf(date)
	switch {
	case !ok:
		return nil, badRequest("InvalidArgument", "The authorization header is malformed: it must "+
			"have Credential=ACCESSKEY/DATE/REGION/oss/aliyun_v4_request and Signature.")
	case err != nil || signed.Format(dateV4) != cred.date:
		return nil, accessDenied("OSS authentication requires a valid x-oss-date.")
	case r.Header.Get("X-Oss-Content-Sha256") != unsigned:
		return nil, badRequest("InvalidArgument", "x-oss-content-sha256 must be UNSIGNED-PAYLOAD.")
	}
	c := &claim{
		accessKey: cred.accessKey, signature: fields["Signature"], signed: signed, date: date,
	}
	return c, c.signOSS(r, cred, fields["AdditionalHeaders"])
}

func claimInOSSURL(r *request) (*claim, error) {
	cred, ok := dialectOSS.credential(r.query.Get("x-oss-credential"))
	signed, err := time.Parse(timeV4, r.query.Get("x-oss-date"))
	life, lives := r.lifetime("x-oss-expires")
	if !ok || !lives || life == 0 || err != nil || signed.Format(dateV4) != cred.date ||
		r.query.Get("x-oss-signature-version") != dialectOSS.algorithm {
		return nil, badRequest("InvalidArgument", "x-oss-signature-version, x-oss-credential, "+
			"x-oss-date, x-oss-expires and x-oss-signature must all be there, well-formed, and "+
			"x-oss-expires at most a week (in seconds).")
	}
	c := &claim{
		accessKey: cred.accessKey,
		signature: r.query.Get("x-oss-signature"),
		signed:    signed,
		until:     signed.Add(life),
		date:      r.query.Get("x-oss-date"),
	}
	return c, c.signOSS(r, cred, r.query.Get("x-oss-additional-headers"))
}

// signOSS completes a claim of version 4 by what its signature must be made of. OSS signs its own
// headers and those of content without listing them.
func (c *claim) signOSS(r *request, cred credential, additional string) error {
	headers, listed, err := r.headersOSS(additional)
	if err != nil {
		return err
	}
	headers = append(headers, "content-md5", "content-type")
	slices.Sort(headers)
	said := cmp.Or(r.Header.Get("X-Oss-Content-Sha256"), unsigned)
	c.signV4(cred, strings.Join([]string{
		r.Method,
		escape(r.resource(), "/"),
		r.canonicalQuery("x-oss-signature", ""),
		r.canonicalHeaders(slices.Compact(headers), strings.TrimSpace),
		listed,
		said,
	}, "\n"))
	return nil
}

// headersOSS are the names of OSS's own headers and of those that are listed, which must be there,
// each once; listed is the list as it is signed, whatever order it was sent in.
func (r *request) headersOSS(additional string) (headers []string, listed string, err error) {
	if additional != "" {
		headers = strings.Split(strings.ToLower(additional), ";")
		slices.Sort(headers)
		headers = slices.Compact(headers)
		listed = strings.Join(headers, ";")
	}
	for _, name := range headers {
		if _, ok := r.value(name); !ok {
			return nil, "", badRequest("InvalidArgument", "A signed header is missing: "+name+".")
		}
	}
	headers = append(headers, r.headersWith("x-oss-")...)
	slices.Sort(headers)
	return slices.Compact(headers), listed, nil
}
