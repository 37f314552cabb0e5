package crypto_test

import (
	"bytes"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"path/filepath"
	"slices"
	"testing"

	"github.com/gabion-storage/gabion/crypto"
)

// vectors is testdata/vectors.json. Its values do not come from this package, but from another
// implementation of the same constructions.
type vectors struct {
	CRC64 []struct {
		Text string
		CRC  uint64 `json:"crc,string"`
	} `json:"crc64"`
	Patterns []struct {
		Size         int
		CRC64        uint64   `json:"crc64,string"`
		Address      hexBytes `json:"address"`
		KeyedAddress hexBytes `json:"keyed_address"`
	}
	Combine []struct {
		A    uint64 `json:"a,string"`
		B    uint64 `json:"b,string"`
		LenB int64  `json:"len_b"`
		AB   uint64 `json:"ab,string"`
	} `json:"combine_crc64"`
	DataKey struct {
		Key        hexBytes
		AddressKey hexBytes `json:"address_key"`
		SealKey    hexBytes `json:"seal_key"`
	} `json:"data_key"`
	Seals []struct {
		Size   int
		AAD    hexBytes `json:"aad"`
		Sealed hexBytes
	}
	Keyring struct {
		Text    string
		Wrapped []struct {
			KeyID   string `json:"key_id"`
			Blob    hexBytes
			DataKey hexBytes `json:"data_key"`
		}
	}
	Checksums []struct {
		Algorithm crypto.ChecksumAlgorithm
		Size      int
		Sum       hexBytes
	}
	CombineChecksums []struct {
		Algorithm crypto.ChecksumAlgorithm
		X, Y      hexBytes
		LenY      int64 `json:"len_y"`
		XY        hexBytes
	} `json:"combine_checksums"`
	Composites []struct {
		Algorithm crypto.ChecksumAlgorithm
		Sums      []hexBytes
		Sum       hexBytes
	}
	CustomerKey struct {
		Key         hexBytes
		WrappingKey hexBytes `json:"wrapping_key"`
		Wrapped     []struct {
			Blob    hexBytes
			DataKey hexBytes `json:"data_key"`
		}
	} `json:"customer_key"`
	DedupScope struct {
		Store, Scope hexBytes
		AddressKey   hexBytes `json:"address_key"`
		Addresses    []struct {
			Size    int
			Address hexBytes
		}
	} `json:"dedup_scope"`
}

type hexBytes []byte

func (h *hexBytes) UnmarshalText(text []byte) (err error) {
	*h, err = hex.DecodeString(string(text))
	return err
}

func readVectors(t *testing.T) *vectors {
	t.Helper()
	var v vectors
	if err := json.Unmarshal(readFile(t, filepath.Join("testdata", "vectors.json")), &v); err != nil {
		t.Fatal(err)
	}
	// A misspelt field would leave its list empty and test nothing.
	for _, n := range []int{len(v.CRC64), len(v.Patterns), len(v.Combine), len(v.Seals), len(v.Keyring.Wrapped),
		len(v.Checksums), len(v.CombineChecksums), len(v.Composites), len(v.CustomerKey.Wrapped), len(v.DedupScope.Addresses)} {
		if n == 0 {
			t.Fatal("a list of vectors is missing")
		}
	}
	return &v
}

func pattern(size int) []byte {
	p := make([]byte, size)
	for i := range p {
		p[i] = byte(i % 251)
	}
	return p
}

func TestVectorsOfDigests(t *testing.T) {
	v := readVectors(t)
	c, err := crypto.NewCipher(crypto.DataKey(v.DataKey.Key))
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range v.CRC64 {
		if got := crypto.CRC64(0, []byte(x.Text)); got != x.CRC {
			t.Errorf("CRC of %q: %d, want %d", x.Text, got, x.CRC)
		}
	}
	for _, x := range v.Patterns {
		p := pattern(x.Size)
		if got := crypto.CRC64(0, p); got != x.CRC64 {
			t.Errorf("CRC of %d bytes: %d, want %d", x.Size, got, x.CRC64)
		}
		if got := crypto.AddressOf(p); got != crypto.Address(x.Address) || got.String() != hex.EncodeToString(x.Address) {
			t.Errorf("address of %d bytes: %s, want %x", x.Size, got, x.Address)
		}
		if got := c.AddressOf(p); got != crypto.Address(x.KeyedAddress) {
			t.Errorf("keyed address of %d bytes: %s, want %x", x.Size, got, x.KeyedAddress)
		}
	}
	for _, x := range v.Combine {
		if got := crypto.CombineCRC64(x.A, x.B, x.LenB); got != x.AB {
			t.Errorf("CRC of two, the second of %d bytes: %d, want %d", x.LenB, got, x.AB)
		}
	}
}

func TestVectorsOfSeals(t *testing.T) {
	v := readVectors(t)
	// The derived keys do not leave the package: what they do is tested, and that the file tells
	// other implementations the right ones.
	for label, want := range map[string][]byte{
		"gabion/v1 chunk address": v.DataKey.AddressKey,
		"gabion/v1 chunk seal":    v.DataKey.SealKey,
	} {
		if got, err := hkdf.Key(sha256.New, v.DataKey.Key, nil, label, 32); err != nil || !bytes.Equal(got, want) {
			t.Errorf("key of %q: %x, want %x, %v", label, got, want, err)
		}
	}
	c, err := crypto.NewCipher(crypto.DataKey(v.DataKey.Key))
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range v.Seals {
		if got, err := c.Open(x.Sealed, x.AAD); err != nil || !bytes.Equal(got, pattern(x.Size)) {
			t.Errorf("seal of %d bytes: opens to %d, %v", x.Size, len(got), err)
		}
	}
}

func TestVectorsOfKeyring(t *testing.T) {
	v := readVectors(t)
	path := filepath.Join(t.TempDir(), "keys")
	writeFile(t, path, []byte(v.Keyring.Text))
	ring := openRing(t, path)
	for _, x := range v.Keyring.Wrapped {
		checkUnwraps(t, ring, crypto.WrappedKey{KeyID: x.KeyID, Blob: x.Blob}, crypto.DataKey(x.DataKey))
	}
}

func TestVectorsOfChecksums(t *testing.T) {
	v := readVectors(t)
	for _, x := range v.Checksums {
		if got := sumOf(x.Algorithm, pattern(x.Size)); !bytes.Equal(got, x.Sum) {
			t.Errorf("%s of %d bytes: %x, want %x", x.Algorithm, x.Size, got, x.Sum)
		}
	}
	for _, x := range v.CombineChecksums {
		if got := x.Algorithm.Combine(x.X, x.Y, x.LenY); !bytes.Equal(got, x.XY) {
			t.Errorf("%s of two, the second of %d bytes: %x, want %x", x.Algorithm, x.LenY, got, x.XY)
		}
	}
	for _, x := range v.Composites {
		var sums [][]byte
		for _, sum := range x.Sums {
			sums = append(sums, sum)
		}
		if got := x.Algorithm.Composite(sums); !bytes.Equal(got, x.Sum) {
			t.Errorf("composite %s of %d parts: %x, want %x", x.Algorithm, len(sums), got, x.Sum)
		}
	}
}

func TestVectorsOfCustomerKey(t *testing.T) {
	v := readVectors(t).CustomerKey
	// As for the keys of a cipher.
	got, err := hkdf.Key(sha256.New, v.Key, nil, "gabion/v1 customer key", 32)
	if err != nil || !bytes.Equal(got, v.WrappingKey) {
		t.Errorf("wrapping key: %x, want %x, %v", got, v.WrappingKey, err)
	}
	for _, x := range v.Wrapped {
		got, err := crypto.CustomerKey(v.Key).Unwrap(x.Blob)
		if want := crypto.DataKey(x.DataKey); err != nil || got != want {
			t.Errorf("a key for a customer: right %t, %v", got == want, err)
		}
	}
}

func TestVectorsOfScopes(t *testing.T) {
	v := readVectors(t).DedupScope
	// As for the keys of a cipher.
	got, err := hkdf.Key(sha256.New, slices.Concat(v.Store, v.Scope), nil, "gabion/v1 dedup scope", 32)
	if err != nil || !bytes.Equal(got, v.AddressKey) {
		t.Errorf("address key: %x, want %x, %v", got, v.AddressKey, err)
	}
	scope, err := crypto.NewScope([16]byte(v.Store), [16]byte(v.Scope))
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range v.Addresses {
		if got := scope.AddressOf(pattern(x.Size)); got != crypto.Address(x.Address) {
			t.Errorf("address of %d bytes: %s, want %x", x.Size, got, x.Address)
		}
	}
}
