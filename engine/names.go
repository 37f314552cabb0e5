package engine

import (
	"encoding/base64"
	"maps"
	"strings"

	"github.com/gabion-storage/gabion/index"
)

// Limits of what a client says about an object.
const (
	maxHeaderBytes = 4 << 10 // one standard header
	maxTags        = 10
	maxTagKey      = 128 // bytes
	maxTagValue    = 256 // bytes
)

const (
	defaultContentType  = "application/octet-stream"
	defaultStorageClass = "Standard"
)

func checkBucketName(name string) error {
	if len(name) < 3 || len(name) > 63 || name[0] == '-' || name[len(name)-1] == '-' {
		return ErrInvalidBucketName
	}
	for _, c := range []byte(name) {
		if !('a' <= c && c <= 'z' || '0' <= c && c <= '9' || c == '-') {
			return ErrInvalidBucketName
		}
	}
	return nil
}

// checkNames checks a bucket's and an object's name as far as all rules agree; see ruleSet.checkKey.
func checkNames(bucket, key string) error {
	if err := checkBucketName(bucket); err != nil {
		return err
	}
	if key == "" {
		return ruleSets[OSS].checkKey(key)
	}
	return nil
}

func checkPartNumber(n int) error {
	if n < 1 || n > MaxPartNumber {
		return ErrInvalidArgument.saying("Part number must be an integer between 1 and %d, inclusive; PartNumber is %d.", MaxPartNumber, n).ec("0017-00000220")
	}
	return nil
}

// checkPageSize checks the limit of a listing's page and fills in its default.
func checkPageSize(field string, n int) (int, error) {
	if n < 0 || n > MaxListing {
		return 0, ErrInvalidArgument.saying("%s is %d, must be 0 to %d.", field, n, MaxListing)
	}
	if n == 0 {
		n = MaxListing
	}
	return n, nil
}

// parseMD5 decodes a Content-MD5.
func parseMD5(s string) (sum [16]byte, err error) {
	b, err := base64.StdEncoding.DecodeString(s)
	if err != nil || len(b) != len(sum) {
		return sum, ErrInvalidDigest.ec("0017-00000502")
	}
	return [16]byte(b), nil
}

// checkAttributes validates what a client says about an object and fills in defaults. Names of
// metadata come out in lower case. How much metadata there may be is for ruleSet.checkMetadata.
func checkAttributes(a index.Attributes) (index.Attributes, error) {
	if a.ContentType == "" {
		a.ContentType = defaultContentType
	}
	for _, h := range []struct{ field, value string }{
		{"ContentType", a.ContentType},
		{"CacheControl", a.CacheControl},
		{"ContentDisposition", a.ContentDisposition},
		{"ContentEncoding", a.ContentEncoding},
		{"Expires", a.Expires},
	} {
		if len(h.value) > maxHeaderBytes || strings.ContainsAny(h.value, "\r\n\x00") {
			return a, ErrInvalidArgument.saying("%s must be at most %d bytes on one line.", h.field, maxHeaderBytes)
		}
	}
	switch a.StorageClass {
	case "":
		a.StorageClass = defaultStorageClass
	case "Standard", "IA", "Archive", "ColdArchive", "DeepColdArchive":
	default:
		return a, ErrInvalidArgument.saying("StorageClass is %q, must be Standard, IA, Archive, ColdArchive or DeepColdArchive.", a.StorageClass)
	}
	var err error
	if a.Metadata, err = checkMetadata(a.Metadata); err != nil {
		return a, err
	}
	a.Tags = maps.Clone(a.Tags)
	return a, checkTags(a.Tags)
}

func checkMetadata(in map[string]string) (map[string]string, error) {
	out := make(map[string]string, len(in))
	for name, value := range in {
		lower := strings.ToLower(name)
		if _, twice := out[lower]; twice || !isMetadataName(lower) || strings.ContainsAny(value, "\r\n\x00") {
			return nil, ErrInvalidArgument.saying("Metadata %q: names are letters, digits and -, each once whatever its case; values are one line.", name)
		}
		out[lower] = value
	}
	return out, nil
}

func isMetadataName(lower string) bool {
	for _, c := range []byte(lower) {
		if !('a' <= c && c <= 'z' || '0' <= c && c <= '9' || c == '-') {
			return false
		}
	}
	return lower != ""
}

func checkTags(tags map[string]string) error {
	if len(tags) > maxTags {
		return ErrInvalidArgument.saying("Tags has %d entries, must be at most %d.", len(tags), maxTags)
	}
	for k, v := range tags {
		if k == "" || len(k) > maxTagKey || len(v) > maxTagValue {
			return ErrInvalidArgument.saying("Tags: keys are 1 to %d bytes, values at most %d; %q has %d and %d.", maxTagKey, maxTagValue, k, len(k), len(v))
		}
	}
	return nil
}
