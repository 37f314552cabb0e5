package access_test

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/gabion-storage/gabion/frontend/access"
)

// A field of a form, in its order.
type field struct{ name, value string }

// A signedForm is a way to sign forms.
type signedForm struct {
	name string
	new  func(access.Options) *access.Verifier
	sign func(policy string) []field // what a form needs beside its own fields
	own  string
}

func v1Fields(accessKey string) func(string) []field {
	return func(policy string) []field {
		h := hmac.New(sha1.New, []byte(known["AKEXAMPLE"]))
		h.Write([]byte(policy))
		return []field{
			{accessKey, "AKEXAMPLE"}, {"policy", policy},
			{"Signature", base64.StdEncoding.EncodeToString(h.Sum(nil))},
		}
	}
}

func v4Fields(own, algorithm, name, secret, service, end string) func(string) []field {
	return func(policy string) []field {
		key, date := []byte(secret+known["AKEXAMPLE"]), now.Format("20060102")
		for _, text := range []string{date, region, service, end, policy} {
			h := hmac.New(sha256.New, key)
			h.Write([]byte(text))
			key = h.Sum(nil)
		}
		return []field{
			{algorithm, name},
			{own + "credential", strings.Join([]string{"AKEXAMPLE", date, region, service, end}, "/")},
			{own + "date", now.Format("20060102T150405Z")}, {"policy", policy},
			{own + "signature", hex.EncodeToString(key)},
		}
	}
}

var signedForms = []signedForm{
	{"S3 V2", access.NewS3, v1Fields("AWSAccessKeyId"), "x-amz-"},
	{"S3 V4", access.NewS3, v4Fields("x-amz-", "x-amz-algorithm", "AWS4-HMAC-SHA256", "AWS4", "s3", "aws4_request"), "x-amz-"},
	{"OSS V1", access.NewOSS, v1Fields("OSSAccessKeyId"), "x-oss-"},
	{"OSS V4", access.NewOSS, v4Fields("x-oss-", "x-oss-signature-version", "OSS4-HMAC-SHA256", "aliyun_v4", "oss", "aliyun_v4_request"), "x-oss-"},
}

// always are conditions on what forms of version 4 have, so that S3 lets them in.
func (s signedForm) always() string {
	if !strings.HasSuffix(s.name, "V4") {
		return ""
	}
	return fmt.Sprintf(`["starts-with", "$%scredential", ""], ["starts-with", "$%sdate", ""], `+
		`["starts-with", "$%[1]salgorithm", ""], `, s.own, s.own)
}

// policyOf is a policy of some conditions that holds for an hour.
func policyOf(conditions string) string {
	return fmt.Sprintf(`{"expiration": %q, "conditions": [%s]}`,
		now.Add(time.Hour).Format("2006-01-02T15:04:05.000Z"), conditions)
}

// usual are the conditions on usual.
const usualConditions = `{"bucket": "photos"}, ["starts-with", "$key", "user/"], ["content-length-range", 1, 20]`

var usual = []field{{"key", "user/${filename}"}}

// post is a form with a file.
func post(t testing.TB, fields []field, fileName, file string, behind ...field) *http.Request {
	t.Helper()
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	write := func(fields []field) {
		for _, f := range fields {
			if err := w.WriteField(f.name, f.value); err != nil {
				t.Fatal(err)
			}
		}
	}
	write(fields)
	part, err := w.CreatePart(textproto.MIMEHeader{
		"Content-Disposition": {`form-data; name="file"; filename="` + fileName + `"`},
		"Content-Type":        {"image/jpeg"},
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(part, file); err != nil {
		t.Fatal(err)
	}
	write(behind)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return posted(t, w.FormDataContentType(), &b)
}

func posted(t testing.TB, contentType string, body io.Reader) *http.Request {
	t.Helper()
	r, err := http.NewRequest("POST", "http://127.0.0.1:9000/photos", body)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", contentType)
	return r
}

// signedFields are fields and what signs a policy, which is one of S3, too.
func (s signedForm) signedFields(policy string, fields ...field) []field {
	policy = strings.Replace(policy, `"conditions": [`, `"conditions": [`+s.always(), 1)
	if s.own == "x-oss-" {
		policy = strings.Replace(policy, "x-oss-algorithm", "x-oss-signature-version", 1)
	}
	return append(fields, s.sign(base64.StdEncoding.EncodeToString([]byte(policy)))...)
}

// refusal is what access says against a request, or "".
func refusal(t testing.TB, err error) string {
	t.Helper()
	var refused *access.Error
	if err != nil && !errors.As(err, &refused) {
		t.Fatal(err)
	}
	if refused == nil {
		return ""
	}
	return fmt.Sprint(refused.Status, " ", refused.Code)
}

// TestForm lets signed forms in, each with what it is about.
func TestForm(t *testing.T) {
	for _, s := range signedForms {
		t.Run(s.name, func(t *testing.T) {
			fields := s.signedFields(policyOf(usualConditions+`, ["eq", "$`+s.own+`meta-a", "b"]`),
				field{"KEY", "user/${filename}"}, field{s.own + "meta-a", "b"},
				field{"x-ignore-this", "x"})
			r := arrive(t, post(t, fields, `C:\pictures\a b+你%22.jpg`, content, field{"submit", "go"}))
			r.Header.Set("If-None-Match", "*")
			id, body, err := verify(s.new(options()), r)
			if err != nil || body != content {
				t.Fatalf("%q: %v", body, err)
			}
			got := fmt.Sprint(id.AccessKey, " ", id.Bucket, " ", id.Key, " ", id.Length, " ",
				r.Header.Get(s.own+"meta-a"), r.Header.Get("If-None-Match"), id.Form["x-ignore-this"])
			if want := `AKEXAMPLE photos user/a b+你%22.jpg -1 bx`; got != want {
				t.Errorf("%s, want %s", got, want)
			}
		})
	}
}

// TestPolicy refuses what a policy does not allow, and policies that are none.
func TestPolicy(t *testing.T) {
	const denied, invalid = "403 AccessDenied", "400 InvalidPolicyDocument"
	for _, c := range []struct {
		what, policy string
		fields       []field
		file, want   string // by S3 | by OSS, if there are two
	}{
		{"eq holds", policyOf(usualConditions + `, {"acl": "private"}`), []field{{"acl", "private"}}, content, ""},
		{"names and operators in any case", policyOf(`{"bUcKeT": "photos"}, ["StArTs-WiTh", "$KeY", "user/"]`), nil, content, ""},
		{"eq does not hold", policyOf(usualConditions + `, ["eq", "$acl", "private"]`), []field{{"acl", "public"}}, content, denied},
		{"the field is missing", policyOf(usualConditions + `, ["starts-with", "$acl", ""]`), nil, content, denied},
		{"another key", policyOf(`{"bucket": "photos"}, ["starts-with", "$key", "mine/"]`), nil, content, denied},
		{"another bucket", policyOf(`{"bucket": "other"}, ["starts-with", "$key", ""]`), nil, content, denied},
		{"the name of the file counts", policyOf(`{"bucket": "photos"}, ["eq", "$key", "user/a.jpg"]`), nil, content, ""},
		{"a dollar with a backslash", policyOf(`{"bucket": "photos"}, ["starts-with", "$key", "user/"], ["eq", "$acl", "\$a\\$"]`), []field{{"acl", `$a\$`}}, content, ""},
		{"in", policyOf(usualConditions + `, ["in", "$acl", ["private", "default"]]`), []field{{"acl", "default"}}, content, invalid + "|"},
		{"not one of in", policyOf(usualConditions + `, ["in", "$acl", ["private"]]`), []field{{"acl", "default"}}, content, invalid + "|" + denied},
		{"not-in", policyOf(usualConditions + `, ["not-in", "$acl", ["private"]]`), []field{{"acl", "default"}}, content, invalid + "|"},
		{"one of not-in", policyOf(usualConditions + `, ["not-in", "$acl", ["default"]]`), []field{{"acl", "default"}}, content, invalid + "|" + denied},
		{"expired", `{"expiration": "2007-12-01T12:00:00.000Z", "conditions": [{"bucket": "photos"}]}`, nil, content, denied},
		{"too large", policyOf(usualConditions), nil, strings.Repeat("x", 21), "400 EntityTooLarge"},
		{"as large as may be", policyOf(usualConditions), nil, strings.Repeat("x", 20), ""},
		{"as small as may be", policyOf(usualConditions), nil, "x", ""},
		{"too small", policyOf(usualConditions), nil, "", "400 EntityTooSmall"},
		{"sizes that are text", policyOf(usualConditions + `, ["content-length-range", "0", "5"]`), nil, "xxxxxx", "400 EntityTooLarge"},
		{"not JSON", `{"expiration": `, nil, content, invalid},
		{"a list", `[]`, nil, content, invalid},
		{"no expiration", `{"conditions": []}`, nil, content, invalid},
		{"another name in capitals", `{"EXPIRATION": "2107-12-01T12:00:00Z", "conditions": []}`, nil, content, invalid},
		{"an expiration that is no time", `{"expiration": "2107-12-01 12:00:00+00:00", "conditions": []}`, nil, content, invalid},
		{"no conditions", `{"expiration": "2107-12-01T12:00:00Z"}`, nil, content, invalid},
		{"conditions in capitals", `{"expiration": "2107-12-01T12:00:00Z", "CONDITIONS": []}`, nil, content, invalid},
		{"conditions that are null", `{"expiration": "2107-12-01T12:00:00Z", "conditions": null}`, nil, content, invalid},
		{"an empty condition", policyOf(usualConditions + `, {}`), nil, content, invalid},
		{"two in one", policyOf(usualConditions + `, {"acl": "private", "key": "x"}`), nil, content, invalid},
		{"a condition of a number", policyOf(usualConditions + `, 1`), nil, content, invalid},
		{"an unknown operator", policyOf(usualConditions + `, ["ends-with", "$key", "x"]`), nil, content, invalid},
		{"no dollar", policyOf(usualConditions + `, ["eq", "key", "user/a.jpg"]`), nil, content, denied + "|" + invalid},
		{"another element", strings.Replace(policyOf(usualConditions), "{", `{"extra": 1, `, 1), nil, content, invalid + "|"},
		{"a list for a text", policyOf(usualConditions + `, ["eq", "$key", ["x"]]`), nil, content, invalid},
		{"one size", policyOf(usualConditions + `, ["content-length-range", 0]`), nil, content, invalid},
		{"a negative size", policyOf(usualConditions + `, ["content-length-range", -1, 0]`), nil, content, invalid},
		{"sizes the wrong way round", policyOf(usualConditions + `, ["content-length-range", 2, 1]`), nil, content, invalid},
		{"a size of a text", policyOf(usualConditions + `, ["content-length-range", 1, "test"]`), nil, content, invalid},
		{"half a byte", policyOf(usualConditions + `, ["content-length-range", 0, 1.5]`), nil, content, invalid},
	} {
		for _, s := range signedForms {
			t.Run(c.what+"/"+s.name, func(t *testing.T) {
				fields := s.signedFields(c.policy, append(usual, c.fields...)...)
				_, _, err := verify(s.new(options()), arrive(t, post(t, fields, "a.jpg", c.file)))
				if got := refusal(t, err); got != s.of(c.want) {
					t.Errorf("%s (%v), want %s", got, err, s.of(c.want))
				}
			})
		}
	}
}

// of is that of two wants, by S3 | by OSS, that is about the service.
func (s signedForm) of(both string) string {
	first, second, two := strings.Cut(both, "|")
	if two && s.own == "x-oss-" {
		return second
	}
	return first
}

// TestFormNames demands of S3's policies that they name each field, which OSS's need not.
func TestFormNames(t *testing.T) {
	for _, s := range signedForms {
		for what, fields := range map[string][]field{
			policyOf(usualConditions):                {{"acl", "private"}},
			policyOf(`["starts-with", "$key", ""]`):  nil,
			policyOf(`{"bucket": "photos"}`):         nil,
			policyOf(usualConditions + `,["a","b"]`): nil,
		} {
			want := ""
			if s.own == "x-amz-" {
				want = "403 AccessDenied"
			}
			if strings.Contains(what, `["a"`) {
				want = "400 InvalidPolicyDocument"
			}
			signed := s.signedFields(what, append(usual, fields...)...)
			_, _, err := verify(s.new(options()), arrive(t, post(t, signed, "a.jpg", content)))
			if got := refusal(t, err); got != want {
				t.Errorf("%s: %s: %s (%v), want %s", s.name, what, got, err, want)
			}
		}
	}
}

// TestPolicyOnType judges the type that is stored: of S3's forms that of the field, and of OSS's the first
// of x-oss-content-type, the file's, and the field's.
func TestPolicyOnType(t *testing.T) {
	const denied = "403 AccessDenied"
	onType := func(condition string) string { return policyOf(usualConditions + ", " + condition) }
	png, jpeg := onType(`["eq", "$content-type", "image/png"]`), onType(`["in", "$Content-Type", ["image/jpeg"]]`)
	images := onType(`["starts-with", "$Content-Type", "image/"]`)
	for _, c := range []struct {
		what, policy string
		fields       []field // the type of the file is image/jpeg
		want, stored string  // by S3 | by OSS, if there are two
	}{
		{"the field's", png, []field{{"Content-Type", "image/png"}}, "|" + denied, "image/png|"},
		{"the file's", jpeg, nil, "400 InvalidPolicyDocument|", "|image/jpeg"},
		{"the file's, and another field's", jpeg, []field{{"Content-Type", "text/html"}}, "400 InvalidPolicyDocument|", "|image/jpeg"},
		{"OSS's own", png, []field{{"x-oss-content-type", "image/png"}}, denied + "|", "|image/png"},
		{"OSS's own is another", png, []field{{"Content-Type", "image/png"}, {"x-oss-content-type", "text/html"}}, denied, ""},
		{"not-in", onType(`["not-in", "$content-type", ["text/html"]]`), []field{{"Content-Type", "text/css"}, {"x-oss-content-type", "text/html"}}, "400 InvalidPolicyDocument|" + denied, ""},
		{"each of the types", images, []field{{"Content-Type", "image/png, image/gif"}}, "", "image/png, image/gif|image/jpeg"},
		{"not each of the types", images, []field{{"Content-Type", "image/png,text/html"}}, denied + "|", "|image/jpeg"},
		{"not each of OSS's own", images, []field{{"x-oss-content-type", "image/png,text/html"}}, denied, ""},
	} {
		for _, s := range signedForms {
			t.Run(c.what+"/"+s.name, func(t *testing.T) {
				r := arrive(t, post(t, s.signedFields(c.policy, append(usual, c.fields...)...), "a.jpg", content))
				_, _, err := verify(s.new(options()), r)
				if got := refusal(t, err); got != s.of(c.want) {
					t.Fatalf("%s (%v), want %s", got, err, s.of(c.want))
				}
				if got := r.Header.Get("Content-Type"); err == nil && got != s.of(c.stored) {
					t.Errorf("%s is stored, want %s", got, s.of(c.stored))
				}
			})
		}
	}
}

// TestFormSaysItOnce refuses a form that says the same header by two fields, of which the policy may
// have judged the other one.
func TestFormSaysItOnce(t *testing.T) {
	for _, s := range signedForms {
		fields := s.signedFields(policyOf(usualConditions+`, {"acl": "private"}, ["starts-with", "$`+s.own+`acl", ""]`),
			usual[0], field{"acl", "private"}, field{s.own + "acl", "public-read"})
		_, _, err := verify(s.new(options()), arrive(t, post(t, fields, "a.jpg", content)))
		if got := refusal(t, err); got != "400 InvalidArgument" {
			t.Errorf("%s: %s (%v)", s.name, got, err)
		}
	}
}

// TestFormSignature refuses what is not signed by who says so.
func TestFormSignature(t *testing.T) {
	without := func(name string) func(f field) []field {
		return func(f field) []field {
			if strings.HasSuffix(strings.ToLower(f.name), name) {
				return nil
			}
			return []field{f}
		}
	}
	change := func(name string, how func(string) string) func(f field) []field {
		return func(f field) []field {
			if strings.HasSuffix(strings.ToLower(f.name), name) {
				f.value = how(f.value)
			}
			return []field{f}
		}
	}
	other := policyOf(usualConditions + `, {"acl": "x"}`)
	for what, c := range map[string]struct {
		edit func(field) []field
		want string // of each of signedForms, if there are several
	}{
		"as it was signed":         {without("nothing"), ""},
		"no signature":             {without("signature"), "400 InvalidArgument"},
		"no policy":                {without("policy"), "400 InvalidArgument"},
		"no access key":            {without("accesskeyid"), "400 InvalidArgument,,400 InvalidArgument,"},
		"no credential":            {without("credential"), ",400 InvalidArgument,,400 InvalidArgument"},
		"no date":                  {without("date"), ",400 InvalidArgument,,400 InvalidArgument"},
		"no key":                   {without("key"), "400 InvalidArgument"},
		"another signature":        {change("signature", func(s string) string { return "x" + s }), "403 SignatureDoesNotMatch"},
		"another policy":           {change("policy", func(string) string { return base64.StdEncoding.EncodeToString([]byte(other)) }), "403 SignatureDoesNotMatch"},
		"a policy of no base64":    {change("policy", func(s string) string { return s + "!" }), "403 SignatureDoesNotMatch"},
		"an unknown access key":    {change("accesskeyid", func(string) string { return "NOBODY" }), "403 InvalidAccessKeyId,,403 InvalidAccessKeyId,"},
		"another's access key":     {change("accesskeyid", func(string) string { return "OTHER" }), "403 SignatureDoesNotMatch,,403 SignatureDoesNotMatch,"},
		"an unknown credential":    {change("credential", func(s string) string { return "X" + s }), ",403 InvalidAccessKeyId,,403 InvalidAccessKeyId"},
		"a credential of no scope": {change("credential", func(string) string { return "AKEXAMPLE" }), ",400 InvalidArgument,,400 InvalidArgument"},
		"a date of another day":    {change("date", func(string) string { return "20070101T000000Z" }), ",400 InvalidArgument,,400 InvalidArgument"},
		"another algorithm":        {change("algorithm", func(string) string { return "X" }), ",400 InvalidArgument,,"},
		"two keys":                 {func(f field) []field { return []field{f, f} }, "400 InvalidArgument"},
	} {
		for i, s := range signedForms {
			t.Run(what+"/"+s.name, func(t *testing.T) {
				var fields []field
				for _, f := range s.signedFields(policyOf(usualConditions), usual...) {
					fields = append(fields, c.edit(f)...)
				}
				want := c.want
				if each := strings.Split(want, ","); len(each) > 1 {
					want = each[i]
				}
				_, _, err := verify(s.new(options()), arrive(t, post(t, fields, "a.jpg", content)))
				if got := refusal(t, err); got != want {
					t.Errorf("%s (%v), want %q", got, err, want)
				}
			})
		}
	}
}

// TestFormOfNobody lets a form without a signature in if anonymous clients may come in.
func TestFormOfNobody(t *testing.T) {
	for _, s := range signedForms {
		_, _, err := verify(s.new(options()), arrive(t, post(t, usual, "a.jpg", content)))
		if got := refusal(t, err); got != "403 AccessDenied" {
			t.Errorf("%s: %s (%v), want AccessDenied", s.name, got, err)
		}
		o := options()
		o.Anonymous = true
		id, body, err := verify(s.new(o), arrive(t, post(t, usual, "a.jpg", content)))
		if err != nil || body != content || id.AccessKey != "" || id.Key != "user/a.jpg" {
			t.Errorf("%s: %+v, %q: %v", s.name, id, body, err)
		}
	}
}

// TestFormType takes the type of the object from where each service does.
func TestFormType(t *testing.T) {
	o := options()
	o.Anonymous = true
	for _, c := range []struct {
		new    func(access.Options) *access.Verifier
		fields []field
		want   string
	}{
		{access.NewS3, nil, ""},
		{access.NewS3, []field{{"Content-Type", "text/plain"}}, "text/plain"},
		{access.NewOSS, []field{{"Content-Type", "text/plain"}}, "image/jpeg"},
		{access.NewOSS, []field{{"x-oss-content-type", "text/css"}}, "text/css"},
	} {
		r := arrive(t, post(t, append(usual, c.fields...), "a.jpg", content))
		if _, _, err := verify(c.new(o), r); err != nil || r.Header.Get("Content-Type") != c.want {
			t.Errorf("%v: %s (%v), want %s", c.fields, r.Header.Get("Content-Type"), err, c.want)
		}
	}
}

// TestHostileForm refuses forms that are none, and those that are made to take more than a form.
func TestHostileForm(t *testing.T) {
	const boundary = "multipart/form-data; boundary=b"
	const key = "--b\r\nContent-Disposition: form-data; name=\"key\"\r\n\r\nk\r\n"
	const file = "--b\r\nContent-Disposition: form-data; name=\"file\"\r\n\r\n"
	many := func(n int) (fields string) {
		for i := range n {
			fields += fmt.Sprintf("--b\r\nContent-Disposition: form-data; name=\"f%d\"\r\n\r\n\r\n", i)
		}
		return fields
	}
	o := options()
	o.Anonymous = true
	const malformed = "400 MalformedPOSTRequest"
	const tooLong = "400 MaxPostPreDataLengthExceededError"
	for what, c := range map[string]struct{ contentType, body, want string }{
		"as it should be":        {boundary, key + file + "x\r\n--b--", ""},
		"many fields":            {boundary, many(500) + key + file + "x\r\n--b--", ""},
		"no boundary":            {"multipart/form-data", key + file + "x\r\n--b--", malformed},
		"an empty boundary":      {`multipart/form-data; boundary=""`, key + file + "x\r\n--b--", malformed},
		"another boundary":       {"multipart/form-data; boundary=c", key + file + "x\r\n--b--", malformed},
		"nothing":                {boundary, "", malformed},
		"no end":                 {boundary, key + file + "x", malformed},
		"no end of a field":      {boundary, key, malformed},
		"no end behind the file": {boundary, key + file + "x\r\n" + key, malformed},
		"no file":                {boundary, key + "--b--", "400 IncorrectNumberOfFilesInPostRequest"},
		"two files":              {boundary, key + file + "x\r\n" + file + "y\r\n--b--", "400 IncorrectNumberOfFilesInPostRequest"},
		"no name":                {boundary, key + "--b\r\nContent-Disposition: form-data; filename=\"a\"\r\n\r\nx\r\n--b--", malformed},
		"the key behind it":      {boundary, file + "x\r\n" + key + "--b--", "400 InvalidArgument"},
		"a long field":           {boundary, key + "--b\r\nContent-Disposition: form-data; name=\"f\"\r\n\r\n" + strings.Repeat("x", 64<<10) + "\r\n" + file + "x\r\n--b--", tooLong},
		"a long header":          {boundary, "--b\r\nContent-Disposition: form-data; name=\"f\"\r\nX: " + strings.Repeat("x", 64<<10) + "\r\n\r\n\r\n" + key + file + "x\r\n--b--", tooLong},
		"a long preamble":        {boundary, strings.Repeat("x\r\n", 32<<10) + key + file + "x\r\n--b--", tooLong},
		"too many fields":        {boundary, many(513) + key + file + "x\r\n--b--", tooLong},
		"a long end":             {boundary, key + file + "x\r\n--b\r\n\r\n" + strings.Repeat("x", 80<<10) + "\r\n--b--", malformed},
		"many parts at the end":  {boundary, key + file + "x\r\n" + strings.Repeat("--b\r\n\r\n\r\n", 600) + "--b--", malformed},
		"a header in a field":    {boundary, key + "--b\r\nContent-Disposition: form-data; name=\"x-amz-meta-a\"\r\n\r\nb\r\nX: y\r\n" + file + "x\r\n--b--", "400 InvalidArgument"},
		"a name that is none":    {boundary, key + "--b\r\nContent-Disposition: form-data; name=\"x-amz-meta-a b\"\r\n\r\nb\r\n" + file + "x\r\n--b--", "400 InvalidArgument"},
	} {
		t.Run(what, func(t *testing.T) {
			// One byte at a time: nothing depends on what comes together.
			r := posted(t, c.contentType, iotest.OneByteReader(strings.NewReader(c.body)))
			_, body, err := verify(access.NewS3(o), r)
			if got := refusal(t, err); got != c.want || got == "" && body != "x" {
				t.Errorf("%s, %q (%v), want %s", got, body, err, c.want)
			}
		})
	}
}

// TestFormOfManyNames refuses a form whose file has a long name that a field wants many times, without
// writing it out: nobody has said yet who sends it.
func TestFormOfManyNames(t *testing.T) {
	const times, long = 2900, 32 << 10
	o := options()
	o.Anonymous = true
	for _, c := range []struct {
		times, long int
		want        string
	}{
		{times, long, "400 MaxPostPreDataLengthExceededError"},
		{1, long, ""},
		{times, 1, ""},
		{times, 22, ""},
		{times, 23, "400 MaxPostPreDataLengthExceededError"},
	} {
		t.Run(fmt.Sprint(c.times, " of ", c.long), func(t *testing.T) {
			fields := []field{{"key", "k"}, {"f", strings.Repeat("${filename}", c.times)}}
			r := post(t, fields, strings.Repeat("x", c.long), content)
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			id, err := access.NewS3(o).Verify(r)
			runtime.ReadMemStats(&after)
			if got := refusal(t, err); got != c.want {
				t.Errorf("%s (%v), want %s", got, err, c.want)
			}
			if took := after.TotalAlloc - before.TotalAlloc; took > 1<<20 {
				t.Errorf("it takes %d bytes", took)
			}
			if err == nil && len(id.Form["f"]) != c.times*c.long {
				t.Errorf("the field has %d bytes, want %d", len(id.Form["f"]), c.times*c.long)
			}
		})
	}
}

// TestNoForm leaves alone what only looks like a form.
func TestNoForm(t *testing.T) {
	for _, target := range []string{"/", "/photos/key", "/photos?delete", "/photos?x"} {
		r := post(t, usual, "a.jpg", content)
		u, err := r.URL.Parse(target)
		if err != nil {
			t.Fatal(err)
		}
		r.URL = u
		o := options()
		o.Anonymous = true
		id, err := access.NewS3(o).Verify(arrive(t, r))
		if err != nil || id.Form != nil {
			t.Errorf("%s: %+v, %v", target, id, err)
		}
	}
}

// TestFormFails stays failed.
func TestFormFails(t *testing.T) {
	s := signedForms[0]
	fields := s.signedFields(policyOf(usualConditions), usual...)
	r := arrive(t, post(t, fields, "a.jpg", content, field{"file", "another"}))
	id, err := s.new(options()).Verify(r)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		_, err := io.Copy(io.Discard, id.Body)
		if got := refusal(t, err); got != "400 IncorrectNumberOfFilesInPostRequest" {
			t.Errorf("%s: %v", got, err)
		}
	}
}

// FuzzForm changes forms that were signed. Whatever still comes in as signed is as its policy says.
func FuzzForm(f *testing.F) {
	contentType := ""
	for i, s := range signedForms {
		r := post(f, s.signedFields(policyOf(usualConditions), usual...), "a.jpg", content)
		body, err := io.ReadAll(r.Body)
		if err != nil {
			f.Fatal(err)
		}
		contentType = r.Header.Get("Content-Type")
		_, boundary, _ := strings.Cut(contentType, "boundary=")
		f.Add(i, bytes.ReplaceAll(body, []byte(boundary), []byte("b")))
	}
	f.Fuzz(func(t *testing.T, which int, body []byte) {
		if which < 0 || which >= len(signedForms) {
			return
		}
		o := options()
		o.Anonymous = true
		r := posted(t, "multipart/form-data; boundary=b", bytes.NewReader(body))
		id, file, err := verify(signedForms[which].new(o), r)
		refusal(t, err)
		if err != nil || id.AccessKey == "" {
			return
		}
		if id.Bucket != "photos" || !strings.HasPrefix(id.Key, "user/") || len(file) < 1 || len(file) > 20 {
			t.Errorf("%+v came in with %q", id, file)
		}
	})
}
