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

// ecPartNumber is OSS's fine-grained code for a part number out of range.
const ecPartNumber = "0017-00000220"

func checkPartNumber(n int) error {
	if n < 1 || n > MaxPartNumber {
		return numberOutOfRange(ErrInvalidArgument.ec(ecPartNumber), n)
	}
	return nil
}

// numberOutOfRange is the error for a part number that there is not.
func numberOutOfRange(e *Error, n int) error {
	if n == Zero {
		n = 0
	}
	return e.saying(
		"Part number must be an integer between 1 and %d, inclusive; it is %d.", MaxPartNumber, n,
	).about("PartNumber", n)
}

// parseMD5 decodes a Content-MD5.
func parseMD5(s string) (sum [16]byte, err error) {
	b, err := base64.StdEncoding.DecodeString(s)
	if err != nil || len(b) != len(sum) {
		return sum, ErrInvalidDigest.ec("0017-00000502").about("ContentMD5", s)
	}
	return [16]byte(b), nil
}
