package s3_test

import (
	"slices"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// TestVersions lists each object as its only version, in pages, and deletes what is listed: so clients
// empty a bucket of which they do not know whether it has versions.
func TestVersions(t *testing.T) {
	ctx, c := t.Context(), plain(t)
	want := []string{"a/1", "a/2", "b", "c +&", "d"}
	for _, key := range want {
		put(t, c, key, []byte(key))
	}
	var got []string
	pages := awss3.NewListObjectVersionsPaginator(c, &awss3.ListObjectVersionsInput{
		Bucket: aws.String("bucket"), MaxKeys: aws.Int32(2), EncodingType: types.EncodingTypeUrl,
	})
	var named []types.ObjectIdentifier
	for n := 0; pages.HasMorePages(); n++ {
		page, err := pages.NextPage(ctx)
		if err != nil || n > 2 {
			t.Fatal(err, n)
		}
		if len(page.DeleteMarkers) > 0 || *page.Name != "bucket" || *page.MaxKeys != 2 {
			t.Errorf("%+v", page)
		}
		for _, v := range page.Versions {
			if aws.ToString(v.VersionId) != "null" || !aws.ToBool(v.IsLatest) || v.LastModified == nil ||
				aws.ToInt64(v.Size) == 0 || len(aws.ToString(v.ETag)) != 34 || v.StorageClass != "STANDARD" ||
				v.Owner == nil {
				t.Errorf("%+v", v)
			}
			got = append(got, *v.Key)
			named = append(named, types.ObjectIdentifier{Key: v.Key, VersionId: v.VersionId})
		}
	}
	want[3] = "c%20%2B%26"
	if !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	page, err := c.ListObjectVersions(ctx, &awss3.ListObjectVersionsInput{
		Bucket: aws.String("bucket"), Delimiter: aws.String("/"), KeyMarker: aws.String("0"),
	})
	if err != nil || len(page.CommonPrefixes) != 1 || *page.CommonPrefixes[0].Prefix != "a/" || len(page.Versions) != 3 ||
		*page.KeyMarker != "0" || page.NextKeyMarker != nil || *page.IsTruncated {
		t.Fatalf("%+v, %v", page, err)
	}
	named[3].Key = page.Versions[1].Key // as it is
	out, err := c.DeleteObjects(ctx, &awss3.DeleteObjectsInput{
		Bucket: aws.String("bucket"), Delete: &types.Delete{Objects: named},
	})
	if err != nil || len(out.Errors) > 0 || len(out.Deleted) != len(named) {
		t.Errorf("%+v, %v", out, err)
	}
	if _, err := c.DeleteBucket(ctx, &awss3.DeleteBucketInput{Bucket: aws.String("bucket")}); err != nil {
		t.Error(err)
	}
}
