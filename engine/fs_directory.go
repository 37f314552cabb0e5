package engine

import (
	"io"
	"io/fs"
	"slices"
	"strings"
)

// A directory is one opened in an FS: a place in a listing. It holds nothing that Close would have
// to give back.
type directory struct {
	fsys   *FS
	name   string
	marker string // what the next page of the listing follows
	ended  bool   // there is no next page
}

var _ fs.ReadDirFile = (*directory)(nil)

func (d *directory) Stat() (fs.FileInfo, error) { return directoryInfo(d.name), nil }

func (d *directory) Read([]byte) (int, error) {
	return 0, pathError("read", d.name, errIsDirectory)
}

func (d *directory) Close() error { return nil }

// ReadDir returns the next entries in the order of their keys, in which a directory's ends with a
// slash.
func (d *directory) ReadDir(n int) ([]fs.DirEntry, error) {
	var entries []fs.DirEntry
	for !d.ended && (n <= 0 || len(entries) < n) {
		limit := MaxListing
		if n > 0 {
			limit = min(n-len(entries), limit)
		}
		page, err := d.page(limit)
		if err != nil {
			return entries, pathError("readdir", d.name, err)
		}
		entries = append(entries, page...)
	}
	if n > 0 && len(entries) == 0 {
		return nil, io.EOF
	}
	return entries, nil
}

// page returns the entries that a page of the listing has, up to limit, and goes on to the next.
func (d *directory) page(limit int) ([]fs.DirEntry, error) {
	prefix := below(d.name)
	page, err := d.fsys.engine.ListObjects(d.fsys.ctx, &ListObjectsRequest{
		Bucket: d.fsys.bucket, Prefix: prefix, Delimiter: "/", Marker: d.marker, MaxKeys: limit,
	})
	if err != nil {
		return nil, err
	}
	var entries []fs.DirEntry
	for _, o := range page.Objects {
		if !isElement(o.Key[len(prefix):]) {
			continue
		}
		hidden, err := d.isHidden(o.Key, page)
		if err != nil {
			return nil, err
		}
		if !hidden {
			entries = append(entries, fs.FileInfoToDirEntry(objectInfo(&o)))
		}
	}
	for _, common := range page.CommonPrefixes {
		if name := strings.TrimSuffix(common[len(prefix):], "/"); isElement(name) {
			entries = append(entries, fs.FileInfoToDirEntry(directoryInfo(name)))
		}
	}
	d.marker, d.ended = page.NextMarker, !page.IsTruncated
	return entries, nil
}

// isElement says whether what stands between two slashes of a key can be an element of a path.
func isElement(name string) bool { return name != "" && name != "." && name != ".." }

// isHidden says whether an object of a page is hidden by a directory of its name, which sorts
// somewhere behind it: in the page, or behind that, where it takes a look-up. That befalls the few
// keys only that the last one of the page begins with.
func (d *directory) isHidden(key string, page *ListObjectsResult) (bool, error) {
	common := key + "/"
	if page.IsTruncated && common > page.NextMarker {
		return d.fsys.isDirectory(key)
	}
	_, found := slices.BinarySearch(page.CommonPrefixes, common)
	return found, nil
}
