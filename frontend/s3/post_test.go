package s3_test

import (
	"bytes"
	"io"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/gabion-storage/gabion/frontend/access"
)

// TestPostObject posts forms as the SDK signs them.
func TestPostObject(t *testing.T) {
	server := serve(t, memoryEngine(t), access.Options{}, httptest.NewServer)
	c := client(server)
	if _, err := c.CreateBucket(t.Context(), &awss3.CreateBucketInput{Bucket: aws.String("bucket")}); err != nil {
		t.Fatal(err)
	}
	large := random(1, 3<<20)
	sum := base64Sum("SHA256", large)
	url := server.URL + "/bucket/a%20b.jpg"
	const etag = `"900150983cd24fb0d6963f7d28e17f72"`
	for _, post := range []struct {
		what   string
		fields map[string]string // beside the key, which is that of the file
		file   string
		status int
		want   string // of the headers' Location, or of the body
	}{
		{"nothing said", nil, "abc", 204, url},
		{"201", map[string]string{"success_action_status": "201"}, "abc", 201,
			"<PostResponse><Location>" + url + "</Location><Bucket>bucket</Bucket><Key>a b.jpg</Key><ETag>&#34;" + strings.Trim(etag, `"`) + "&#34;</ETag></PostResponse>"},
		{"200", map[string]string{"success_action_status": "200"}, "abc", 200, url},
		{"404", map[string]string{"success_action_status": "404"}, "abc", 204, url},
		{"a redirection", map[string]string{"success_action_redirect": "http://a.b/c?d=e", "success_action_status": "201"}, "abc", 303,
			"http://a.b/c?d=e&bucket=bucket&key=a+b.jpg&etag=%22" + strings.Trim(etag, `"`) + "%22"},
		{"a redirection to no page", map[string]string{"success_action_redirect": "javascript:alert(1)"}, "abc", 204, url},
		{"tags", map[string]string{"tagging": "<Tagging><TagSet><Tag><Key>a</Key><Value>b</Value></Tag></TagSet></Tagging>"}, "abc", 204, url},
		{"tags that are none", map[string]string{"tagging": "<Tagging><Tag"}, "abc", 400, "MalformedXML"},
		{"a list of access", map[string]string{"acl": "public-read"}, "abc", 400, "AccessControlListNotSupported"},
		{"a private one", map[string]string{"acl": "private"}, "abc", 204, url},
		{"a checksum", map[string]string{"x-amz-checksum-sha256": sum}, string(large), 204, url},
		{"a wrong checksum", map[string]string{"x-amz-checksum-sha256": sum}, "abc", 400, "BadDigest"},
		{"a checksum by SHA512", map[string]string{"x-amz-checksum-sha512": base64Sum("SHA512", large)}, string(large), 204, url},
		{"a wrong checksum by XXHASH3", map[string]string{"x-amz-checksum-xxhash3": base64Sum("XXHASH3", large)}, "abc", 400, "BadDigest"},
		{"an MD5", map[string]string{"Content-MD5": "kAFQmDzST7DWlj99KOF/cg=="}, "abc", 204, url},
		{"a wrong MD5", map[string]string{"Content-MD5": "kAFQmDzST7DWlj99KOF/cg=="}, "abd", 400, "BadDigest"},
		{"encrypted", map[string]string{"x-amz-server-side-encryption": "AES256"}, "abc", 204, url},
		{"nothing in it", nil, "", 204, url},
		{"too much in it", nil, string(large) + string(large), 400, "EntityTooLarge"},
		{"attributes", map[string]string{"Content-Type": "text/plain", "x-amz-meta-Who": "me", "Cache-Control": "no-cache"}, "abc", 204, url},
	} {
		t.Run(post.what, func(t *testing.T) {
			status, header, body := postForm(t, server, c, post.fields, post.file)
			if status != post.status || !strings.Contains(header.Get("Location")+body, post.want) {
				t.Fatalf("%d, %v %s, want %d, %s", status, header, body, post.status, post.want)
			}
			if status >= 400 {
				return
			}
			if post.file == "abc" && status != 303 && header.Get("ETag") != etag {
				t.Errorf("ETag %s", header.Get("ETag"))
			}
			stored, _ := get(t, c, &awss3.GetObjectInput{Key: aws.String("a b.jpg")})
			if !bytes.Equal(stored, []byte(post.file)) {
				t.Errorf("%d bytes are stored, want %d", len(stored), len(post.file))
			}
		})
	}
	_, out := get(t, c, &awss3.GetObjectInput{Key: aws.String("a b.jpg")})
	if aws.ToString(out.ContentType) != "text/plain" || out.Metadata["who"] != "me" || aws.ToString(out.CacheControl) != "no-cache" {
		t.Errorf("what is said of the object is %+v", out)
	}
}

// postForm posts a file with some fields, which the policy names, under the file's name.
func postForm(t *testing.T, server *httptest.Server, c *awss3.Client, fields map[string]string, file string) (status int, h http.Header, body string) {
	t.Helper()
	signed, err := awss3.NewPresignClient(c).PresignPostObject(t.Context(),
		&awss3.PutObjectInput{Bucket: aws.String("bucket"), Key: aws.String("${filename}")},
		func(o *awss3.PresignPostOptions) {
			o.Conditions = append(o.Conditions, []any{"content-length-range", 0, 4 << 20},
				[]any{"starts-with", "$key", ""})
			for name, value := range fields {
				o.Conditions = append(o.Conditions, []any{"eq", "$" + name, value})
			}
		})
	if err != nil {
		t.Fatal(err)
	}
	var text bytes.Buffer
	w := multipart.NewWriter(&text)
	for _, fields := range []map[string]string{signed.Values, fields} {
		for name, value := range fields {
			if err := w.WriteField(name, value); err != nil {
				t.Fatal(err)
			}
		}
	}
	part, err := w.CreateFormFile("file", "a b.jpg")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(part, file); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	stay := *server.Client()
	stay.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	res, err := stay.Post(signed.URL, w.FormDataContentType(), &text)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	all, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, res.Header, string(all)
}
