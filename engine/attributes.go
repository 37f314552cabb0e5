package engine

import (
	"maps"
	"strings"

	"github.com/gabion-storage/gabion/index"
)

// Attributes are what a client says about an object and gets back with it. They are part of the
// requests that make objects, where what is empty is not said, and of what describes objects.
type Attributes struct {
	// The headers are one line of at most 4 KiB each.
	ContentType        string // application/octet-stream if empty
	CacheControl       string
	ContentDisposition string
	ContentEncoding    string
	Expires            string

	Metadata     map[string]string // at most 8 KiB (S3: 2 KiB); names are letters, digits and -, kept in lower case
	Tags         map[string]string // at most 10; keys at most 128 bytes, values 256
	StorageClass StorageClass      // StorageStandard if empty; kept and returned, without effect
}

// A StorageClass is one of OSS's.
type StorageClass string

// The storage classes.
const (
	StorageStandard        StorageClass = "Standard"
	StorageIA              StorageClass = "IA"
	StorageArchive         StorageClass = "Archive"
	StorageColdArchive     StorageClass = "ColdArchive"
	StorageDeepColdArchive StorageClass = "DeepColdArchive"
)

const defaultContentType = "application/octet-stream"

// Limits of attributes.
const (
	maxHeaderBytes = 4 << 10 // one standard header
	maxTags        = 10
	maxTagKey      = 128 // bytes
	maxTagValue    = 256 // bytes
)

// attributesOf returns copies of the attributes of a record.
func attributesOf(a *index.Attributes) Attributes {
	return Attributes{
		ContentType: a.ContentType, CacheControl: a.CacheControl, ContentDisposition: a.ContentDisposition,
		ContentEncoding: a.ContentEncoding, Expires: a.Expires,
		Metadata: maps.Clone(
			a.Metadata,
		), Tags: maps.Clone(a.Tags), StorageClass: StorageClass(a.StorageClass),
	}
}

// check validates the attributes and makes them those of a record, with defaults filled in. Names
// of metadata come out in lower case. How much metadata there may be is for ruleSet.checkMetadata.
func (a *Attributes) check() (rec index.Attributes, err error) {
	rec = index.Attributes{
		ContentType: a.ContentType, CacheControl: a.CacheControl, ContentDisposition: a.ContentDisposition,
		ContentEncoding: a.ContentEncoding, Expires: a.Expires, StorageClass: string(a.StorageClass),
	}
	if rec.ContentType == "" {
		rec.ContentType = defaultContentType
	}
	for _, h := range []struct{ field, value string }{
		{"ContentType", rec.ContentType},
		{"CacheControl", rec.CacheControl},
		{"ContentDisposition", rec.ContentDisposition},
		{"ContentEncoding", rec.ContentEncoding},
		{"Expires", rec.Expires},
	} {
		if len(h.value) > maxHeaderBytes || strings.ContainsAny(h.value, "\r\n\x00") {
			return rec, ErrInvalidArgument.saying(
				"%s must be at most %d bytes on one line.", h.field, maxHeaderBytes,
			)
		}
	}
	switch a.StorageClass {
	case "":
		rec.StorageClass = string(StorageStandard)
	case StorageStandard, StorageIA, StorageArchive, StorageColdArchive, StorageDeepColdArchive:
	default:
		return rec, ErrInvalidArgument.saying(
			"StorageClass is %q, must be Standard, IA, Archive, ColdArchive or DeepColdArchive.",
			a.StorageClass,
		)
	}
	if rec.Metadata, err = checkMetadata(a.Metadata); err != nil {
		return rec, err
	}
	rec.Tags = maps.Clone(a.Tags)
	return rec, checkTags(rec.Tags)
}

func checkMetadata(in map[string]string) (map[string]string, error) {
	out := make(map[string]string, len(in))
	for name, value := range in {
		lower := strings.ToLower(name)
		if _, twice := out[lower]; twice || !isMetadataName(lower) ||
			strings.ContainsAny(value, "\r\n\x00") {
			return nil, ErrInvalidArgument.saying(
				"Metadata %q: names are letters, digits and -, each once whatever its case; values are one line.",
				name,
			)
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
		return ErrInvalidArgument.saying(
			"Tags has %d entries, must be at most %d.", len(tags), maxTags,
		)
	}
	for k, v := range tags {
		if k == "" || len(k) > maxTagKey || len(v) > maxTagValue {
			return ErrInvalidArgument.saying(
				"Tags: keys are 1 to %d bytes, values at most %d; %q has %d and %d.", maxTagKey,
				maxTagValue, k, len(k), len(v),
			)
		}
	}
	return nil
}
