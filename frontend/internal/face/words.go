package face

import (
	"errors"
	"fmt"
	"strings"

	"github.com/gabion-storage/gabion/engine"
)

// InS3 is an error of the engine's in the words of S3, which clients compare. The engine's are OSS's
// where that has the code, and call what is at fault by its fields. What S3's words leave out is in
// other elements of the document. An error that a face or package access has worded stays as it is.
func InS3(e *engine.Error) *engine.Error {
	said := *e
	if name, ok := s3Names[e.Argument]; ok {
		said.Argument = name
		said.Message = strings.ReplaceAll(e.Message, e.Argument, name)
	}
	if word := s3Word(e); word != "" {
		said.Message = word
	}
	return &said
}

// s3Word is S3's message for an error, empty if it is the engine's.
func s3Word(e *engine.Error) string {
	if word, ok := s3Anyone[e.Code]; ok {
		return word
	}
	for _, of := range s3Engine {
		if errors.Is(e, of.is) && (e.Op != "" || e.Message == of.is.Message) {
			return of.word
		}
	}
	switch {
	case e.Op == "":
	case errors.Is(e, engine.ErrBadDigest) && e.Message == engine.ErrBadDigest.Message:
		return s3BadMD5
	case errors.Is(e, engine.ErrInvalidTag): // which says more behind S3's words
		word, _, _ := strings.Cut(e.Message, ":")
		return word
	case errors.Is(e, engine.ErrInvalidRequest) && e.Argument == "Size":
		return fmt.Sprintf("The provided 'x-amz-mp-object-size' header value %s does not match what "+
			"was computed: %d", e.Value, e.Size)
	case errors.Is(e, engine.ErrIncompleteBody) && e.Limit > 0:
		return "You did not provide the number of bytes specified by the Content-Length HTTP header"
	case errors.Is(e, engine.ErrInvalidArgument):
		if e.Argument == "PartNumber" && e.Op == "CompleteMultipartUpload" &&
			(e.Value == "0" || strings.HasPrefix(e.Value, "-")) {
			return "PartNumber must be >= 1"
		}
		return s3Arguments[e.Argument]
	}
	return ""
}

// s3Anyone are S3's words for a code, whoever says it.
var s3Anyone = map[string]string{
	"MalformedXML":   engine.ErrMalformedXML.Message,
	"NotImplemented": "A header you provided implies functionality that is not implemented",

	"NoSuchBucketPolicy":                    "The bucket policy does not exist",
	"NoSuchCORSConfiguration":               "The CORS configuration does not exist",
	"NoSuchLifecycleConfiguration":          "The lifecycle configuration does not exist",
	"NoSuchPublicAccessBlockConfiguration":  "The public access block configuration was not found",
	"NoSuchTagSet":                          "The TagSet does not exist",
	"NoSuchWebsiteConfiguration":            "The specified bucket does not have a website configuration",
	"ObjectLockConfigurationNotFoundError":  "Object Lock configuration does not exist for this bucket",
	"ReplicationConfigurationNotFoundError": "The replication configuration was not found",
	"ServerSideEncryptionConfigurationNotFoundError": "The server side encryption configuration " +
		"was not found",
}

// s3Engine are S3's words for what the engine says.
var s3Engine = []struct {
	is   *engine.Error
	word string
}{
	{engine.ErrAccessDenied, "Access Denied"},
	{engine.ErrBucketNotEmpty, "The bucket you tried to delete is not empty"},
	{engine.ErrEntityTooLarge, "Your proposed upload exceeds the maximum allowed size"},
	{engine.ErrEntityTooSmall, "Your proposed upload is smaller than the minimum allowed size"},
	{engine.ErrInvalidPart, "One or more of the specified parts could not be found.  " +
		"The part may not have been uploaded, or the specified entity tag may not match the part's " +
		"entity tag."},
	{engine.ErrInvalidPartOrder, "The list of parts was not in ascending order. " +
		"Parts must be ordered by part number."},
	{engine.ErrInvalidRange, "The requested range is not satisfiable"},
	{engine.ErrInvalidStorageClass, "The storage class you specified is not valid"},
	{engine.ErrKeyTooLong, "Your key is too long"},
	{engine.ErrMetadataTooLarge, "Your metadata headers exceed the maximum allowed metadata size"},
}

// s3BadMD5 is what S3 says of a Content-MD5 that is not the body's. Other checksums have words of
// their own.
const s3BadMD5 = "The Content-MD5 you specified did not match what we received."

// s3PartNumber is what S3 says of a part number that there is not.
const s3PartNumber = "Part number must be an integer between 1 and 10000, inclusive"

// s3Arguments are S3's words for a field of the engine's requests that is ErrInvalidArgument.
var s3Arguments = map[string]string{
	"MetadataDirective": "Unknown metadata directive.",
	"PartNumber":        s3PartNumber,
	"TaggingDirective":  "Unknown tagging directive.",
}

// s3Names are S3's names of fields of the engine's requests.
var s3Names = map[string]string{
	"MetadataDirective":         "x-amz-metadata-directive",
	"PartNumber":                "partNumber",
	"PartNumberMarker":          "part-number-marker",
	"Range":                     "Range",
	"SSECustomerKey":            "x-amz-server-side-encryption-customer-key",
	"ServerSideEncryption":      "x-amz-server-side-encryption",
	"ServerSideEncryptionKeyID": "x-amz-server-side-encryption-aws-kms-key-id",
	"SourceRange":               "x-amz-copy-source-range",
	"StorageClass":              "x-amz-storage-class",
	"TaggingDirective":          "x-amz-tagging-directive",
	"WebsiteRedirect":           "x-amz-website-redirect-location",
}

// An S3Error is the document in which S3 says what went wrong.
type S3Error struct {
	ErrorDocument
	Resource string

	// What is not implemented, spelled as S3 spells it.
	More string `xml:"additionalMessage,omitempty"`

	ActualObjectSize     int64 `xml:",omitempty"`
	Size, MaxSizeAllowed int64 `xml:",omitempty"`
}

// DescribeS3 is the document of the error that answers the request, in S3's words.
func (c *Call) DescribeS3(e *engine.Error) S3Error {
	document := S3Error{ErrorDocument: c.Describe(InS3(e)), Resource: c.R.URL.Path}
	switch {
	case errors.Is(e, engine.ErrNotImplemented) && e.Message != document.Message:
		document.More = e.Message
	case errors.Is(e, engine.ErrInvalidRange):
		document.ActualObjectSize = e.Size
	case errors.Is(e, engine.ErrEntityTooLarge):
		document.ProposedSize, document.MaxSizeAllowed = e.Size, e.Limit
	case errors.Is(e, engine.ErrKeyTooLong), errors.Is(e, engine.ErrMetadataTooLarge):
		document.Size, document.MaxSizeAllowed = e.Size, e.Limit
	}
	return document
}

// S3Number is what S3 says of a number of the query, or of a header, that cannot be one.
func S3Number(name string, negative bool) string {
	switch {
	case name == "partNumber":
		return s3PartNumber
	case negative:
		if name == "max-keys" { // the one that S3 calls by another name
			name = "maxKeys"
		}
		return "Argument " + name + " must be an integer between 0 and 2147483647"
	}
	return "Provided " + name + " not an integer or within integer range"
}
