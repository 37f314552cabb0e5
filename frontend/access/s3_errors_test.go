package access_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/gabion-storage/gabion/frontend/access"
)

// refused is how err refuses a request.
func refused(t *testing.T, err error) *access.Error {
	t.Helper()
	var e *access.Error
	if !errors.As(err, &e) {
		t.Fatalf("%v is no refusal", err)
	}
	return e
}

// wholeRefusal is what a client is told: status, code and message, and details behind it.
func wholeRefusal(e *access.Error) string {
	text := fmt.Sprint(e.Status, " ", e.Code, " ", e.Message)
	for _, d := range e.Details {
		text += " " + d.Name + "=" + d.Value
	}
	return text
}

// TestAuthorizationHeader is what S3 says of a header that does not say who has signed.
func TestAuthorizationHeader(t *testing.T) {
	day := now.Format("20060102")
	const of = "400 AuthorizationHeaderMalformed The authorization header is malformed; "
	const malformed = of + `the Credential is mal-formed; expecting "<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/aws4_request".`
	const components = of + "the authorization header requires three components: Credential, SignedHeaders, and Signature."
	const list = "SignedHeaders must have host, and no name twice."
	const rest = ",SignedHeaders=host,Signature=00"
	credential := func(text string) string { return "AWS4-HMAC-SHA256 Credential=" + text + rest }
	good := "AKEXAMPLE/" + day + "/r/s3/aws4_request"
	for _, c := range []struct{ authorization, want string }{
		{"invalid", "400 InvalidArgument Authorization header is invalid -- one and only one ' ' (space) required ArgumentName=Authorization ArgumentValue=invalid"},
		{"AWS AKEXAMPLE:00", "400 InvalidRequest The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256."},
		{"AWS2-HMAC-SHA1 a", "400 InvalidArgument Unsupported Authorization Type ArgumentName=Authorization ArgumentValue=AWS2-HMAC-SHA1"},
		{"Bearer <x>", "400 InvalidArgument Unsupported Authorization Type ArgumentName=Authorization ArgumentValue=Bearer"},
		{"AWS4-HMAC-SHA256 x", components},
		{"AWS4-HMAC-SHA256 Credential=" + good + ",Signature=00", components},
		{credential(good) + ",Other=1", components},
		{credential(good) + strings.Repeat(",", 100), components},
		{"AWS4-HMAC-SHA256 Credential=" + good + ",SignedHeaders-host,Signature=00", of + `the authorization component "SignedHeaders-host" is malformed.`},
		{"AWS4-HMAC-SHA256 X=1" + rest, of + "missing Credential."},
		{"AWS4-HMAC-SHA256 Credential=" + good + ",X=host,Signature=00", of + "missing SignedHeaders."},
		{"AWS4-HMAC-SHA256 Credential=" + good + ",SignedHeaders=host,X=00", of + "missing Signature."},
		{"AWS4-HMAC-SHA256 Credential=" + good + ",SignedHeaders=host,Signature=", of + "missing Signature."},
		{credential("AKEXAMPLE"), malformed},
		{credential("AKEXAMPLE/" + day + "/r/s3"), malformed},
		{credential("AKEXAMPLE/" + day + "/r/s3/extra/things"), malformed},
		{credential("AKEXAMPLE/1/r/ec2/aws4_request"), of + `incorrect service "ec2". This endpoint belongs to "s3".`},
		{credential("AKEXAMPLE/1/r/s3/aws_request"), of + `incorrect terminal "aws_request". This endpoint uses "aws4_request".`},
		{credential("AKEXAMPLE/3223423234/r/s3/aws4_request"), of + `incorrect date format "3223423234". This date in the credential must be in the format "yyyyMMdd".`},
		{credential("AKEXAMPLE/20060102/r/s3/aws4_request"), of + "Invalid credential date. Date is not the same as X-Amz-Date."},
		{"AWS4-HMAC-SHA256 Credential=" + good + ",SignedHeaders=date,Signature=00", of + list},
		{"AWS4-HMAC-SHA256 Credential=" + good + ",SignedHeaders=date;host;date,Signature=00", of + list},
		{"AWS4-HMAC-SHA256 Credential=" + good + ",SignedHeaders=date;host;Date,Signature=00", of + list},
		{"AWS4-HMAC-SHA256 Credential=" + good + ",SignedHeaders=Host,Signature=00", of + list},
		{credential(strings.Replace(good, "AKEXAMPLE", "nobody", 1)), "403 InvalidAccessKeyId The AWS Access Key Id you provided does not exist in our records. AWSAccessKeyId=nobody"},
		{credential(good), "403 AccessDenied There were headers present in the request which were not signed HeadersNotSigned=x-amz-copy-source, x-amz-date, x-amz-tagging"},
	} {
		r := upload(t)
		r.Header.Set("Authorization", c.authorization)
		r.Header.Set("X-Amz-Date", now.Format("20060102T150405Z"))
		r.Header.Set("X-Amz-Content-Sha256", "UNSIGNED-PAYLOAD")
		r.Header.Set("X-Amz-Tagging", "a=b")
		r.Header.Set("X-Amz-Copy-Source", "a/b")
		_, _, err := verify(access.NewS3(options()), arrive(t, r))
		if got := wholeRefusal(refused(t, err)); got != c.want {
			t.Errorf("%s:\n%s, want\n%s", c.authorization, got, c.want)
		}
	}
}

// TestHeadersOfSignature is what S3 says of the other headers that a signature needs.
func TestHeadersOfSignature(t *testing.T) {
	const payload = "400 InvalidArgument x-amz-content-sha256 must be UNSIGNED-PAYLOAD, STREAMING-UNSIGNED-PAYLOAD-TRAILER, STREAMING-AWS4-HMAC-SHA256-PAYLOAD, STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER, STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD, STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD-TRAILER or a valid sha256 value. ArgumentName=x-amz-content-sha256 ArgumentValue="
	const date = "403 AccessDenied AWS authentication requires a valid Date or x-amz-date header"
	for _, c := range []struct{ name, value, want string }{
		{"X-Amz-Date", "", date},
		{"X-Amz-Date", "03032006", date},
		{"X-Amz-Content-Sha256", "", "400 InvalidRequest Missing required header for this request: x-amz-content-sha256"},
		{"X-Amz-Content-Sha256", "x", payload + "x"},
		{"X-Amz-Content-Sha256", "STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD", payload + "STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD"},
		{"X-Amz-Security-Token", "a secret", "400 InvalidToken The provided token is malformed or otherwise invalid."},
	} {
		r := signS3(t, upload(t), "UNSIGNED-PAYLOAD")
		r.Header.Set(c.name, c.value)
		_, _, err := verify(access.NewS3(options()), arrive(t, r))
		if got := wholeRefusal(refused(t, err)); got != c.want {
			t.Errorf("%s %q:\n%s, want\n%s", c.name, c.value, got, c.want)
		}
	}
	r := presignS3(t, upload(t), "60")
	r.Header.Set("Authorization", "AWS a:b")
	_, _, err := verify(access.NewS3(options()), arrive(t, r))
	const want = "400 InvalidArgument Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter, Signature query string parameter or the Authorization header should be specified ArgumentName=Authorization ArgumentValue=AWS"
	if got := wholeRefusal(refused(t, err)); got != want {
		t.Errorf("two signatures:\n%s, want\n%s", got, want)
	}
}

// TestParametersOfSignature is what S3 says of a URL whose parameters do not say who has signed.
func TestParametersOfSignature(t *testing.T) {
	day := now.Format("20060102")
	const of = "400 AuthorizationQueryParametersError "
	const missing = of + "Query-string authentication version 4 requires the X-Amz-Algorithm, X-Amz-Credential, X-Amz-Signature, X-Amz-Date, X-Amz-SignedHeaders, and X-Amz-Expires parameters."
	const credential = of + "Error parsing the X-Amz-Credential parameter; "
	const tooLong = of + "X-Amz-Expires must be less than a week (in seconds); that is, the given X-Amz-Expires must be less than 604800 seconds"
	for _, c := range []struct{ name, value, want string }{ // an empty value takes the parameter out
		{"X-Amz-Algorithm", "", missing},
		{"X-Amz-Credential", "", missing},
		{"X-Amz-Date", "", missing},
		{"X-Amz-Expires", "", missing},
		{"X-Amz-Signature", "", missing},
		{"X-Amz-SignedHeaders", "", missing},
		{"X-Amz-Algorithm", "AWS4-SHA256", of + `X-Amz-Algorithm only supports "AWS4-HMAC-SHA256 and AWS4-ECDSA-P256-SHA256"`},
		{"X-Amz-Algorithm", "AWS4-ECDSA-P256-SHA256", of + `X-Amz-Algorithm only supports "AWS4-HMAC-SHA256"`},
		{"X-Amz-Credential", "a/b/c", credential + `the Credential is mal-formed; expecting "<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/aws4_request".`},
		{"X-Amz-Credential", "AKEXAMPLE/" + day + "/r/sns/aws4_request", credential + `incorrect service "sns". This endpoint belongs to "s3".`},
		{"X-Amz-Credential", "AKEXAMPLE/" + day + "/r/s3/aws5_request", credential + `incorrect terminal "aws5_request". This endpoint uses "aws4_request".`},
		{"X-Amz-Credential", "AKEXAMPLE/32234Z34/r/s3/aws4_request", credential + `incorrect date format "32234Z34". This date in the credential must be in the format "yyyyMMdd".`},
		{"X-Amz-Credential", "AKEXAMPLE/20060102/r/s3/aws4_request", of + `Invalid credential date "20060102". This date is not the same as X-Amz-Date: "` + day + `".`},
		{"X-Amz-Credential", "nobody/" + day + "/r/s3/aws4_request", "403 InvalidAccessKeyId The AWS Access Key Id you provided does not exist in our records. AWSAccessKeyId=nobody"},
		{"X-Amz-Date", "x", of + `X-Amz-Date must be in the ISO8601 Long Format "yyyyMMdd'T'HHmmss'Z'"`},
		{"X-Amz-Expires", "x", of + "X-Amz-Expires should be a number"},
		{"X-Amz-Expires", "-3", of + "X-Amz-Expires must be non-negative"},
		{"X-Amz-Expires", "604801", tooLong},
		{"X-Amz-Expires", "9999999999999999999", tooLong},
		{"X-Amz-SignedHeaders", "date", of + "X-Amz-SignedHeaders must have host, and no name twice."},
		{"X-Amz-SignedHeaders", "host;host", of + "X-Amz-SignedHeaders must have host, and no name twice."},
		{"X-Amz-Security-Token", "x", "400 InvalidToken The provided token is malformed or otherwise invalid."},
	} {
		r := presignS3(t, upload(t), "60")
		query := r.URL.Query()
		if query.Set(c.name, c.value); c.value == "" {
			query.Del(c.name)
		}
		r.URL.RawQuery = query.Encode()
		_, _, err := verify(access.NewS3(options()), arrive(t, r))
		if got := wholeRefusal(refused(t, err)); got != c.want {
			t.Errorf("%s %q:\n%s, want\n%s", c.name, c.value, got, c.want)
		}
	}
}

// TestSignedHeadersCost has a stranger list one long header for ever: what that costs is what it has
// sent.
func TestSignedHeadersCost(t *testing.T) {
	r := upload(t)
	r.Header.Set("A", strings.Repeat("x", 30<<10))
	r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=nobody/"+now.Format("20060102")+
		"/r/s3/aws4_request,SignedHeaders=host;x-amz-date"+strings.Repeat(";a", 15_000)+",Signature=00")
	r.Header.Set("X-Amz-Date", now.Format("20060102T150405Z"))
	r.Header.Set("X-Amz-Content-Sha256", "UNSIGNED-PAYLOAD")
	sent, v := arrive(t, r), access.NewS3(options())
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, _, err := verify(v, sent)
	runtime.ReadMemStats(&after)
	refused(t, err)
	if took := after.TotalAlloc - before.TotalAlloc; took > 4<<20 {
		t.Errorf("%d bytes were allocated for a request of 60 KiB", took)
	}
}

// TestURLOutsideItsTime is what each service says of a URL that does not hold now.
func TestURLOutsideItsTime(t *testing.T) {
	until := now.Add(time.Minute).Format(time.RFC3339)
	for _, c := range []struct {
		at   time.Duration
		want string
	}{
		{2 * time.Minute, "403 AccessDenied Request has expired X-Amz-Expires=60 Expires=" + until + " ServerTime="},
		{-time.Hour, "403 AccessDenied Request is not yet valid X-Amz-Expires=60 Expires=" + until + " ServerTime="},
	} {
		o := options()
		o.Now = func() time.Time { return now.Add(c.at) }
		_, _, err := verify(access.NewS3(o), arrive(t, presignS3(t, upload(t), "60")))
		if got := wholeRefusal(refused(t, err)); got != c.want+now.Add(c.at).Format(time.RFC3339) {
			t.Errorf("%v: %s, want %s", c.at, got, c.want)
		}
	}
	o := options()
	o.Now = func() time.Time { return now.Add(48 * time.Hour) }
	for _, f := range forms {
		if !strings.HasPrefix(f.name, "OSS") || !strings.HasSuffix(f.name, "URL") {
			continue
		}
		_, _, err := verify(f.new(o), arrive(t, f.sign(t, upload(t))))
		if got := wholeRefusal(refused(t, err)); got != "403 AccessDenied Request has expired." {
			t.Errorf("%s: %s", f.name, got)
		}
	}
}

// TestMismatchExplained says to clients of S3 what their signature should have been made of, but no
// secret, and no more than a client of S3 can send. OSS says the string to sign alone.
func TestMismatchExplained(t *testing.T) {
	const none = "StringToSignBytes"
	for _, c := range []struct{ name, header, value, want string }{
		{"plain", "X-Amz-Meta-A", "b", "CanonicalRequest"},
		{"a client's key", "X-Amz-Server-Side-Encryption-Customer-Key", "c2VjcmV0", none},
		{"the digest of a client's key", "X-Amz-Server-Side-Encryption-Customer-Key-Md5", "c2VjcmV0", "CanonicalRequest"},
		{"a client's key of a source", "X-Amz-Copy-Source-Server-Side-Encryption-Customer-Key", "c2VjcmV0", none},
		{"a cookie", "Cookie", "c2VjcmV0", none},
		{"a long header", "X-Amz-Meta-A", strings.Repeat("x", 8<<10), none},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := upload(t)
			r.Header.Set(c.header, c.value)
			r = arrive(t, signS3(t, r, "UNSIGNED-PAYLOAD"))
			r.Method = "DELETE"
			_, _, err := verify(access.NewS3(options()), r)
			e := refused(t, err)
			if e.Code != "SignatureDoesNotMatch" || e.AccessKey != "AKEXAMPLE" || len(e.Signature) != 64 {
				t.Fatalf("%+v", e)
			}
			said := map[string]string{}
			size := 0
			for _, d := range e.Details {
				said[d.Name] = d.Value
				size += len(d.Value)
			}
			if said["AWSAccessKeyId"] != "AKEXAMPLE" || said["StringToSignBytes"] != fmt.Sprintf("% x", e.StringToSign) {
				t.Errorf("%+v", e.Details)
			}
			canonical := said["CanonicalRequest"]
			if (canonical != "") != (c.want == "CanonicalRequest") ||
				canonical != "" && !strings.HasPrefix(canonical, "DELETE\n/photos/2026/a%20b%2B%E4%BD%A0%281%29.jpg\npartNumber=1&uploadId=X%2FY\n") {
				t.Errorf("the canonical request is %q", canonical)
			}
			if (said["CanonicalRequestBytes"] != "") != (canonical != "") || canonical != "" && said["CanonicalRequestBytes"] != fmt.Sprintf("% x", canonical) {
				t.Errorf("its bytes are %q", said["CanonicalRequestBytes"])
			}
			if c.want == none && strings.Contains(wholeRefusal(e), c.value) || size > 48<<10 {
				t.Errorf("%d bytes: %.1000s", size, wholeRefusal(e))
			}
			if key := known["AKEXAMPLE"]; strings.Contains(wholeRefusal(e), key) {
				t.Errorf("the secret is said: %s", wholeRefusal(e))
			}
		})
	}
	for _, f := range forms {
		o := options()
		o.Keys = access.StaticKeys{"AKEXAMPLE": "something else"}
		_, _, err := verify(f.new(o), arrive(t, f.sign(t, upload(t))))
		if e := refused(t, err); strings.HasPrefix(f.name, "OSS") != (len(e.Details) == 0) {
			t.Errorf("%s: %+v", f.name, e.Details)
		}
	}
}

// TestEchoIsBounded says back no more than a client of S3 can send.
func TestEchoIsBounded(t *testing.T) {
	long := strings.Repeat(`<"&`, 50_000)
	for _, authorization := range []string{
		long, "x " + long, "AWS4-HMAC-SHA256 Credential=a/" + long + "/r/s3/aws4_request,SignedHeaders=host,Signature=0",
		"AWS4-HMAC-SHA256 Credential=" + long + "/20060102/r/s3/aws4_request,SignedHeaders=host,Signature=0",
		"AWS4-HMAC-SHA256 Credential=a/b," + long + ",Signature=0",
	} {
		r := upload(t)
		r.Header.Set("Authorization", authorization)
		r.Header.Set("X-Amz-Date", "20060102T000000Z")
		r.Header.Set("X-Amz-Content-Sha256", "UNSIGNED-PAYLOAD")
		_, _, err := verify(access.NewS3(options()), r)
		e := refused(t, err)
		if got := len(wholeRefusal(e)) + len(e.AccessKey) + len(e.Signature); got > 20<<10 {
			t.Errorf("%.40s: %d bytes", authorization, got)
		}
	}
}

// TestFormRefused is what S3 says of a form that does not say who has signed it. OSS keeps to its own.
func TestFormRefused(t *testing.T) {
	const missing = "400 InvalidArgument Bucket POST must contain a field named '%s'.  If it is specified, please check the order of the fields. ArgumentName=%[1]s"
	day := now.Format("20060102")
	s := signedForms[1]
	for _, c := range []struct{ name, value, want string }{ // an empty value takes the field out
		{"policy", "", fmt.Sprintf(missing, "policy")},
		{"x-amz-algorithm", "", fmt.Sprintf(missing, "x-amz-algorithm")},
		{"x-amz-credential", "", fmt.Sprintf(missing, "x-amz-credential")},
		{"x-amz-date", "", fmt.Sprintf(missing, "x-amz-date")},
		{"x-amz-signature", "", fmt.Sprintf(missing, "x-amz-signature")},
		{"key", "", fmt.Sprintf(missing, "key")},
		{"x-amz-algorithm", "x", "400 InvalidArgument Only AWS4-HMAC-SHA256 is supported ArgumentName=X-Amz-Algorithm ArgumentValue=x"},
		{"x-amz-date", "x", "400 InvalidArgument X-Amz-Date must be formated via ISO8601 Long format ArgumentName=X-Amz-Date ArgumentValue=x"},
		{"x-amz-credential", "x", `400 InvalidArgument the Credential is mal-formed; expecting "<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/aws4_request". ArgumentName=x-amz-credential ArgumentValue=x`},
		{"x-amz-credential", "a/20060102/r/s3/aws4_request", `400 InvalidArgument Invalid credential date "20060102". This date is not the same as X-Amz-Date: "` + day + `". ArgumentName=x-amz-credential ArgumentValue=a/20060102/r/s3/aws4_request`},
		{"x-amz-credential", "nobody/" + day + "/r/s3/aws4_request", "403 InvalidAccessKeyId The AWS Access Key Id you provided does not exist in our records. AWSAccessKeyId=nobody"},
		{"x-amz-security-token", "x", "400 InvalidToken The provided token is malformed or otherwise invalid."},
	} {
		fields := []field{{c.name, c.value}}
		if c.value == "" {
			fields = nil
		}
		for _, f := range s.signedFields(policyOf(usualConditions), usual...) {
			if f.name != c.name {
				fields = append(fields, f)
			}
		}
		_, _, err := verify(s.new(options()), arrive(t, post(t, fields, "a.jpg", content)))
		if got := wholeRefusal(refused(t, err)); got != c.want {
			t.Errorf("%s %q:\n%s, want\n%s", c.name, c.value, got, c.want)
		}
	}
	fields := s.signedFields(policyOf(usualConditions), usual...)
	fields[len(fields)-1].value = "00"
	_, _, err := verify(s.new(options()), arrive(t, post(t, fields, "a.jpg", content)))
	if e := refused(t, err); len(e.Details) != 2 || e.Details[1].Value != fmt.Sprintf("% x", e.StringToSign) {
		t.Errorf("%+v", e)
	}
	r := posted(t, "application/json", strings.NewReader("{}"))
	_, _, err = verify(access.NewS3(options()), arrive(t, r))
	const noForm = "412 PreconditionFailed At least one of the pre-conditions you specified did not hold. Condition=Bucket POST must be of the enclosure-type multipart/form-data"
	if got := wholeRefusal(refused(t, err)); got != noForm {
		t.Errorf("no form: %s", got)
	}
	for _, s := range []signedForm{signedForms[2], signedForms[3]} {
		_, _, err := verify(s.new(options()), arrive(t, post(t, s.signedFields(policyOf("1"), usual...), "a.jpg", content)))
		if got := wholeRefusal(refused(t, err)); got != "400 InvalidPolicyDocument Invalid Policy: Invalid Condition: 1" {
			t.Errorf("%s: %s", s.name, got)
		}
	}
}

// TestPolicyRefused is what S3 says of a policy that is none, and of one that does not allow the form.
func TestPolicyRefused(t *testing.T) {
	const of = "400 InvalidPolicyDocument Invalid Policy: "
	const denied = "403 AccessDenied Invalid according to Policy: "
	with := func(condition string) string { return policyOf(usualConditions + ", " + condition) }
	for _, c := range []struct{ policy, want string }{
		{"", of + "Expecting '{' but found End-of-Input"},
		{"!", of + "invalid Base64 encoding."},
		{"x", of + "Invalid JSON."},
		{`{"conditions": [1]}`, of + "Policy missing expiration."},
		{`{"expiration": true, "conditions": [1]}`, of + "Invalid JSON."},
		{`{"expiration": "invalid", "conditions": [1]}`, of + "Invalid 'expiration' value: 'invalid'"},
		{`{"expiration": "2144-11-08T04:19:33Z"}`, of + "Policy missing conditions."},
		{`{"expiration": "2144-11-08T04:19:33Z", "conditions": true}`, of + "Invalid 'conditions' value: must be a List."},
		{`{"expiration": "2144-11-08T04:19:33Z", "conditions": [1], "extra": 1}`, of + `Unexpected: "extra"`},
		{with("true"), of + "Invalid condition test: must be a List or Object."},
		{with("[]"), of + "Invalid Condition: missing operation identifier."},
		{with("[1]"), of + "Invalid JSON."},
		{with(`["Invalid", "$key", "x"]`), of + "Invalid Condition: unknown operation 'Invalid'."},
		{with(`["in", "$key", ["x"]]`), of + "Invalid Condition: unknown operation 'in'."},
		{with(`["eq", "$key", "x", "y"]`), of + "Invalid eq: wrong number of arguments."},
		{with(`["content-length-range", 1]`), of + "Invalid content-length-range: wrong number of arguments."},
		{with(`["eq", false, "x"]`), of + "Invalid JSON."},
		{with(`["eq", "$key", true]`), of + "Invalid JSON."},
		{with(`["content-length-range", 12, false]`), of + "Invalid JSON."},
		{with(`["content-length-range", "invalid", "14"]`), of + "Invalid JSON."},
		{with(`{"a": "b", "c": "d"}`), of + "Invalid Simple-Condition: Simple-Conditions must have exactly one property specified."},
		{with(`{"expires": true}`), of + "Invalid Simple-Condition: value must be a string."},
		{with(`["eq","key","user/a.jpg"]`), denied + `Policy Condition failed: ["eq", "key", "user/a.jpg"]`},
		{with(`["eq","$Key","expected"]`), denied + `Policy Condition failed: ["eq", "$Key", "expected"]`},
		{with(`{"Key": "expected"}`), denied + `Policy Condition failed: ["eq", "$Key", "expected"]`},
		{policyOf(`["starts-with", "$key", ""]`), denied + "Extra input fields: bucket"},
		{`{"expiration": "2007-12-01T12:00:00Z", "conditions": [{"bucket": "photos"}]}`, denied + "Policy expired."},
		{with(`["content-length-range", 100, 200]`), "400 EntityTooSmall Your proposed upload is smaller than the minimum allowed size ProposedSize=13 MinSizeAllowed=100"},
		{with(`["content-length-range", 0, 5]`), "400 EntityTooLarge Your proposed upload exceeds the maximum allowed size ProposedSize=13 MaxSizeAllowed=5"},
	} {
		s := signedForms[1]
		fields := s.signedFields(c.policy, usual...)
		if len(c.policy) <= 1 && c.policy != "x" { // as it is
			fields = append(usual[:1:1], s.sign(c.policy)...)
		}
		_, _, err := verify(s.new(options()), arrive(t, post(t, fields, "a.jpg", content)))
		if got := wholeRefusal(refused(t, err)); got != c.want {
			t.Errorf("%s:\n%s, want\n%s", c.policy, got, c.want)
		}
	}
}

// TestBodyRefused is what S3 says of a body that is not what its headers say.
func TestBodyRefused(t *testing.T) {
	const ended = "400 IncompleteBody The request body terminated unexpectedly"
	const length = "400 IncompleteBody You did not provide the number of bytes specified by the Content-Length HTTP header"
	const small = "400 InvalidChunkSizeError Only the last chunk is allowed to have a size less than 8192 bytes "
	const trailer = "x-amz-checksum-crc32:8dUkaA==\r\n"
	least := strings.Repeat("a", 8192)
	for _, c := range []struct {
		declared   int
		body, want string
	}{
		{3, "3\nabc\r\n0\r\n" + trailer + "\r\n", ended},
		{3, "3\r\nabc0\r\n" + trailer + "\r\n", ended},
		{3, "4\r\nabc\r\n0\r\n" + trailer + "\r\n", ended},
		{3, "4\r\nabcd\r\n0\r\n" + trailer + "\r\n", length},
		{3, "2\r\nab\r\n0\r\n" + trailer + "\r\n", length},
		{3, "fffffff\r\nabc", length}, // not read to an end that may be far
		{3, "4\r\nab", ended},
		{3, "4\r\nabcd", ended},
		{3, "3\r\nabc\r\n0\r\n", ended},
		{3, "3\r\nabc\r\n0\r\n" + trailer, ended},
		{3, "3\r\nabc\r\n0\r\n" + strings.Replace(trailer, "=\r", "=\ra\r", 1) + "\r\n", ended},
		{3, "3\r\nabc\r\nx\r\n" + trailer + "\r\n", ended},
		{3, "3\r\nabc\r\n0\r\n\r\n", "400 MalformedTrailerError The request contained trailing data that was not well-formed or did not conform to our published schema."},
		{3, "3\r\nabc\r\n0\r\nx-amz-checksum-crc32:invalid\r\n\r\n", "400 InvalidRequest Value for x-amz-checksum-crc32 trailing header is invalid."},
		{3, "1\r\na\r\n2\r\nbc\r\n0\r\n" + trailer + "\r\n", small + "Chunk=2 BadChunkSize=1"},
		{8193 + 8191, "2000\r\n" + least + "\r\n1\r\nb\r\n1fff\r\n" + least[1:] + "\r\n0\r\n" + trailer + "\r\n", small + "Chunk=3 BadChunkSize=1"},
	} {
		_, _, err := verify(anonymousS3(), unsignedChunks(t, c.declared, c.body))
		if got := wholeRefusal(refused(t, err)); got != c.want {
			t.Errorf("%.60q:\n%s, want\n%s", c.body, got, c.want)
		}
	}
	r := unsignedChunks(t, 8193, "2000\r\n"+least+"\r\n1\r\nb\r\n0\r\n"+trailer+"\r\n")
	if _, body, err := verify(anonymousS3(), r); err != nil || body != least+"b" {
		t.Errorf("a last chunk that is small: %d bytes, %v", len(body), err)
	}

	sum := hexSHA256("abc")
	r = parse(t, "PUT /a/b HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nX-Amz-Content-Sha256: "+sum+"\r\n\r\nabd")
	_, _, err := verify(anonymousS3(), r)
	want := "400 XAmzContentSHA256Mismatch The provided 'x-amz-content-sha256' header does not match what was computed. ClientComputedContentSHA256=" + sum + " S3ComputedContentSHA256=" + hexSHA256("abd")
	if got := wholeRefusal(refused(t, err)); got != want {
		t.Errorf("another body: %s, want %s", got, want)
	}
	for _, payload := range []string{sum, "UNSIGNED-PAYLOAD"} {
		r := parse(t, "PUT /a/b HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\nX-Amz-Content-Sha256: "+payload+"\r\n\r\nabc")
		_, _, err := verify(anonymousS3(), r)
		if got := wholeRefusal(refused(t, err)); got != length {
			t.Errorf("a body that ends early: %s, want %s", got, length)
		}
		slow := errors.New("too slow")
		r = parse(t, "PUT /a/b HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\nX-Amz-Content-Sha256: "+payload+"\r\n\r\n")
		r.Body = io.NopCloser(iotest.ErrReader(slow))
		if _, _, err := verify(anonymousS3(), r); !errors.Is(err, slow) {
			t.Errorf("what the body fails with otherwise: %v", err)
		}
	}
}

// TestSignedChunksRefused is what S3 says of chunks that are not framed as signed ones are.
func TestSignedChunksRefused(t *testing.T) {
	const ended = "400 IncompleteBody The request body terminated unexpectedly"
	for _, c := range []struct {
		name string
		sign func(testing.TB, *http.Request) *http.Request
		old  string // of what was sent; its last occurrence is
		new  string
		want string
	}{
		{"no delimiter", signChunks, ";chunk", ":chunk", ended},
		{"a short signature", signChunks, "chunk-signature=", "chunk-signatur", ended},
		{"no line at the end", signChunks, "\r\n\r\n", "\r\n\rs", ended},
		{"no end of the last line", signChunks, "\r\n\r\n", "bbbb", ended},
		{"another name for the signature", signChunksAndTrailer, "trailer-signature", "trailer-sign", ended},
		{"a signature that is too long", signChunksAndTrailer, "trailer-signature:", "trailer-signature:0", ended},
		{"no end of the trailer", signChunksAndTrailer, "\r\n\r\n", "\r\npp", ended},
		{"another trailer", signChunksAndTrailer, "checksum-crc32:", "checksum-sha1:", "400 MalformedTrailerError The request contained trailing data that was not well-formed or did not conform to our published schema."},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := arrive(t, c.sign(t, upload(t)))
			sent, err := io.ReadAll(r.Body)
			if err != nil {
				t.Fatal(err)
			}
			i := strings.LastIndex(string(sent), c.old)
			if i < 0 {
				t.Fatalf("no %q in %q", c.old, sent)
			}
			text := string(sent[:i]) + c.new + string(sent[i+len(c.old):])
			r.Body = io.NopCloser(strings.NewReader(text))
			_, _, err = verify(access.NewS3(options()), r)
			if got := wholeRefusal(refused(t, err)); got != c.want {
				t.Errorf("%s, want %s", got, c.want)
			}
		})
	}
	r := arrive(t, signChunks(t, upload(t)))
	sent, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	r.Body = io.NopCloser(strings.NewReader(strings.Replace(string(sent), "hello", "jello", 1)))
	_, _, err = verify(access.NewS3(options()), r)
	e := refused(t, err)
	if e.AccessKey != "AKEXAMPLE" || len(e.Signature) != 64 || !strings.HasPrefix(e.StringToSign, "AWS4-HMAC-SHA256-PAYLOAD\n") || len(e.Details) != 4 {
		t.Errorf("a chunk that was changed: %+v", e)
	}
}
