package access

import (
	"crypto/hmac"
	"time"
)

// A claim is what a request says about who signed it, and when.
type claim struct {
	accessKey string
	signature string

	date   string        // as it is signed
	signed time.Time     // zero if it is not said
	until  time.Time     // when a URL ends to hold; zero of a header
	life   time.Duration // of a URL of S3's

	headers map[string]string // that a URL has as parameters

	stringToSign string
	canonical    string // of version 4: the request whose hash is in stringToSign
	context      string // of version 4: the lines of stringToSign that those of chunks have, too
	signer       func(secret string) signer
}

// A signer makes the signature of a text, with a secret that it knows.
type signer func(text string) string

// check finds out whether a claim is true, and gives the signer that has signed it.
func (v *Verifier) check(c *claim) (signer, error) {
	if err := v.checkTime(c); err != nil {
		return nil, err
	}
	return v.checkSignature(c)
}

// checkSignature is check at whatever time.
func (v *Verifier) checkSignature(c *claim) (signer, error) {
	secret, ok := v.secret(c.accessKey)
	if !ok {
		return nil, v.unknownKey(c.accessKey)
	}
	sign := c.signer(secret)
	if !same(sign(c.stringToSign), c.signature) {
		return nil, v.service.explain(signatureMismatch(c.stringToSign, c.accessKey, c.signature), c)
	}
	return sign, nil
}

// secret is that of an access key; ok is false for a key that is not known.
func (v *Verifier) secret(accessKey string) (secret string, ok bool) {
	if v.options.Keys == nil {
		return "", false
	}
	return v.options.Keys.Secret(accessKey)
}

func (v *Verifier) unknownKey(accessKey string) *Error {
	e := forbidden("InvalidAccessKeyId", "The "+v.service.dialect().vendor+
		" Access Key Id you provided does not exist in our records.")
	e.AccessKey, e.EC = echo(accessKey), "0002-00000902"
	return v.service.explain(e, nil)
}

// checkTime finds out whether a claim holds now.
func (v *Verifier) checkTime(c *claim) error {
	now, skew := v.options.Now(), v.options.Skew
	switch early := now.Before(c.signed.Add(-skew)); {
	case !c.until.IsZero() && now.Truncate(time.Second).After(c.until): // its last second is in it
		return v.service.outside(c, now, "Request has expired")
	case !c.until.IsZero() && early:
		return v.service.outside(c, now, "Request is not yet valid")
	case c.until.IsZero() && (early || now.After(c.signed.Add(skew))):
		e := forbidden("RequestTimeTooSkewed",
			"The difference between the request time and the current time is too large.")
		e.RequestTime, e.ServerTime, e.MaxSkew, e.EC = c.signed, now, skew, "0002-00000504"
		return e
	}
	return nil
}

// same compares signatures in a time that does not depend on what they have in common.
func same(a, b string) bool { return hmac.Equal([]byte(a), []byte(b)) }
