package engine_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"strconv"
	"strings"
)

// sizeRecord is what an archive says of a file that ends with zeros, which it leaves out.
const sizeRecord = "GABION.size"

// pack makes an archive of an image, as tar and gzip do. The same image gives the same archive.
func (img *storeImage) pack() ([]byte, error) {
	var out bytes.Buffer
	packed, err := gzip.NewWriterLevel(&out, gzip.BestCompression)
	if err != nil {
		return nil, err
	}
	archive := tar.NewWriter(packed)
	for _, name := range img.dirs {
		if err := archive.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: name + "/", Mode: 0o700}); err != nil {
			return nil, err
		}
	}
	for _, f := range img.files {
		header := tar.Header{Typeflag: tar.TypeReg, Name: f.name, Mode: 0o600, Size: int64(len(f.data))}
		if f.size > header.Size {
			header.PAXRecords = map[string]string{sizeRecord: strconv.FormatInt(f.size, 10)}
		}
		if err := archive.WriteHeader(&header); err != nil {
			return nil, err
		}
		if _, err := archive.Write(f.data); err != nil {
			return nil, err
		}
	}
	err = errors.Join(archive.Close(), packed.Close())
	return out.Bytes(), err
}

// unpack reverses pack.
func unpack(data []byte) (*storeImage, error) {
	packed, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	img := &storeImage{}
	for archive := tar.NewReader(packed); ; {
		header, err := archive.Next()
		if err == io.EOF {
			return img, nil
		}
		if err != nil {
			return nil, err
		}
		if header.Typeflag == tar.TypeDir {
			img.dirs = append(img.dirs, strings.TrimSuffix(header.Name, "/"))
			continue
		}
		f := imageFile{name: header.Name, size: header.Size}
		if text := header.PAXRecords[sizeRecord]; text != "" {
			if f.size, err = strconv.ParseInt(text, 10, 64); err != nil {
				return nil, err
			}
		}
		if f.data, err = io.ReadAll(archive); err != nil {
			return nil, err
		}
		img.files = append(img.files, f)
	}
}
