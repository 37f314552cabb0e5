package engine

import "encoding/base64"

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

// checkNames checks a bucket's and an object's name as far as all rules agree; see
// ruleSet.checkKey.
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
		return ErrInvalidArgument.saying("Part number must be an integer between 1 and %d, inclusive; PartNumber is %d.", MaxPartNumber, n).
			ec("0017-00000220")
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
