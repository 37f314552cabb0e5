package s3_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/gabion-storage/gabion/frontend/access"
	"github.com/gabion-storage/gabion/frontend/s3"
)

// TestBuckets creates, lists, describes and deletes buckets.
func TestBuckets(t *testing.T) {
	c := client(serve(t, memoryEngine(t), access.Options{}, httptest.NewServer))
	for _, name := range []string{"one", "two", "three"} {
		_, err := c.CreateBucket(t.Context(), &awss3.CreateBucketInput{
			Bucket:                    &name,
			CreateBucketConfiguration: &types.CreateBucketConfiguration{LocationConstraint: "eu-west-1"},
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	_, err := c.CreateBucket(t.Context(), &awss3.CreateBucketInput{Bucket: aws.String("one")})
	wantCode(t, "CreateBucket again", err, "BucketAlreadyOwnedByYou")

	pages := awss3.NewListBucketsPaginator(c, &awss3.ListBucketsInput{MaxBuckets: aws.Int32(1), Prefix: aws.String("t")})
	var names []string
	for pages.HasMorePages() {
		page, err := pages.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, b := range page.Buckets {
			names = append(names, *b.Name+" in "+*b.BucketRegion)
		}
	}
	if want := []string{"three in eu-west-1", "two in eu-west-1"}; !slices.Equal(names, want) {
		t.Errorf("ListBuckets: %q, want %q", names, want)
	}
	where, err := c.GetBucketLocation(t.Context(), &awss3.GetBucketLocationInput{Bucket: aws.String("one")})
	if err != nil || where.LocationConstraint != "eu-west-1" {
		t.Errorf("GetBucketLocation: %v, %v", where, err)
	}
	versions, err := c.GetBucketVersioning(t.Context(), &awss3.GetBucketVersioningInput{Bucket: aws.String("one")})
	if err != nil || versions.Status != "" {
		t.Errorf("GetBucketVersioning: %v, %v", versions, err)
	}
	if _, err := c.DeleteBucket(t.Context(), &awss3.DeleteBucketInput{Bucket: aws.String("one")}); err != nil {
		t.Error(err)
	}
	_, err = c.HeadBucket(t.Context(), &awss3.HeadBucketInput{Bucket: aws.String("one")})
	wantCode(t, "HeadBucket of one that is gone", err, "NotFound")
	_, err = c.GetBucketPolicy(t.Context(), &awss3.GetBucketPolicyInput{Bucket: aws.String("two")})
	wantCode(t, "GetBucketPolicy", err, "NoSuchBucketPolicy")
}

// TestObject stores an object with all that can be said of one, and gets it back.
func TestObject(t *testing.T) {
	c := plain(t)
	body := random(1, 100_000)
	_, err := c.PutObject(t.Context(), &awss3.PutObjectInput{
		Bucket: aws.String("bucket"), Key: aws.String("a key/ü+%"), Body: bytes.NewReader(body),
		CacheControl: aws.String("no-cache"), ContentType: aws.String("text/x"), ContentEncoding: aws.String("gzip"),
		ContentLanguage: aws.String("de"), ContentDisposition: aws.String("inline"),
		Metadata: map[string]string{"a_b.c": "d"}, Tagging: aws.String("k%20=v%2B"), StorageClass: "GLACIER_IR",
		ServerSideEncryption: "aws:kms",
	})
	if err != nil {
		t.Fatal(err)
	}
	in := &awss3.GetObjectInput{Key: aws.String("a key/ü+%"), ChecksumMode: types.ChecksumModeEnabled}
	got, out := get(t, c, in)
	if !bytes.Equal(got, body) {
		t.Error("the object reads back wrong")
	}
	said := fmt.Sprint(*out.CacheControl, *out.ContentType, *out.ContentEncoding, *out.ContentLanguage, *out.ContentDisposition,
		out.Metadata, *out.TagCount, out.StorageClass, out.ServerSideEncryption, out.ChecksumType, *out.ContentLength)
	if want := "no-cachetext/xgzipdeinlinemap[a_b.c:d] 1GLACIER_IRaws:kmsFULL_OBJECT100000"; said != want || out.ChecksumCRC32 == nil {
		t.Errorf("it is said to be %s, want %s", said, want)
	}

	in.Range, in.ResponseContentType, in.ResponseExpires = aws.String("bytes=-5"), aws.String("text/y"), aws.Time(time.Unix(0, 0))
	got, out = get(t, c, in)
	if !bytes.Equal(got, body[len(body)-5:]) || *out.ContentRange != "bytes 99995-99999/100000" || *out.ContentType != "text/y" ||
		*out.ExpiresString != "Thu, 01 Jan 1970 00:00:00 GMT" {
		t.Errorf("the last 5 bytes: %x, %+v", got, out)
	}
	in.Range, in.IfNoneMatch = nil, out.ETag
	_, err = c.GetObject(t.Context(), in)
	wantCode(t, "GetObject if it is another", err, "NotModified")
	in.IfNoneMatch, in.IfMatch = nil, aws.String("another")
	_, err = c.GetObject(t.Context(), in)
	wantCode(t, "GetObject of another", err, "PreconditionFailed")
	in.IfMatch, in.Range = nil, aws.String("bytes=100000-")
	_, err = c.GetObject(t.Context(), in)
	wantCode(t, "GetObject beyond the end", err, "InvalidRange")

	if _, err = c.DeleteObject(t.Context(), &awss3.DeleteObjectInput{Bucket: in.Bucket, Key: in.Key}); err != nil {
		t.Error(err)
	}
	in.Range = nil
	_, err = c.GetObject(t.Context(), in)
	wantCode(t, "GetObject of one that is gone", err, "NoSuchKey")
}

// TestCustomerKey stores and copies under keys of the client's own.
func TestCustomerKey(t *testing.T) {
	server := serve(t, memoryEngine(t), access.Options{}, httptest.NewTLSServer)
	c := client(server)
	_, err := c.CreateBucket(t.Context(), &awss3.CreateBucketInput{Bucket: aws.String("bucket")})
	if err != nil {
		t.Fatal(err)
	}
	one, two := string(random(1, 32)), string(random(2, 32))
	aes := aws.String("AES256")
	body := random(3, 100_000)
	key, oneSum, twoSum := customerKey(one), customerSum(one), customerSum(two)
	_, err = c.PutObject(t.Context(), &awss3.PutObjectInput{
		Bucket: aws.String("bucket"), Key: aws.String("key"), Body: bytes.NewReader(body),
		SSECustomerAlgorithm: aes, SSECustomerKey: key, SSECustomerKeyMD5: oneSum,
	})
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.CopyObject(t.Context(), &awss3.CopyObjectInput{
		Bucket: aws.String("bucket"), Key: aws.String("copy"), CopySource: aws.String("bucket/key"),
		CopySourceSSECustomerAlgorithm: aes, CopySourceSSECustomerKey: key, CopySourceSSECustomerKeyMD5: oneSum,
		SSECustomerAlgorithm: aes, SSECustomerKey: customerKey(two), SSECustomerKeyMD5: twoSum,
	})
	if err != nil {
		t.Fatal(err)
	}
	in := &awss3.GetObjectInput{
		Key: aws.String("copy"), SSECustomerAlgorithm: aes, SSECustomerKey: customerKey(two), SSECustomerKeyMD5: twoSum,
	}
	if got, out := get(t, c, in); !bytes.Equal(got, body) || *out.SSECustomerKeyMD5 != *twoSum {
		t.Errorf("the copy reads back wrong: %+v", out)
	}
	in.SSECustomerKey, in.SSECustomerKeyMD5 = key, oneSum
	_, err = c.GetObject(t.Context(), in)
	wantCode(t, "GetObject with another key", err, "AccessDenied")
	in.SSECustomerKeyMD5 = twoSum
	_, err = c.GetObject(t.Context(), in)
	wantCode(t, "GetObject with a wrong digest of the key", err, "InvalidArgument")
	_, err = c.GetObject(t.Context(), &awss3.GetObjectInput{Bucket: in.Bucket, Key: in.Key})
	wantCode(t, "GetObject without a key", err, "InvalidRequest")
}

// TestListings lists objects by both versions, in pages and with names that XML cannot hold.
func TestListings(t *testing.T) {
	c := plain(t)
	keys := []string{"a/1", "a/2", "b +%\x01", "c", "ü/3"}
	for _, key := range keys {
		put(t, c, key, []byte(key))
	}
	var names []string
	pages := awss3.NewListObjectsV2Paginator(c, &awss3.ListObjectsV2Input{
		Bucket: aws.String("bucket"), MaxKeys: aws.Int32(1), Delimiter: aws.String("/"), EncodingType: types.EncodingTypeUrl,
		FetchOwner: aws.Bool(true),
	})
	for pages.HasMorePages() {
		page, err := pages.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range page.Contents {
			names = append(names, fmt.Sprint(*o.Key, " ", *o.Size, " ", *o.Owner.ID))
		}
		for _, p := range page.CommonPrefixes {
			names = append(names, *p.Prefix)
		}
	}
	if want := []string{"a/", "b%20%2B%25%01 5 gabion", "c 1 gabion", "%C3%BC/"}; !slices.Equal(names, want) {
		t.Errorf("ListObjectsV2: %q, want %q", names, want)
	}

	first, err := c.ListObjects(t.Context(), &awss3.ListObjectsInput{
		Bucket: aws.String("bucket"), MaxKeys: aws.Int32(2), Prefix: aws.String("a/"), Marker: aws.String("a/1"),
	})
	if err != nil || len(first.Contents) != 1 || *first.Contents[0].Key != "a/2" || *first.IsTruncated || *first.Marker != "a/1" {
		t.Errorf("ListObjects: %+v, %v", first, err)
	}
	none, err := c.ListObjectsV2(t.Context(), &awss3.ListObjectsV2Input{Bucket: aws.String("bucket"), MaxKeys: aws.Int32(0)})
	if err != nil || *none.KeyCount != 0 || *none.MaxKeys != 0 {
		t.Errorf("ListObjectsV2 of 0 keys: %+v, %v", none, err)
	}
	_, err = c.ListObjectsV2(t.Context(), &awss3.ListObjectsV2Input{Bucket: aws.String("bucket"), ContinuationToken: aws.String("!")})
	wantCode(t, "ListObjectsV2 with a token that is none", err, "InvalidArgument")
}

// TestTagging puts, gets and deletes tags in place.
func TestTagging(t *testing.T) {
	c := plain(t)
	put(t, c, "key", nil)
	tags := func(list ...string) (set types.Tagging) {
		for _, tag := range list {
			set.TagSet = append(set.TagSet, types.Tag{Key: &tag, Value: aws.String("of " + tag)})
		}
		return set
	}
	set := tags("a", "b")
	in := &awss3.PutObjectTaggingInput{Bucket: aws.String("bucket"), Key: aws.String("key"), Tagging: &set}
	if _, err := c.PutObjectTagging(t.Context(), in); err != nil {
		t.Fatal(err)
	}
	want := func(what, want string) {
		t.Helper()
		got, err := c.GetObjectTagging(t.Context(), &awss3.GetObjectTaggingInput{Bucket: in.Bucket, Key: in.Key})
		if err != nil {
			t.Fatal(err)
		}
		var text strings.Builder
		for _, tag := range got.TagSet {
			fmt.Fprintf(&text, "%s=%s;", *tag.Key, *tag.Value)
		}
		if text.String() != want {
			t.Errorf("the tags %s are %s, want %s", what, text.String(), want)
		}
	}
	want("that were put", "a=of a;b=of b;")
	set = tags("a", "a")
	_, err := c.PutObjectTagging(t.Context(), in)
	wantCode(t, "PutObjectTagging of one tag twice", err, "InvalidTag")
	if _, err := c.DeleteObjectTagging(t.Context(), &awss3.DeleteObjectTaggingInput{Bucket: in.Bucket, Key: in.Key}); err != nil {
		t.Fatal(err)
	}
	want("that were deleted", "")
}

// TestAuthorize asks the embedder about each thing that a request does, also the source of a copy
// and each key of DeleteObjects.
func TestAuthorize(t *testing.T) {
	var asked []string
	server := serve(t, memoryEngine(t), access.Options{
		Authorize: func(_ context.Context, a access.Action) error {
			asked = append(asked, fmt.Sprintf("%s %s/%s by %s", a.Name, a.Bucket, a.Key, a.AccessKey))
			if a.Key == "secret" {
				return errors.New("no")
			}
			return nil
		},
	}, httptest.NewServer)
	c := client(server)
	bucket := aws.String("bucket")
	if _, err := c.CreateBucket(t.Context(), &awss3.CreateBucketInput{Bucket: bucket}); err != nil {
		t.Fatal(err)
	}
	_, err := c.CopyObject(t.Context(), &awss3.CopyObjectInput{Bucket: bucket, Key: aws.String("key"), CopySource: aws.String("/bucket/secret")})
	wantCode(t, "CopyObject of a secret", err, "AccessDenied")
	deleted, err := c.DeleteObjects(t.Context(), &awss3.DeleteObjectsInput{Bucket: bucket, Delete: &types.Delete{
		Objects: []types.ObjectIdentifier{{Key: aws.String("secret")}, {Key: aws.String("key")}},
	}})
	if err != nil || len(deleted.Deleted) != 1 || len(deleted.Errors) != 1 || *deleted.Errors[0].Code != "AccessDenied" {
		t.Errorf("DeleteObjects: %+v, %v", deleted, err)
	}
	by := " by " + accessKey
	want := []string{
		"CreateBucket bucket/" + by, "CopyObject bucket/key" + by, "GetObject bucket/secret" + by,
		"DeleteObjects bucket/" + by, "DeleteObject bucket/secret" + by, "DeleteObject bucket/key" + by,
	}
	if !slices.Equal(asked, want) {
		t.Errorf("asked were %q, want %q", asked, want)
	}
}

// TestDeleteObjectsLimits refuses lists that are empty or too long before anybody is asked about their keys, and
// those about a bucket that is not there, whoever may delete what.
func TestDeleteObjectsLimits(t *testing.T) {
	asked := 0
	server := httptest.NewServer(s3.New(memoryEngine(t), &s3.Options{Access: access.Options{
		Anonymous: true, Authorize: func(_ context.Context, a access.Action) error {
			if a.Name != "DeleteObject" {
				return nil
			}
			asked++
			return errors.New("no")
		},
	}}))
	t.Cleanup(server.Close)
	raw(t, server, "PUT /bucket", "")
	list := func(n int) string {
		return "<Delete>" + strings.Repeat("<Object><Key>key</Key></Object>", n) + "</Delete>"
	}
	for _, x := range []struct {
		bucket, body, want string
		asked              int
	}{
		{"bucket", list(0), "<Code>MalformedXML</Code>", 0},
		{"bucket", list(1001), "<Code>MalformedXML</Code>", 0},
		{"bucket", list(3)[:70], "<Code>MalformedXML</Code>", 0},
		{"bucket", list(1000), "<Code>AccessDenied</Code>", 1000},
		{"absent", list(1), "<Code>NoSuchBucket</Code>", 1},
	} {
		asked = 0
		got := raw(t, server, "POST /"+x.bucket+"?delete", x.body)
		if !strings.Contains(got, x.want) || asked != x.asked {
			t.Errorf("%.80s in %s: %d asked, want %d, %s\n%.600s", x.body, x.bucket, asked, x.asked, x.want, got)
		}
	}
}

// TestDeleteObjectsTwice judges the condition of each entry, of a key that comes twice, too.
func TestDeleteObjectsTwice(t *testing.T) {
	c := plain(t)
	etag := put(t, c, "key", []byte("content")).ETag
	out, err := c.DeleteObjects(t.Context(), &awss3.DeleteObjectsInput{Bucket: aws.String("bucket"), Delete: &types.Delete{
		Objects: []types.ObjectIdentifier{{Key: aws.String("key"), ETag: aws.String("x")}, {Key: aws.String("key"), ETag: etag}},
	}})
	if err != nil || len(out.Deleted) != 1 || len(out.Errors) != 1 || *out.Errors[0].Code != "PreconditionFailed" {
		t.Errorf("%+v, %v", out, err)
	}
}

// TestVirtualHost names the bucket in the host, and reads by a URL that the SDK has signed.
func TestVirtualHost(t *testing.T) {
	server := serve(t, memoryEngine(t), access.Options{Domain: "s3.example.com"}, httptest.NewServer)
	dialer := &net.Dialer{}
	browser := &http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return dialer.DialContext(ctx, network, server.Listener.Addr().String())
		},
	}}
	t.Cleanup(browser.CloseIdleConnections)
	c := client(server, func(o *awss3.Options) {
		o.BaseEndpoint, o.UsePathStyle, o.HTTPClient = aws.String("http://s3.example.com"), false, browser
	})
	if _, err := c.CreateBucket(t.Context(), &awss3.CreateBucketInput{Bucket: aws.String("bucket")}); err != nil {
		t.Fatal(err)
	}
	put(t, c, "bucket/a key", []byte("content"))
	signed, err := awss3.NewPresignClient(c).PresignGetObject(t.Context(), &awss3.GetObjectInput{
		Bucket: aws.String("bucket"), Key: aws.String("bucket/a key"), ResponseContentType: aws.String("text/x"),
	})
	if err != nil || !strings.HasPrefix(signed.URL, "http://bucket.s3.example.com/bucket/a%20key?") {
		t.Fatalf("PresignGetObject: %+v, %v", signed, err)
	}
	res, err := browser.Get(signed.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if got, err := io.ReadAll(res.Body); err != nil || string(got) != "content" || res.Header.Get("Content-Type") != "text/x" {
		t.Errorf("GET %s: %s, %q, %v", signed.URL, res.Status, got, err)
	}
}
