package engine

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/gabion-storage/gabion/index"
)

// Attributes are what a client says about an object and gets back with it. They are part of the
// requests that make objects, where an empty field means not given, and of the types that describe
// objects.
type Attributes struct {
	// The headers are one line of at most 4 KiB each.
	ContentType        string // if empty application/octet-stream, under S3's rules binary/octet-stream
	CacheControl       string
	ContentDisposition string
	ContentEncoding    string
	ContentLanguage    string
	Expires            string

	// WebsiteRedirect is where a website redirects requests for the object, S3's redirect location.
	// It begins with /, http:// or https:// and has at most 2 KiB; else it is
	// ErrInvalidRedirectLocation. It is kept and returned, without effect.
	WebsiteRedirect string

	// Metadata has at most 8 KiB, names and values together; under S3's rules 2 KiB. Names are
	// letters, digits and -, under S3's rules also _ and ., and kept in lower case.
	Metadata map[string]string

	// Tags are at most 10, with keys of 1 to 128 bytes and values of up to 256. Rules say which
	// characters they may have. A tag that breaks this is ErrInvalidTag, an eleventh one
	// ErrBadRequest.
	Tags map[string]string

	// StorageClass is one of those that the bucket's rules have; the bucket's own if empty. It is
	// kept and returned, without effect.
	StorageClass StorageClass

	// Annotations are a front end's own, such as who owns the object and who may read it: they are
	// kept and returned with the rest, and never interpreted. Names and values are any texts,
	// together at most 8 KiB. Neither OSS nor S3 has them.
	Annotations map[string]string
}

// A StorageClass is one of OSS's, or one of S3's in buckets with those rules.
type StorageClass string

// The storage classes of OSS.
const (
	StorageStandard        StorageClass = "Standard"
	StorageIA              StorageClass = "IA"
	StorageArchive         StorageClass = "Archive"
	StorageColdArchive     StorageClass = "ColdArchive"
	StorageDeepColdArchive StorageClass = "DeepColdArchive"
)

// The storage classes of S3.
const (
	StorageS3Standard         StorageClass = "STANDARD"
	StorageReducedRedundancy  StorageClass = "REDUCED_REDUNDANCY"
	StorageStandardIA         StorageClass = "STANDARD_IA"
	StorageOneZoneIA          StorageClass = "ONEZONE_IA"
	StorageIntelligentTiering StorageClass = "INTELLIGENT_TIERING"
	StorageGlacier            StorageClass = "GLACIER"
	StorageDeepArchive        StorageClass = "DEEP_ARCHIVE"
	StorageGlacierIR          StorageClass = "GLACIER_IR"
)

// Limits of attributes.
const (
	maxHeaderBytes = 4 << 10 // one standard header
	maxRedirect    = 2 << 10 // bytes
	maxAnnotations = 8 << 10 // bytes, names and values together
	maxTags        = 10
	maxTagKey      = 128 // bytes
	maxTagValue    = 256 // bytes
)

// attributesOf returns the attributes of a record. Its maps become theirs.
func attributesOf(a *index.Attributes) Attributes {
	return Attributes{
		ContentType: a.ContentType, CacheControl: a.CacheControl,
		ContentDisposition: a.ContentDisposition, ContentEncoding: a.ContentEncoding,
		ContentLanguage: a.ContentLanguage, Expires: a.Expires, WebsiteRedirect: a.WebsiteRedirect,
		StorageClass: StorageClass(a.StorageClass), Metadata: a.Metadata, Tags: a.Tags,
		Annotations: a.Annotations,
	}
}

// bytes is about how much memory the attributes take.
func (a *Attributes) bytes() int {
	n := len(a.ContentType) + len(a.CacheControl) + len(a.ContentDisposition) +
		len(a.ContentEncoding) + len(a.ContentLanguage) + len(a.Expires) + len(a.WebsiteRedirect) +
		len(a.StorageClass)
	return n + bytesOfTexts(a.Metadata) + bytesOfTexts(a.Tags) + bytesOfTexts(a.Annotations)
}

// bytesOfTexts is about how much memory texts with names take.
func bytesOfTexts(texts map[string]string) (n int) {
	const entry = 64 // bytes that a map takes for one, more or less
	for name, text := range texts {
		n += entry + len(name) + len(text)
	}
	return n
}

// attributes validates the attributes of an object of the bucket and makes them those of a record,
// with defaults filled in. Names of metadata come out in lower case.
func (b *liveBucket) attributes(a *Attributes) (rec index.Attributes, err error) {
	r := b.rules
	rec = index.Attributes{
		ContentType: a.ContentType, CacheControl: a.CacheControl,
		ContentDisposition: a.ContentDisposition, ContentEncoding: a.ContentEncoding,
		ContentLanguage: a.ContentLanguage, Expires: a.Expires, WebsiteRedirect: a.WebsiteRedirect,
		StorageClass: string(a.StorageClass), Tags: maps.Clone(a.Tags),
		Annotations: maps.Clone(a.Annotations),
	}
	if rec.ContentType == "" {
		rec.ContentType = r.contentType
	}
	if rec.StorageClass == "" {
		rec.StorageClass = string(b.class)
	}
	if rec.Metadata, err = r.metadata(a.Metadata); err != nil {
		return rec, err
	}
	for _, err := range []error{
		checkHeaders(&rec), r.checkClass(StorageClass(rec.StorageClass)), r.checkTags(rec.Tags),
		r.checkMetadata(rec.Metadata), checkRedirect(rec.WebsiteRedirect),
		checkAnnotations(rec.Annotations),
	} {
		if err != nil {
			return rec, err
		}
	}
	return rec, nil
}

// checkHeaders checks the headers: whatever goes out with an answer is one line.
func checkHeaders(rec *index.Attributes) error {
	for _, h := range []struct{ field, value string }{
		{"ContentType", rec.ContentType},
		{"CacheControl", rec.CacheControl},
		{"ContentDisposition", rec.ContentDisposition},
		{"ContentEncoding", rec.ContentEncoding},
		{"ContentLanguage", rec.ContentLanguage},
		{"Expires", rec.Expires},
	} {
		if len(h.value) > maxHeaderBytes || strings.ContainsAny(h.value, "\r\n\x00") {
			return ErrInvalidArgument.saying(
				"%s must be at most %d bytes on one line.", h.field, maxHeaderBytes,
			).about(h.field, h.value)
		}
	}
	return nil
}

func checkRedirect(to string) error {
	ok := to == "" || strings.HasPrefix(to, "/") ||
		strings.HasPrefix(to, "http://") || strings.HasPrefix(to, "https://")
	switch {
	case !ok:
		return ErrInvalidRedirectLocation.about("WebsiteRedirect", to)
	case len(to) > maxRedirect || strings.ContainsAny(to, "\r\n\x00"):
		return ErrInvalidRedirectLocation.saying(
			"The website redirect location must have at most %d bytes on one line.", maxRedirect,
		).about("WebsiteRedirect", to)
	}
	return nil
}

func checkAnnotations(annotations map[string]string) error {
	total := 0
	for name, text := range annotations {
		total += len(name) + len(text)
	}
	if total > maxAnnotations {
		return ErrInvalidArgument.saying(
			"Annotations have %d bytes, must be at most %d.", total, maxAnnotations,
		).about("Annotations", fmt.Sprint(total, " bytes"))
	}
	return nil
}

func (r ruleSet) checkClass(class StorageClass) error {
	if !slices.Contains(r.classes, class) {
		return r.unknownClass.saying("StorageClass is %q, must be one of %v.", class, r.classes).
			about("StorageClass", class)
	}
	return nil
}

// metadata returns user metadata with its names in lower case.
func (r ruleSet) metadata(in map[string]string) (map[string]string, error) {
	out := make(map[string]string, len(in))
	for name, value := range in {
		lower := strings.ToLower(name)
		if _, twice := out[lower]; twice || !r.isMetadataName(lower) ||
			strings.ContainsAny(value, "\r\n\x00") {
			return nil, ErrInvalidArgument.saying(
				"Metadata %q: names are letters, digits and %s, each once whatever its case; "+
					"values are one line.", name, r.metadataSigns,
			).about("Metadata", name)
		}
		out[lower] = value
	}
	return out, nil
}

func (r ruleSet) isMetadataName(lower string) bool {
	for _, c := range lower {
		if !('a' <= c && c <= 'z' || '0' <= c && c <= '9' || strings.ContainsRune(r.metadataSigns, c)) {
			return false
		}
	}
	return lower != ""
}

func (r ruleSet) checkTags(tags map[string]string) error {
	if len(tags) > maxTags {
		return ErrBadRequest.saying("Object tags cannot be greater than %d", maxTags).
			about("Tags", len(tags))
	}
	for k, v := range tags {
		// Clients compare how the messages begin.
		strange := func(c rune) bool { return !r.inTags(c) }
		if k == "" || len(k) > maxTagKey || strings.ContainsFunc(k, strange) {
			return ErrInvalidTag.saying("The TagKey you have provided is invalid: it has %d bytes, "+
				"must have 1 to %d, and no character that is not allowed.", len(k), maxTagKey,
			).about("Tags", k)
		}
		if len(v) > maxTagValue || strings.ContainsFunc(v, strange) {
			return ErrInvalidTag.saying("The TagValue you have provided is invalid: it has %d bytes, "+
				"may have %d, and no character that is not allowed.", len(v), maxTagValue,
			).about("Tags", k)
		}
	}
	return nil
}
