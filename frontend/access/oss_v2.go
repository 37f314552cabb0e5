package access

import (
	"cmp"
	"encoding/base64"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// algorithmV2 is how version 2 is named, in headers and in URLs.
const algorithmV2 = "OSS2"

func claimInHeaderV2(r *request, authorization string) (*claim, error) {
	fields := map[string]string{}
	for field := range strings.SplitSeq(authorization, ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(field), ":")
		fields[name] = value
	}
	if fields["AccessKeyId"] == "" || fields["Signature"] == "" {
		return nil, badRequest("InvalidArgument", "The authorization header is malformed: it must "+
			"have AccessKeyId:ACCESSKEY and Signature:SIGNATURE.")
	}
	date := cmp.Or(r.Header.Get("X-Oss-Date"), r.Header.Get("Date"))
	signed, err := http.ParseTime(date)
	if err != nil {
		return nil, accessDenied("OSS authentication requires a valid Date.")
	}
	c := &claim{
		accessKey: fields["AccessKeyId"], signature: fields["Signature"], signed: signed, date: date,
	}
	return c, c.signV2(r, fields["AdditionalHeaders"])
}

func claimInURLV2(r *request) (*claim, error) {
	expires := r.query.Get("x-oss-expires")
	seconds, err := strconv.ParseInt(expires, 10, 64)
	if err != nil || !r.query.Has("x-oss-access-key-id") || !r.query.Has("x-oss-signature") {
		return nil, accessDenied(
			"x-oss-access-key-id, x-oss-expires and x-oss-signature must all be there.")
	}
	c := &claim{
		accessKey: r.query.Get("x-oss-access-key-id"),
		signature: r.query.Get("x-oss-signature"),
		until:     time.Unix(seconds, 0),
		date:      expires,
	}
	return c, c.signV2(r, r.query.Get("x-oss-additional-headers"))
}

// signV2 completes a claim by what its signature must be made of: as version 1, but with all
// parameters, and with the headers that it lists.
func (c *claim) signV2(r *request, additional string) error {
	headers, listed, err := r.headersOSS(additional)
	if err != nil {
		return err
	}
	parameters := r.canonicalQuery("x-oss-signature", "")
	if parameters != "" {
		parameters = "?" + parameters
	}
	c.stringToSign = strings.Join([]string{
		r.Method,
		r.Header.Get("Content-Md5"),
		r.Header.Get("Content-Type"),
		c.date,
		r.canonicalHeaders(headers, strings.TrimSpace) + listed,
		escape(r.resource(), "") + parameters,
	}, "\n")
	c.signer = func(secret string) signer {
		return func(text string) string {
			return base64.StdEncoding.EncodeToString(hmacSHA256([]byte(secret), text))
		}
	}
	return nil
}
