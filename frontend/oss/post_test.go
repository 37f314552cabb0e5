package oss_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/gabion-storage/gabion/frontend/access"
	"github.com/gabion-storage/gabion/frontend/oss"
)

// formOf is a form's body, of lines "name: value" and a file. The boundary is "b".
func formOf(fields, file string) string {
	var b strings.Builder
	for line := range strings.Lines(fields) {
		name, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ": ")
		fmt.Fprintf(&b, "--b\r\nContent-Disposition: form-data; name=%q\r\n\r\n%s\r\n", name, value)
	}
	return b.String() + "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a b.jpg\"\r\n" +
		"Content-Type: image/jpeg\r\n\r\n" + file + "\r\n--b--\r\n"
}

const formHeader = "\nContent-Type: multipart/form-data; boundary=b"

// TestPostObject posts forms to a bucket.
func TestPostObject(t *testing.T) {
	play(t, anonymous(memoryEngine(t)), []exchange{
		{"PUT /bucket", "", 200, ""},
		{"POST /bucket" + formHeader, formOf("key: dir/${filename}\nx-oss-meta-who: me", "123456789"), 204,
			"Etag: \"25F9E794323B453885F5181F1B624D0B\"\nX-Oss-Hash-Crc64ecma: 11051210869376104954\n" +
				"Location: http://127.0.0.1/bucket/dir/a%20b.jpg"},
		{"GET /bucket/dir/a%20b.jpg", "", 200, "Content-Type: image/jpeg\nX-Oss-Meta-Who: me\n123456789"},
		{"POST /\nHost: bucket.localhost" + formHeader, formOf("key: k\nsuccess_action_status: 201\nx-oss-content-type: text/css", "x"), 201,
			"<PostResponse><Location>http://bucket.localhost/k</Location><Bucket>bucket</Bucket><Key>k</Key><ETag>&#34;"},
		{"GET /bucket/k", "", 200, "Content-Type: text/css\nx"},
		{"POST /bucket/" + formHeader, formOf("key: k\nsuccess_action_status: 200", "y"), 200, "Location: http://127.0.0.1/bucket/k"},
		{"POST /bucket" + formHeader, formOf("key: k\nsuccess_action_redirect: https://a/b#c", "y"), 303,
			"Location: https://a/b?bucket=bucket&key=k&etag=%22415290769594460E2E485922904F345D%22#c"},
		{"POST /bucket" + formHeader, formOf("key: k\nx-oss-forbid-overwrite: true", "z"), 409, "<Code>FileAlreadyExists</Code>"},
		{"POST /bucket" + formHeader, formOf("key: tagged\nx-oss-tagging: a=b\ntagging: <Tagging><TagSet><Tag><Key>c</Key><Value>d</Value></Tag></TagSet></Tagging>\nredirect: https://a", "z"), 204, ""},
		{"GET /bucket/tagged?tagging", "", 200, "<TagSet><Tag><Key>a</Key><Value>b</Value></Tag></TagSet>"},
		{"POST /bucket" + formHeader, formOf("key: k\nx-oss-object-acl: nobody", "z"), 400, "<Code>InvalidArgument</Code>"},
		{"POST /bucket" + formHeader, formOf("key: k\nContent-MD5: AAAAAAAAAAAAAAAAAAAAAA==", "z"), 400, "<Code>InvalidDigest</Code>"},
		{"POST /bucket" + formHeader, formOf("key: k\ncallback: x", "z"), 501, "<Code>NotImplemented</Code>"},
		{"POST /bucket" + formHeader, formOf("key: k\nx-oss-copy-source: /bucket/k", "z"), 501, "<Code>NotImplemented</Code>"},
		{"POST /bucket?append" + formHeader, formOf("key: k", "z"), 501, "<Code>NotImplemented</Code>"},
		{"POST /bucket" + formHeader, formOf("nokey: k", "z"), 400, "<Code>InvalidArgument</Code>"},
		{"POST /bucket" + formHeader, strings.TrimSuffix(formOf("key: k", "z"), "--b--\r\n"), 400, "<Code>MalformedPOSTRequest</Code>"},
		{"POST /bucket" + formHeader, formOf("key: k\nfield: "+strings.Repeat("x", 64<<10), "z"), 400, "<Code>FieldItemTooLong</Code>"},
		{"POST /absent" + formHeader, formOf("key: k", "z"), 404, "<Code>NoSuchBucket</Code>"},
		{"GET /bucket/k", "", 200, "y"},
	})
}

// TestPostPolicy lets in what its policy allows, of whoever has signed it.
func TestPostPolicy(t *testing.T) {
	h := oss.New(memoryEngine(t), &oss.Options{Access: access.Options{
		Keys: access.StaticKeys{"AK": "secret"}, Anonymous: true,
		Authorize: func(_ context.Context, a access.Action) error {
			if a.Name == "CreateBucket" || a == (access.Action{AccessKey: "AK", Name: "PutObject", Bucket: "bucket", Key: "k"}) {
				return nil
			}
			return errors.New("no")
		},
	}})
	policy := base64.StdEncoding.EncodeToString(fmt.Appendf(nil,
		`{"expiration": %q, "conditions": [["content-length-range", 1, 3], ["eq", "$success_action_status", "200"]]}`,
		time.Now().Add(time.Hour).UTC().Format(time.RFC3339)))
	mac := hmac.New(sha1.New, []byte("secret"))
	mac.Write([]byte(policy))
	signed := "OSSAccessKeyId: AK\npolicy: " + policy + "\nSignature: " + base64.StdEncoding.EncodeToString(mac.Sum(nil))
	play(t, h, []exchange{
		{"PUT /bucket", "", 200, ""},
		{"POST /bucket" + formHeader, formOf("key: k\nsuccess_action_status: 200\n"+signed, "abc"), 200, ""},
		{"POST /bucket" + formHeader, formOf("key: k\nsuccess_action_status: 201\n"+signed, "abc"), 403, "<Code>AccessDenied</Code>"},
		{"POST /bucket" + formHeader, formOf("key: k\nsuccess_action_status: 200\n"+signed, "abcd"), 400, "<Code>EntityTooLarge</Code>"},
		{"POST /bucket" + formHeader, formOf("key: k\nsuccess_action_status: 200\n"+signed, ""), 400, "<Code>EntityTooSmall</Code>"},
		{"POST /bucket" + formHeader, formOf("key: other\nsuccess_action_status: 200\n"+signed, "abc"), 403, "<Code>AccessDenied</Code>"},
		{"POST /bucket" + formHeader, formOf("key: k\n"+signed+"x", "abc"), 403, "<Code>SignatureDoesNotMatch</Code>\n<StringToSign>" + policy + "</StringToSign>\n<OSSAccessKeyId>AK</OSSAccessKeyId>"},
		{"POST /bucket" + formHeader, formOf("key: k", "abc"), 403, "<Code>AccessDenied</Code>"},
	})
}
