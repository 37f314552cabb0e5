package access_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aliyun/alibabacloud-oss-go-sdk-v2/oss/signer"

	"github.com/gabion-storage/gabion/frontend/access"
)

// A form is a way to sign a request.
type form struct {
	name     string
	new      func(access.Options) *access.Verifier
	sign     func(testing.TB, *http.Request) *http.Request
	unsigned string // what tampering the form does not notice: "host body header"
}

var forms = []form{
	{"S3 header", access.NewS3, func(t testing.TB, r *http.Request) *http.Request {
		r.Header.Set("X-Amz-Meta-Color", "red")
		return signS3(t, r, hexSHA256(content))
	}, ""},
	{"S3 header, body unsigned", access.NewS3, func(t testing.TB, r *http.Request) *http.Request {
		r.Header.Set("X-Amz-Meta-Color", "red")
		return signS3(t, r, "UNSIGNED-PAYLOAD")
	}, "body"},
	{"S3 URL", access.NewS3, func(t testing.TB, r *http.Request) *http.Request {
		r.Header.Set("X-Amz-Meta-Color", "red")
		return presignS3(t, r, "3600")
	}, "body"},
	{"S3 signed chunks", access.NewS3, signChunks, ""},
	{"S3 signed chunks and trailer", access.NewS3, signChunksAndTrailer, ""},
	{"OSS V1 header", access.NewOSS, func(t testing.TB, r *http.Request) *http.Request {
		r.Header.Set("X-Oss-Meta-Color", "red")
		return signOSS(t, &signer.SignerV1{}, r, signer.SigningContext{Time: now})
	}, "body host"},
	{"OSS V1 URL", access.NewOSS, func(t testing.TB, r *http.Request) *http.Request {
		r.Header.Set("X-Oss-Meta-Color", "red")
		return signOSS(t, &signer.SignerV1{}, r, signer.SigningContext{
			Time: now.Add(time.Hour), AuthMethodQuery: true,
		})
	}, "body host"},
	{"OSS V2 header", access.NewOSS, func(t testing.TB, r *http.Request) *http.Request {
		r.Header.Set("X-Oss-Meta-Color", "red")
		r.Header.Set("Date", now.Format(http.TimeFormat))
		r.Header.Set("Authorization", "OSS2 AccessKeyId:AKEXAMPLE,AdditionalHeaders:host,Signature:"+
			signatureV2(r, "host"))
		return r
	}, "body"},
	{"OSS V2 URL", access.NewOSS, func(t testing.TB, r *http.Request) *http.Request {
		r.Header.Set("X-Oss-Meta-Color", "red")
		query := r.URL.Query()
		query.Set("x-oss-signature-version", "OSS2")
		query.Set("x-oss-access-key-id", "AKEXAMPLE")
		query.Set("x-oss-expires", strconv.FormatInt(now.Add(time.Hour).Unix(), 10))
		r.URL.RawQuery = query.Encode()
		query.Set("x-oss-signature", signatureV2(r, ""))
		r.URL.RawQuery = query.Encode()
		return r
	}, "body host"},
	{"OSS V4 header", access.NewOSS, func(t testing.TB, r *http.Request) *http.Request {
		r.Header.Set("X-Oss-Meta-Color", "red")
		return signOSS(t, &signer.SignerV4{}, r, signer.SigningContext{Time: now})
	}, "body host"},
	{"OSS V4 URL", access.NewOSS, func(t testing.TB, r *http.Request) *http.Request {
		r.Header.Set("X-Oss-Meta-Color", "red")
		return signOSS(t, &signer.SignerV4{}, r, signer.SigningContext{
			Time: time.Now().Add(time.Hour), AuthMethodQuery: true,
		})
	}, "body host"},
}

func TestSignaturesOfTheSDKsAreRight(t *testing.T) {
	for _, f := range forms {
		t.Run(f.name, func(t *testing.T) {
			r := arrive(t, f.sign(t, upload(t)))
			id, body, err := verify(f.new(options()), r)
			if err != nil {
				t.Fatal(err)
			}
			if id.AccessKey != "AKEXAMPLE" || id.Bucket != uploadedBucket || id.Key != uploadedKey {
				t.Fatalf("%+v", id)
			}
			if body != content || id.Length != int64(len(content)) {
				t.Fatalf("body %q, length %d", body, id.Length)
			}
		})
	}
}

// What somebody on the way can do to a request.
var tamperings = []struct {
	name string
	do   func(*http.Request)
}{
	{"method", func(r *http.Request) { r.Method = "POST" }},
	{"path", func(r *http.Request) { r.URL.Path += "x"; r.URL.RawPath = "" }},
	{"bucket", func(r *http.Request) {
		r.URL.Path = strings.Replace(r.URL.Path, "photos", "secrets", 1)
		r.URL.RawPath = ""
	}},
	{"query", func(r *http.Request) {
		r.URL.RawQuery = strings.Replace(r.URL.RawQuery, "partNumber=1", "partNumber=2", 1)
	}},
	{"query more", func(r *http.Request) { r.URL.RawQuery += "&acl" }},
	{"query less", func(r *http.Request) {
		r.URL.RawQuery = strings.Replace(r.URL.RawQuery, "partNumber=1&", "", 1)
		r.URL.RawQuery = strings.Replace(r.URL.RawQuery, "&partNumber=1", "", 1)
	}},
	{"content type", func(r *http.Request) { r.Header.Set("Content-Type", "text/html") }},
	{"metadata", func(r *http.Request) {
		for _, service := range []string{"Amz", "Oss"} {
			if r.Header.Get("X-"+service+"-Meta-Color") != "" {
				r.Header.Set("X-"+service+"-Meta-Color", "blue")
			}
		}
	}},
	{"metadata twice", func(r *http.Request) {
		for _, service := range []string{"Amz", "Oss"} {
			if r.Header.Get("X-"+service+"-Meta-Color") != "" {
				r.Header.Add("X-"+service+"-Meta-Color", "blue")
			}
		}
	}},
	{"host", func(r *http.Request) { r.Host = "elsewhere:9000" }},
	{"body", func(r *http.Request) {
		sent, _ := io.ReadAll(r.Body)
		r.Body = io.NopCloser(strings.NewReader(strings.Replace(string(sent), "gabion", "gobian", 1)))
	}},
}

func TestTamperingIsNoticed(t *testing.T) {
	for _, f := range forms {
		for _, tampering := range tamperings {
			if strings.Contains(f.unsigned, tampering.name) {
				continue
			}
			t.Run(f.name+"/"+tampering.name, func(t *testing.T) {
				r := arrive(t, f.sign(t, upload(t)))
				tampering.do(r)
				_, _, err := verify(f.new(options()), r)
				code := "SignatureDoesNotMatch"
				if tampering.name == "body" && r.Header.Get("X-Amz-Content-Sha256") == hexSHA256(content) {
					code = "XAmzContentSHA256Mismatch"
				}
				wantCode(t, err, code)
			})
		}
	}
}

// The hash of a body is a line of what is signed, whether or not its header is among the signed ones. No other
// header of the service's is.
func TestTheHashIsSignedAnyway(t *testing.T) {
	for _, c := range []struct {
		name, payload string
		do            func(*http.Request)
		code          string
	}{
		{"as it was signed", hexSHA256(content), func(*http.Request) {}, ""},
		{"of no body", "UNSIGNED-PAYLOAD", func(*http.Request) {}, ""},
		{"another hash", hexSHA256(content), func(r *http.Request) {
			r.Header.Set("X-Amz-Content-Sha256", hexSHA256("another"))
		}, "SignatureDoesNotMatch"},
		{"no hash", hexSHA256(content), func(r *http.Request) {
			r.Header.Set("X-Amz-Content-Sha256", "UNSIGNED-PAYLOAD")
		}, "SignatureDoesNotMatch"},
		{"an empty one, and one in the query", hexSHA256(content), func(r *http.Request) {
			r.Header.Set("X-Amz-Content-Sha256", "")
			r.URL.RawQuery += "&X-Amz-Content-Sha256=" + hexSHA256("another")
		}, "InvalidRequest"},
		{"another body", hexSHA256(content), func(r *http.Request) {
			r.Body = io.NopCloser(strings.NewReader(strings.ToUpper(content)))
		}, "XAmzContentSHA256Mismatch"},
		{"another header", hexSHA256(content), func(r *http.Request) {
			r.Header.Set("X-Amz-Acl", "private")
		}, "AccessDenied"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := arrive(t, signS3ButHash(t, upload(t), c.payload))
			c.do(r)
			_, _, err := verify(access.NewS3(options()), r)
			if c.code != "" {
				wantCode(t, err, c.code)
			} else if err != nil {
				t.Fatal(err)
			}
		})
	}
}

// What a header says that is there twice is what was signed, so nobody can split one on the way.
func TestHeadersThatAreThereTwiceAreJoined(t *testing.T) {
	for _, f := range forms {
		t.Run(f.name, func(t *testing.T) {
			r := upload(t)
			for _, service := range []string{"Amz", "Oss"} {
				r.Header.Set("X-"+service+"-Meta-Shape", "round,flat")
			}
			r = arrive(t, f.sign(t, r))
			for _, service := range []string{"Amz", "Oss"} {
				r.Header["X-"+service+"-Meta-Shape"] = []string{"round", "flat"}
			}
			if _, _, err := verify(f.new(options()), r); err != nil {
				t.Fatal(err)
			}
			for _, service := range []string{"Amz", "Oss"} {
				if got := r.Header.Get("X-" + service + "-Meta-Shape"); got != "round,flat" {
					t.Fatalf("%q", got)
				}
			}
		})
	}
}

func TestNoParameterIsThereTwice(t *testing.T) {
	for _, f := range forms {
		r := arrive(t, f.sign(t, upload(t)))
		r.URL.RawQuery = "partNumber=2&" + r.URL.RawQuery
		_, _, err := verify(f.new(options()), r)
		wantCode(t, err, "InvalidArgument")
	}
}

func TestAQueryThatIsNoneIsRefused(t *testing.T) {
	for _, f := range forms {
		for _, query := range []string{"%zz", "&x=%"} {
			r := arrive(t, f.sign(t, upload(t)))
			r.URL.RawQuery += "&" + query
			_, _, err := verify(f.new(options()), r)
			wantCode(t, err, "InvalidURI")
		}
	}
}

func TestWrongSecret(t *testing.T) {
	for _, f := range forms {
		o := options()
		o.Keys = access.StaticKeys{"AKEXAMPLE": "something else"}
		_, _, err := verify(f.new(o), arrive(t, f.sign(t, upload(t))))
		wantCode(t, err, "SignatureDoesNotMatch")
		var e *access.Error
		if errors.As(err, &e); !strings.Contains(e.StringToSign, "PUT") &&
			!strings.Contains(e.StringToSign, "HMAC") {
			t.Errorf("%s: string to sign %q", f.name, e.StringToSign)
		}
	}
}

func TestUnknownAccessKey(t *testing.T) {
	for _, f := range forms {
		for _, keys := range []access.Keys{nil, access.StaticKeys{}} {
			o := options()
			o.Keys = keys
			_, _, err := verify(f.new(o), arrive(t, f.sign(t, upload(t))))
			wantCode(t, err, "InvalidAccessKeyId")
		}
	}
}

func TestAReplayEnds(t *testing.T) {
	for _, f := range forms {
		t.Run(f.name, func(t *testing.T) {
			inURL := strings.HasSuffix(f.name, "URL")
			for _, c := range []struct {
				after time.Duration
				code  string // of a header's; "" is right
				inURL string
			}{
				{0, "", ""},
				{15 * time.Minute, "", ""},
				{15*time.Minute + time.Second, "RequestTimeTooSkewed", ""},
				{59 * time.Minute, "RequestTimeTooSkewed", ""},
				{61 * time.Minute, "RequestTimeTooSkewed", "AccessDenied"},
				{24 * time.Hour, "RequestTimeTooSkewed", "AccessDenied"},
			} {
				o := options()
				o.Now = func() time.Time { return now.Add(c.after) }
				_, _, err := verify(f.new(o), arrive(t, f.sign(t, upload(t))))
				code := c.code
				if inURL {
					code = c.inURL
				}
				if code != "" {
					wantCode(t, err, code)
				} else if err != nil {
					t.Fatalf("after %v: %v", c.after, err)
				}
			}
		})
	}
}

// A client whose clock is ahead may be so by the skew. A URL of version 1 or 2 does not say when it
// was made.
func TestRequestsFromTheFuture(t *testing.T) {
	for _, f := range forms {
		o := options()
		o.Now = func() time.Time { return now.Add(-16 * time.Minute) }
		_, _, err := verify(f.new(o), arrive(t, f.sign(t, upload(t))))
		switch f.name {
		case "OSS V1 URL", "OSS V2 URL":
			if err != nil {
				t.Errorf("%s: %v", f.name, err)
			}
		case "S3 URL", "OSS V4 URL":
			wantCode(t, err, "AccessDenied")
		default:
			wantCode(t, err, "RequestTimeTooSkewed")
		}
	}
}

func TestTheSkewIsAnOption(t *testing.T) {
	for _, f := range forms {
		if strings.HasSuffix(f.name, "URL") {
			continue
		}
		o := options()
		o.Skew = time.Minute
		o.Now = func() time.Time { return now.Add(2 * time.Minute) }
		_, _, err := verify(f.new(o), arrive(t, f.sign(t, upload(t))))
		wantCode(t, err, "RequestTimeTooSkewed")
	}
}

func TestAnonymous(t *testing.T) {
	for _, new := range []func(access.Options) *access.Verifier{access.NewS3, access.NewOSS} {
		_, _, err := verify(new(options()), arrive(t, upload(t)))
		wantCode(t, err, "AccessDenied")

		o := options()
		o.Anonymous = true
		id, body, err := verify(new(o), arrive(t, upload(t)))
		if err != nil {
			t.Fatal(err)
		}
		if id.AccessKey != "" || id.Bucket != uploadedBucket || id.Key != uploadedKey || body != content {
			t.Fatalf("%+v, body %q", id, body)
		}
	}
}

// Who signs is not let in as anonymous when the signature is wrong.
func TestAWrongSignatureIsNotAnonymous(t *testing.T) {
	for _, f := range forms {
		o := options()
		o.Anonymous = true
		r := arrive(t, f.sign(t, upload(t)))
		r.Method = "DELETE"
		_, _, err := verify(f.new(o), r)
		wantCode(t, err, "SignatureDoesNotMatch")
	}
}

func TestOneSignatureIsEnough(t *testing.T) {
	for _, f := range forms {
		r := arrive(t, f.sign(t, upload(t)))
		if r.Header.Get("Authorization") != "" {
			r.URL.RawQuery += "&X-Amz-Signature=1&Signature=1"
		} else {
			r.Header.Set("Authorization", "OSS a:b")
		}
		_, _, err := verify(f.new(options()), r)
		wantCode(t, err, "InvalidArgument")
	}
}

func TestAuthorize(t *testing.T) {
	reason := errors.New("none of a client's business")
	asked := access.Action{AccessKey: "AKEXAMPLE", Name: "UploadPart", Bucket: "photos", Key: "a"}
	o := options()
	o.Authorize = func(_ context.Context, a access.Action) error {
		if a == asked {
			return nil
		}
		return reason
	}
	v := access.NewS3(o)
	if err := v.Authorize(t.Context(), asked); err != nil {
		t.Fatal(err)
	}
	err := v.Authorize(t.Context(), access.Action{AccessKey: "OTHER", Name: "UploadPart"})
	wantCode(t, err, "AccessDenied")
	if strings.Contains(err.Error(), reason.Error()) {
		t.Fatal(err)
	}
	if err := access.NewS3(options()).Authorize(t.Context(), access.Action{}); err != nil {
		t.Fatalf("without a hook: %v", err)
	}
}

func TestPathsAreBytes(t *testing.T) {
	for _, c := range []struct{ host, path, bucket, key string }{
		{"127.0.0.1:9000", "/", "", ""},
		{"127.0.0.1:9000", "/photos", "photos", ""},
		{"127.0.0.1:9000", "/photos/", "photos", ""},
		{"127.0.0.1:9000", "/photos/../etc", "photos", "../etc"},
		{"127.0.0.1:9000", "/photos/%2e%2e/a", "photos", "../a"},
		{"127.0.0.1:9000", "/photos//a//b/", "photos", "/a//b/"},
		{"127.0.0.1:9000", "/photos/a%00b", "photos", "a\x00b"},
		{"127.0.0.1:9000", "/photos/a%2Fb", "photos", "a/b"},
		{"127.0.0.1:9000", "//a", "", "a"},
		{"photos.localhost:9000", "/2026/a", "photos", "2026/a"},
		{"PHOTOS.localhost", "/", "photos", ""},
		{"photos.localhost", "//a", "photos", "/a"},
		{"localhost:9000", "/photos/a", "photos", "a"},
		{"[::1]:9000", "/photos/a", "photos", "a"},
	} {
		o := options()
		o.Anonymous = true
		r, err := http.NewRequest("GET", "http://"+c.host+c.path, nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, new := range []func(access.Options) *access.Verifier{access.NewS3, access.NewOSS} {
			id, err := new(o).Verify(arrive(t, r))
			if err != nil {
				t.Fatal(err)
			}
			if id.Bucket != c.bucket || id.Key != c.key {
				t.Errorf("%s%s: bucket %q, key %q", c.host, c.path, id.Bucket, id.Key)
			}
		}
	}
}

func TestLengthIsWhatTheClientSays(t *testing.T) {
	for _, c := range []struct {
		request string
		length  int64
	}{
		{"PUT /a/b HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc", 3},
		{"PUT /a/b HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n", 0},
		{"PUT /a/b HTTP/1.1\r\nHost: x\r\n\r\n", -1},
		{"PUT /a/b HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", -1},
	} {
		o := options()
		o.Anonymous = true
		id, err := access.NewOSS(o).Verify(parse(t, c.request))
		if err != nil {
			t.Fatal(err)
		}
		if id.Length != c.length {
			t.Errorf("%q: length %d", c.request, id.Length)
		}
	}
}
