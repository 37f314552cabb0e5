package access_test

import (
	"errors"
	"io"
	"maps"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gabion-storage/gabion/frontend/access"
)

// The examples in which Amazon shows how signatures are made, with the key that they all have:
// docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html,
// sigv4-query-string-auth.html, sigv4-streaming.html and sigv4-streaming-trailers.html.
const (
	exampleKey    = "AKIAIOSFODNN7EXAMPLE"
	exampleSecret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
	exampleScope  = exampleKey + "/20130524/us-east-1/s3/aws4_request"
	emptySHA256   = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
)

// exampleS3 is a request of one of the examples.
func exampleS3(t *testing.T, line string, body io.Reader, headers ...string) *http.Request {
	t.Helper()
	method, url, _ := strings.Cut(line, " ")
	if strings.HasPrefix(url, "/") {
		url = "examplebucket.s3.amazonaws.com" + url
	}
	r, err := http.NewRequest(method, "http://"+url, body)
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		r.Header.Set(name, value)
	}
	return arrive(t, r)
}

func authorization(signedHeaders, signature string) string {
	return "Authorization: AWS4-HMAC-SHA256 Credential=" + exampleScope + ",SignedHeaders=" +
		signedHeaders + ",Signature=" + signature
}

func TestExamplesOfS3(t *testing.T) {
	const date, empty = "x-amz-date: 20130524T000000Z", "x-amz-content-sha256: " + emptySHA256
	long := strings.Repeat("a", 65*1024)
	chunks := func(first, second, last string) string {
		return "10000;chunk-signature=" + first + "\r\n" + long[:64*1024] + "\r\n" +
			"400;chunk-signature=" + second + "\r\n" + long[:1024] + "\r\n" +
			"0;chunk-signature=" + last + "\r\n"
	}
	for _, c := range []struct {
		name string
		r    *http.Request
		body string
	}{
		{"GetObject", exampleS3(t, "GET /test.txt", nil, date, empty, "Range: bytes=0-9",
			authorization("host;range;x-amz-content-sha256;x-amz-date",
				"f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41")), ""},
		{"PutObject", exampleS3(t, "PUT /test$file.text", strings.NewReader("Welcome to Amazon S3."),
			date, "Date: Fri, 24 May 2013 00:00:00 GMT", "x-amz-storage-class: REDUCED_REDUNDANCY",
			"x-amz-content-sha256: 44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072",
			authorization("date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class",
				"98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd")),
			"Welcome to Amazon S3."},
		{"GetBucketLifecycle", exampleS3(t, "GET /?lifecycle", nil, date, empty,
			authorization("host;x-amz-content-sha256;x-amz-date",
				"fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543")), ""},
		{"ListObjects", exampleS3(t, "GET /?max-keys=2&prefix=J", nil, date, empty,
			authorization("host;x-amz-content-sha256;x-amz-date",
				"34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7")), ""},
		{"URL", exampleS3(t, "GET /test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential="+
			"AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request&X-Amz-Date="+
			"20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host&X-Amz-Signature="+
			"aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404", nil), ""},
		{"signed chunks", exampleS3(t, "PUT s3.amazonaws.com/examplebucket/chunkObject.txt",
			strings.NewReader(chunks(
				"ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648",
				"0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497",
				"b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9",
			)+"\r\n"), date, "x-amz-storage-class: REDUCED_REDUNDANCY",
			"x-amz-content-sha256: STREAMING-AWS4-HMAC-SHA256-PAYLOAD",
			"Content-Encoding: aws-chunked", "x-amz-decoded-content-length: 66560",
			authorization("content-encoding;content-length;host;x-amz-content-sha256;x-amz-date;"+
				"x-amz-decoded-content-length;x-amz-storage-class",
				"4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9")), long},
		{"signed chunks and trailer", exampleS3(t, "PUT s3.amazonaws.com/examplebucket/chunkObject.txt",
			strings.NewReader(chunks(
				"b474d8862b1487a5145d686f57f013e54db672cee1c953b3010fb58501ef5aa2",
				"1c1344b170168f8e65b41376b44b20fe354e373826ccbbe2c1d40a8cae51e5c7",
				"2ca2aba2005185cf7159c6277faf83795951dd77a3a99e6e65d5c9f85863f992",
			)+"x-amz-checksum-crc32c:sOO8/Q==\r\nx-amz-trailer-signature:"+
				"d81f82fc3505edab99d459891051a732e8730629a2e4a59689829ca17fe2e435\r\n\r\n"),
			date, "x-amz-storage-class: REDUCED_REDUNDANCY",
			"x-amz-content-sha256: STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER",
			"x-amz-trailer: x-amz-checksum-crc32c",
			"Content-Encoding: aws-chunked", "x-amz-decoded-content-length: 66560",
			authorization("content-encoding;host;x-amz-content-sha256;x-amz-date;"+
				"x-amz-decoded-content-length;x-amz-storage-class;x-amz-trailer",
				"106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e")), long},
	} {
		t.Run(c.name, func(t *testing.T) {
			v := access.NewS3(access.Options{
				Keys:   access.StaticKeys{exampleKey: exampleSecret},
				Domain: "s3.amazonaws.com",
				Now:    func() time.Time { return time.Date(2013, 5, 24, 0, 0, 0, 0, time.UTC) },
			})
			id, body, err := verify(v, c.r)
			if err != nil {
				t.Fatal(err)
			}
			if id.AccessKey != exampleKey || id.Bucket != "examplebucket" || body != c.body {
				t.Fatalf("%+v, %d bytes", id, len(body))
			}
		})
	}
}

// The vectors of alibabacloud-oss-go-sdk-v2, oss/signer/signer_test.go, with the times of their
// signing; and of version 2 what aliyun-oss-go-sdk v3.0.2 has signed.
func TestExamplesOfOSS(t *testing.T) {
	const query = "?%2Bparam1=value3&%2Bparam2=&%7Cparam1=value4&%7Cparam2=&param1=value1&param2="
	const object = "http://bucket.oss-cn-hangzhou.aliyuncs.com/1234%2B-/123/1.txt" + query
	v4 := map[string]string{
		"x-oss-head1": "value", "abc": "value", "ZAbc": "value", "XYZ": "value",
		"content-type": "text/plain", "x-oss-content-sha256": "UNSIGNED-PAYLOAD",
		"x-oss-date": "20231216T162057Z",
	}
	v4Headers := maps.Clone(v4)
	v4Headers["x-oss-date"] = "20231216T172512Z"
	v4URL := map[string]string{
		"x-oss-head1": "value", "abc": "value", "ZAbc": "value", "XYZ": "value",
		"content-type": "application/octet-stream",
	}
	v1 := map[string]string{
		"Content-MD5": "eB5eJF1ptWaXm4bijSPyxw==", "Content-Type": "text/html",
		"x-oss-meta-author": "alice", "x-oss-meta-magic": "abracadabra",
		"x-oss-date": "Wed, 28 Dec 2022 10:27:41 GMT",
	}
	v2 := map[string]string{
		"Date": "Sun, 29 Nov 2026 18:37:29 GMT", "User-Agent": "gabion",
		"Content-Type": "text/plain", "X-Oss-Meta-Author": "alice",
	}
	v2List := map[string]string{"Date": "Sun, 29 Nov 2026 18:37:29 GMT", "User-Agent": "gabion"}
	const v2Object = "http://bucket.oss-cn-hangzhou.aliyuncs.com/1234%2B-%2F123%2Fa%20b.txt"
	for _, c := range []struct {
		name, method, url string
		headers           map[string]string
		authorization     string
		signed            int64
	}{
		{"V2", "PUT", v2Object, v2, "OSS2 AccessKeyId:ak,AdditionalHeaders:host;user-agent," +
			"Signature:xBNDLHyVSuHOJDtUbzvXWGpTtGC7+z+SLM3ffmTL/y8=", 1795977449},
		{"V2 with headers in another order", "PUT", v2Object, v2, "OSS2 AccessKeyId:ak," +
			"AdditionalHeaders:User-Agent;host;user-agent," +
			"Signature:xBNDLHyVSuHOJDtUbzvXWGpTtGC7+z+SLM3ffmTL/y8=", 1795977449},
		{"V2 with parameters", "GET", "http://bucket.oss-cn-hangzhou.aliyuncs.com/?encoding-type=url&" +
			"list-type=2&max-keys=3&prefix=a%2F%2B%20b", v2List,
			"OSS2 AccessKeyId:ak,AdditionalHeaders:host;user-agent," +
				"Signature:hJzYeA/tmLnwN4wfYioAkaqW13/3mE1m95gLdL1ktCI=", 1795977449},
		{"V2 of no bucket", "GET", "http://oss-cn-hangzhou.aliyuncs.com/?prefix=b", v2List,
			"OSS2 AccessKeyId:ak,AdditionalHeaders:host;user-agent," +
				"Signature:iucCrOUcR6hKzTJQAOz3Ao9Wh3QPF6bJG/F6fqYZzro=", 1795977449},
		{"V2 URL", "PUT", v2Object + "?x-oss-access-key-id=ak&x-oss-expires=1795981049&" +
			"x-oss-signature=iRtBaa%2Fpci4MRHQBLx3ycud3M68QQkoC3uPmYZO1Rt0%3D&" +
			"x-oss-signature-version=OSS2", map[string]string{
			"Content-Type": "text/plain", "X-Oss-Meta-Author": "alice",
		}, "", 1795981049},
		{"V4", "PUT", object, v4, "OSS4-HMAC-SHA256 Credential=ak/20231216/cn-hangzhou/oss/" +
			"aliyun_v4_request,Signature=" +
			"e21d18daa82167720f9b1047ae7e7f1ce7cb77a31e8203a7d5f4624fa0284afe", 1702743657},
		{"V4 with headers", "PUT", object, v4Headers, "OSS4-HMAC-SHA256 Credential=ak/20231216/" +
			"cn-hangzhou/oss/aliyun_v4_request,AdditionalHeaders=abc;zabc,Signature=" +
			"4a4183c187c07c8947db7620deb0a6b38d9fbdd34187b6dbaccb316fa251212f", 1702747512},
		{"V4 with headers in another order", "PUT", object, v4Headers, "OSS4-HMAC-SHA256 Credential=" +
			"ak/20231216/cn-hangzhou/oss/aliyun_v4_request,AdditionalHeaders=ZAbc;abc;zabc,Signature=" +
			"4a4183c187c07c8947db7620deb0a6b38d9fbdd34187b6dbaccb316fa251212f", 1702747512},
		{"V4 URL", "PUT", object + "&x-oss-signature-version=OSS4-HMAC-SHA256&x-oss-date=" +
			"20231217T025437Z&x-oss-expires=599&x-oss-credential=ak%2F20231217%2Fcn-hangzhou%2Foss%2F" +
			"aliyun_v4_request&x-oss-signature=" +
			"a39966c61718be0d5b14e668088b3fa07601033f6518ac7b523100014269c0fe", v4URL, "", 1702781677},
		{"V1", "PUT", "http://examplebucket.oss-cn-hangzhou.aliyuncs.com/nelson", v1,
			"OSS ak:kSHKmLxlyEAKtZPkJhG9bZb5k7M=", 1672223261},
		{"V1 with a sub-resource", "PUT",
			"http://examplebucket.oss-cn-hangzhou.aliyuncs.com/nelson?acl", v1,
			"OSS ak:/afkugFbmWDQ967j1vr6zygBLQk=", 1672223261},
		{"V1 with two of four", "GET",
			"http://examplebucket.oss-cn-hangzhou.aliyuncs.com/?resourceGroup&non-resousce=null",
			map[string]string{"x-oss-date": "Wed, 28 Dec 2022 10:27:41 GMT"},
			"OSS ak:vkQmfuUDyi1uDi3bKt67oemssIs=", 1672223261},
		{"V1 URL", "GET", "http://bucket.oss-cn-hangzhou.aliyuncs.com/key?Expires=1699807420&" +
			"OSSAccessKeyId=ak&Signature=dcLTea%2BYh9ApirQ8o8dOPqtvJXQ%3D&versionId=versionId",
			nil, "", 1699807420},
		{"V1 URL with a token", "GET", "http://bucket.oss-cn-hangzhou.aliyuncs.com/key%2B123?" +
			"Expires=1699808204&OSSAccessKeyId=ak&Signature=jzKYRrM5y6Br0dRFPaTGOsbrDhY%3D&" +
			"security-token=token&versionId=versionId", nil, "", 1699808204},
	} {
		t.Run(c.name, func(t *testing.T) {
			r, err := http.NewRequest(c.method, c.url, nil)
			if err != nil {
				t.Fatal(err)
			}
			for name, value := range c.headers {
				r.Header.Set(name, value)
			}
			if c.authorization != "" {
				r.Header.Set("Authorization", c.authorization)
			}
			v := access.NewOSS(access.Options{
				Keys:   access.StaticKeys{"ak": "sk"},
				Domain: "oss-cn-hangzhou.aliyuncs.com",
				Now:    func() time.Time { return time.Unix(c.signed, 0) },
			})
			id, err := v.Verify(arrive(t, r))
			if err != nil {
				t.Fatal(err)
			}
			if id.AccessKey != "ak" {
				t.Fatalf("%+v", id)
			}
		})
	}
}

// TestMissingHeaderOfOSS refuses a signature over a header that is not there as malformed.
func TestMissingHeaderOfOSS(t *testing.T) {
	for _, authorization := range []string{
		"OSS4-HMAC-SHA256 Credential=ak/20231216/cn-hangzhou/oss/aliyun_v4_request," +
			"AdditionalHeaders=name,Signature=00",
		"OSS2 AccessKeyId:ak,AdditionalHeaders:name,Signature:00",
		"OSS2 AccessKeyId:ak", "OSS2 Signature:00",
	} {
		r, err := http.NewRequest("GET", "http://bucket.localhost/key", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("X-Oss-Date", "20231216T162057Z")
		if strings.HasPrefix(authorization, "OSS2") {
			r.Header.Set("X-Oss-Date", "Sat, 16 Dec 2023 16:20:57 GMT")
		}
		r.Header.Set("X-Oss-Content-Sha256", "UNSIGNED-PAYLOAD")
		r.Header.Set("Authorization", authorization)
		_, err = access.NewOSS(access.Options{
			Keys: access.StaticKeys{"ak": "sk"},
			Now:  func() time.Time { return time.Date(2023, 12, 16, 16, 20, 57, 0, time.UTC) },
		}).Verify(arrive(t, r))
		wantCode(t, err, "InvalidArgument")
	}
}

// TestUnknownKeyFirst says that a key is not known, and then that it is too late, before it says what
// else is wrong.
func TestUnknownKeyFirst(t *testing.T) {
	at := time.Date(2023, 12, 16, 16, 20, 57, 0, time.UTC)
	for _, c := range []struct {
		key  string
		now  time.Time
		want string
	}{
		{"nobody", at, "InvalidAccessKeyId"},
		{"ak", at, "AuthorizationHeaderMalformed"},
		{"ak", at.Add(time.Hour), "RequestTimeTooSkewed"},
		{"ak", at.Add(-time.Hour), "RequestTimeTooSkewed"},
	} {
		r, err := http.NewRequest("PUT", "http://127.0.0.1/bucket/key", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("X-Amz-Date", "20231216T162057Z")
		r.Header.Set("X-Amz-Content-Sha256", "UNSIGNED-PAYLOAD")
		r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential="+c.key+"/20150930/us-east-1/s3/"+
			"aws4_request,SignedHeaders=host;user-agent,Signature=00")
		_, err = access.NewS3(access.Options{
			Keys: access.StaticKeys{"ak": "sk"}, Now: func() time.Time { return c.now },
		}).Verify(arrive(t, r))
		if refused, ok := errors.AsType[*access.Error](err); !ok || refused.Code != c.want {
			t.Errorf("%s: %v, want %s", c.key, err, c.want)
		}
	}
}

// TestLifetimeOfURL lets a URL of S3 hold for no time, which is over, but for none that is no time.
func TestLifetimeOfURL(t *testing.T) {
	o := options()
	o.Now = func() time.Time { return now.Add(time.Second) }
	for life, want := range map[string]string{
		"1": "", "0": "AccessDenied", "-1": "AuthorizationQueryParametersError", "604801": "AuthorizationQueryParametersError",
	} {
		_, _, err := verify(access.NewS3(o), arrive(t, presignS3(t, upload(t), life)))
		refused, _ := errors.AsType[*access.Error](err)
		if err == nil && want != "" || err != nil && (refused == nil || refused.Code != want) {
			t.Errorf("%s: %v, want %q", life, err, want)
		}
	}
}
