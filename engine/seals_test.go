package engine

import (
	"bytes"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/gabion-storage/gabion/crypto"
	"github.com/gabion-storage/gabion/index"
)

// sealVectors is testdata/seals.json, which another implementation has made.
type sealVectors struct {
	DataKey     hexText `json:"data_key"`
	MACKey      hexText `json:"mac_key"`
	StoreMACKey hexText `json:"store_mac_key"`
	Content     hexText // that the records are of
	Vectors     []struct {
		Kind     string
		Record   sealRecord
		Message  hexText
		MAC      hexText
		StoreMAC hexText `json:"store_mac"`
	}
}

// sealRecord has the fields of all kinds of records.
type sealRecord struct {
	Manifest, ID, Content  hexText
	Page, Number           int
	Start, Size            int64
	MD5, Checksum          hexText
	CRC64                  uint64 `json:"crc64,string"`
	Modified, Type, ETag   string
	Chunks, Parts          json.RawMessage // a number, or a list
	Inline, Customer       bool
	ScopeKind              index.ScopeKind `json:"scope_kind"`
	ScopeID                hexText         `json:"scope_id"`
	Bucket, Key, Algorithm string
	KeyID                  string `json:"key_id"`
	ChecksumAlgorithm      string `json:"checksum_algorithm"`
	ChecksumType           string `json:"checksum_type"`
	ContentType            string `json:"content_type"`
	CacheControl           string `json:"cache_control"`
	ContentDisposition     string `json:"content_disposition"`
	ContentEncoding        string `json:"content_encoding"`
	Expires                string
	StorageClass           string `json:"storage_class"`
	Metadata, Tags         map[string]string
	ContentLanguage        string `json:"content_language"`
	WebsiteRedirect        string `json:"website_redirect"`
	Annotations            map[string]string
	PartAlgorithm          string `json:"part_algorithm"`
}

type hexText []byte

func (h *hexText) UnmarshalText(text []byte) (err error) {
	*h, err = hex.DecodeString(string(text))
	return err
}

func (r *sealRecord) id16(h hexText) (id [16]byte) {
	copy(id[:], h)
	return id
}

func (r *sealRecord) attributes() index.Attributes {
	return index.Attributes{
		ContentType: r.ContentType, CacheControl: r.CacheControl, ContentDisposition: r.ContentDisposition,
		ContentEncoding: r.ContentEncoding, Expires: r.Expires, StorageClass: r.StorageClass, Metadata: r.Metadata, Tags: r.Tags,
		ContentLanguage: r.ContentLanguage, WebsiteRedirect: r.WebsiteRedirect, Annotations: r.Annotations,
	}
}

// modified returns the time, and panics if it is none: the test fails then.
func (r *sealRecord) modified() time.Time {
	if r.Modified == "" {
		return time.Time{}
	}
	at, err := time.Parse(time.RFC3339Nano, r.Modified)
	if err != nil {
		panic(err)
	}
	return at
}

// signed returns the message of the record, and what verifies the record with a MAC.
func (r *sealRecord) signed(kind string) (message []byte, verify func(s seals, mac []byte) error, err error) {
	enc := index.Encryption{Algorithm: r.Algorithm, KeyID: r.KeyID, Customer: r.Customer, WrappedKey: []byte("any"), Wrapper: "any"}
	sum := index.Checksum{Algorithm: r.ChecksumAlgorithm, Type: r.ChecksumType, Value: r.Checksum}
	manifest := index.ManifestID(r.id16(r.Manifest))
	switch kind {
	case "page":
		var list []struct {
			ID    hexText
			Size  uint32
			CRC64 uint64 `json:"crc64,string"`
		}
		err = json.Unmarshal(r.Chunks, &list)
		rec := index.Page{Start: r.Start}
		for _, c := range list {
			rec.Chunks = append(rec.Chunks, index.PageChunk{ID: index.ChunkID(c.ID), Size: c.Size, CRC64: c.CRC64})
		}
		return pageMessage(nil, manifest, r.Page, &rec), func(s seals, mac []byte) error {
			rec.MAC = mac
			return s.Page(manifest, r.Page, &rec)
		}, err
	case "inline":
		rec := index.Inline{PageChunk: index.PageChunk{ID: index.ChunkID(r.ID), Size: uint32(r.Size), CRC64: r.CRC64}}
		return inlineMessage(nil, manifest, &rec), func(s seals, mac []byte) error {
			rec.MAC = mac
			return s.Inline(manifest, &rec)
		}, nil
	case "part":
		rec := index.Part{
			ETag: r.id16(r.MD5), Size: r.Size, CRC64: r.CRC64, Modified: r.modified(), Manifest: manifest, Inline: r.Inline,
			Checksum: r.Checksum, Scope: index.Scope{Kind: r.ScopeKind, ID: r.id16(r.ScopeID)},
		}
		err = json.Unmarshal(r.Chunks, &rec.Chunks)
		return partMessage(nil, r.Number, &rec), func(s seals, mac []byte) error {
			rec.MAC = mac
			return s.part(r.Number, &rec)
		}, err
	case "directory":
		var list []struct {
			Number   uint16
			Size     int64
			Manifest hexText
		}
		err = json.Unmarshal(r.Parts, &list)
		rec := index.Directory{Start: r.Start}
		for _, p := range list {
			rec.Parts = append(rec.Parts, index.DirectoryPart{Number: p.Number, Size: p.Size, Manifest: index.ManifestID(p.Manifest)})
		}
		return directoryMessage(nil, r.Page, &rec), func(s seals, mac []byte) error {
			rec.MAC = mac
			return s.directory(index.ContentID{}, r.Page, &rec)
		}, err
	case "object":
		rec := index.Object{
			Content: r.id16(r.Content), Type: r.Type, ETag: r.ETag, Size: r.Size, CRC64: r.CRC64, Modified: r.modified(),
			Attributes: r.attributes(), Encryption: enc, Checksum: sum, MD5: r.MD5, PartAlgorithm: r.PartAlgorithm,
		}
		err = json.Unmarshal(r.Parts, &rec.Parts)
		return objectMessage(nil, r.Bucket, r.Key, &rec), func(s seals, mac []byte) error {
			rec.MAC = mac
			return s.object(r.Bucket, r.Key, &rec)
		}, err
	case "upload":
		rec := index.Upload{Attributes: r.attributes(), Encryption: enc, Checksum: sum}
		return uploadMessage(nil, r.Bucket, r.Key, &rec), func(s seals, mac []byte) error {
			rec.MAC = mac
			return s.upload(r.Bucket, r.Key, &rec)
		}, nil
	}
	return nil, nil, fmt.Errorf("no record is a %s", kind)
}

// TestVectorsOfSeals makes the MACs that another implementation has made, and refuses each with a
// bit flipped, cut short, or missing.
func TestVectorsOfSeals(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("testdata", "seals.json"))
	if err != nil {
		t.Fatal(err)
	}
	var v sealVectors
	if err := json.Unmarshal(text, &v); err != nil {
		t.Fatal(err)
	}
	if key, err := hkdf.Key(sha256.New, v.DataKey, nil, "gabion/v1 record mac", 32); err != nil || !bytes.Equal(key, v.MACKey) {
		t.Errorf("the MAC key is %x, want %x, %v", key, v.MACKey, err)
	}
	if key, err := hkdf.Key(sha256.New, v.DataKey, nil, "gabion/v1 store record mac", 32); err != nil || !bytes.Equal(key, v.StoreMACKey) {
		t.Errorf("the MAC key of a store is %x, want %x, %v", key, v.StoreMACKey, err)
	}
	cipher, err := crypto.NewCipher(crypto.DataKey(v.DataKey))
	if err != nil {
		t.Fatal(err)
	}
	auth, err := crypto.NewStoreAuthenticator(crypto.DataKey(v.DataKey))
	if err != nil {
		t.Fatal(err)
	}
	ofStore := (&Engine{records: auth}).sealsOf(index.ContentID(v.Content), nil)
	s, kinds := (&Engine{}).sealsOf(index.ContentID{}, cipher), map[string]int{}
	for i := range v.Vectors {
		x := &v.Vectors[i]
		kinds[x.Kind]++
		message, verify, err := x.Record.signed(x.Kind)
		if err != nil {
			t.Fatal(err)
		}
		if mac := s.of(func(buf []byte) []byte { return append(buf, message...) }); !bytes.Equal(message, x.Message) || !bytes.Equal(mac, x.MAC) {
			t.Errorf("%d, a %s: the message is %x, its MAC %x, want %x and %x", i, x.Kind, message, mac, x.Message, x.MAC)
		}
		if err := verify(s, x.MAC); err != nil {
			t.Errorf("%d, a %s: %v", i, x.Kind, err)
		}
		if err := verify(ofStore, x.StoreMAC); err != nil {
			t.Errorf("%d, a %s, under the store's key: %v", i, x.Kind, err)
		}
		if err := verify(ofStore, x.MAC); !errors.Is(err, crypto.ErrAuthentication) {
			t.Errorf("%d, a %s with the MAC of a data key, under the store's: %v", i, x.Kind, err)
		}
		flipped := bytes.Clone(x.MAC)
		flipped[15] ^= 1
		for _, wrong := range [][]byte{nil, flipped, x.MAC[:15]} {
			if err := verify(s, wrong); !errors.Is(err, crypto.ErrAuthentication) {
				t.Errorf("%d, a %s with MAC %x: %v", i, x.Kind, wrong, err)
			}
		}
		if err := verify(seals{}, x.MAC); !errors.Is(err, crypto.ErrAuthentication) {
			t.Errorf("%d, a %s with a MAC and without a key: %v", i, x.Kind, err)
		}
		if err := verify(seals{}, nil); err != nil {
			t.Errorf("%d, a %s without a key: %v", i, x.Kind, err)
		}
	}
	if len(kinds) != 6 {
		t.Errorf("there are vectors of %v", kinds)
	}
}

// BenchmarkPageMAC verifies a full page of a manifest, which is done once when it is read.
func BenchmarkPageMAC(b *testing.B) {
	cipher, err := crypto.NewCipher(crypto.DataKey{})
	if err != nil {
		b.Fatal(err)
	}
	s, rec := (&Engine{}).sealsOf(index.ContentID{}, cipher), index.Page{Chunks: make([]index.PageChunk, index.MaxPageChunks)}
	rec.MAC = s.of(func(buf []byte) []byte { return pageMessage(buf, index.ManifestID{}, 0, &rec) })
	b.ReportAllocs()
	for b.Loop() {
		if err := s.Page(index.ManifestID{}, 0, &rec); err != nil {
			b.Fatal(err)
		}
	}
}
