package access

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"
)

const (
	dateV4 = "20060102"
	timeV4 = "20060102T150405Z"

	longestLife = 7 * 24 * time.Hour // of a signed URL
)

// A dialect is what tells S3's signatures of version 4 from those of OSS.
type dialect struct {
	vendor    string // as messages name it
	algorithm string
	prefix    string // of the secret
	service   string
	end       string // of a scope
	own       string // how the names of the service's own headers begin
	details   bool   // its errors have more elements than both services have
	form      formDialect
}

// A formDialect is what tells the forms of S3 from those of OSS.
type formDialect struct {
	accessKey, algorithm string // fields of version 1 or 2, and of 4
	tooLong, notOneFile  string // codes
	strict               bool   // the policy must name all fields
	typeOfFile           bool   // which the browser says of the file, counts
}

var (
	dialectS3 = dialect{
		"AWS", "AWS4-HMAC-SHA256", "AWS4", "s3", "aws4_request", "x-amz-", true, formDialect{
			accessKey: "awsaccesskeyid", algorithm: "x-amz-algorithm",
			tooLong:    "MaxPostPreDataLengthExceededError",
			notOneFile: "IncorrectNumberOfFilesInPostRequest",
			strict:     true,
		},
	}
	dialectOSS = dialect{
		"OSS", "OSS4-HMAC-SHA256", "aliyun_v4", "oss", "aliyun_v4_request", "x-oss-", false, formDialect{
			accessKey: "ossaccesskeyid", algorithm: "x-oss-signature-version",
			tooLong:    "FieldItemTooLong",
			notOneFile: "IncorrectNumberOfFilesInPOSTRequest",
			typeOfFile: true,
		},
	}
)

// A credential is an access key and what its signatures are limited to.
type credential struct {
	dialect
	accessKey, date, region string
}

// credential parses ACCESSKEY/DATE/REGION/SERVICE/END. The access key may have slashes.
func (d dialect) credential(s string) (credential, bool) {
	p := strings.Split(s, "/")
	n := len(p) - 4
	if n < 1 || p[n+2] != d.service || p[n+3] != d.end {
		return credential{}, false
	}
	return credential{d, strings.Join(p[:n], "/"), p[n], p[n+1]}, true
}

func (c credential) scope() string {
	return strings.Join([]string{c.date, c.region, c.service, c.end}, "/")
}

// signer signs with the key that is derived from a secret for the scope.
func (c credential) signer(secret string) signer {
	key := []byte(c.prefix + secret)
	for _, part := range []string{c.date, c.region, c.service, c.end} {
		key = hmacSHA256(key, part)
	}
	return func(text string) string { return hex.EncodeToString(hmacSHA256(key, text)) }
}

// signV4 completes a claim of version 4 by what its signature must be made of.
func (c *claim) signV4(cred credential, canonicalRequest string) {
	c.accessKey = cred.accessKey
	c.signer = cred.signer
	c.canonical = canonicalRequest
	c.context = c.date + "\n" + cred.scope()
	c.stringToSign = cred.algorithm + "\n" + c.context + "\n" + hexSHA256(canonicalRequest)
}

// timeOf reads a time as version 4 writes it, or HTTP.
func timeOf(date string) (time.Time, error) {
	if t, err := time.Parse(timeV4, date); err == nil {
		return t, nil
	}
	return http.ParseTime(date)
}

// fields parses NAME=VALUE, NAME=VALUE of an Authorization header behind its algorithm.
func (d dialect) fields(authorization string) map[string]string {
	fields := map[string]string{}
	for field := range strings.SplitSeq(strings.TrimPrefix(authorization, d.algorithm), ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(field), "=")
		fields[name] = value
	}
	return fields
}

// canonicalHeaders are those of the names that are there, one a line, their values cleaned.
func (r *request) canonicalHeaders(names []string, clean func(string) string) string {
	var b strings.Builder
	for _, name := range names {
		if value, ok := r.value(name); ok {
			b.WriteString(name + ":" + clean(value) + "\n")
		}
	}
	return b.String()
}

// canonicalQuery has all parameters but one, escaped and in the order of their names. Behind the
// name of one without a value stands empty.
func (r *request) canonicalQuery(but, empty string) string {
	escaped := map[string]string{}
	for name, values := range r.query {
		switch {
		case name == but:
		case values[0] == "":
			escaped[escape(name, "")] = empty
		default:
			escaped[escape(name, "")] = "=" + escape(values[0], "")
		}
	}
	var pairs []string
	for _, name := range slices.Sorted(maps.Keys(escaped)) {
		pairs = append(pairs, name+escaped[name])
	}
	return strings.Join(pairs, "&")
}

// escape escapes all but letters, digits, -._~ and the bytes of keep.
func escape(s, keep string) string {
	const digits = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(s) {
		switch c := s[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9',
			strings.IndexByte("-._~", c) >= 0, strings.IndexByte(keep, c) >= 0:
			b.WriteByte(c)
		default:
			b.WriteByte('%')
			b.WriteByte(digits[c>>4])
			b.WriteByte(digits[c&15])
		}
	}
	return b.String()
}

func hmacSHA256(key []byte, text string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(text))
	return h.Sum(nil)
}

func hexSHA256(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}
