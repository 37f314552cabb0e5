package crypto_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/gabion-storage/gabion/crypto"
)

var _ crypto.KeyProvider = (*crypto.Keyring)(nil)

// keyLine, keyLines and ringText write the format as ring.go describes it.
func keyLine(id int, key []byte) string { return fmt.Sprintf("key %032x %x\n", id, key) }

func keyLines(n int) string {
	var b strings.Builder
	for id := range n {
		b.WriteString(keyLine(id, secret[:]))
	}
	return b.String()
}

func ringText(lines string) string {
	body := "gabion keyring 1\n" + lines
	return fmt.Sprintf("%ssum %x\n", body, sha256.Sum256([]byte(body)))
}

func openRing(t testing.TB, path string) *crypto.Keyring {
	t.Helper()
	ring, err := crypto.OpenKeyring(path)
	if err != nil {
		t.Fatal(err)
	}
	return ring
}

func createRing(t testing.TB, path string) *crypto.Keyring {
	t.Helper()
	ring, err := crypto.CreateKeyring(path)
	if err != nil {
		t.Fatal(err)
	}
	return ring
}

func openRingText(t testing.TB, lines string) *crypto.Keyring {
	t.Helper()
	path := filepath.Join(t.TempDir(), "keys")
	writeFile(t, path, []byte(ringText(lines)))
	return openRing(t, path)
}

func writeFile(t testing.TB, path string, data []byte) {
	t.Helper()
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

func readFile(t testing.TB, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func rotate(t testing.TB, ring *crypto.Keyring) (keyID string) {
	t.Helper()
	id, err := ring.Rotate()
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func generate(t testing.TB, ring *crypto.Keyring, keyID string) (crypto.DataKey, crypto.WrappedKey) {
	t.Helper()
	key, w, err := ring.Generate(t.Context(), keyID)
	if err != nil {
		t.Fatal(err)
	}
	return key, w
}

func checkUnwraps(t testing.TB, ring *crypto.Keyring, w crypto.WrappedKey, want crypto.DataKey) {
	t.Helper()
	if got, err := ring.Unwrap(context.Background(), w); err != nil || got != want {
		t.Errorf("a key under %s: right %t, %v", w.KeyID, got == want, err)
	}
}

// names are the entries of a directory.
func names(t testing.TB, dir string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		names = append(names, entry.Name())
	}
	return names
}

// checkAlone checks that the directory holds the key ring with its lock and no leftover of its
// making.
func checkAlone(t testing.TB, path string) {
	t.Helper()
	name := filepath.Base(path)
	if got := names(t, filepath.Dir(path)); !slices.Equal(got, []string{"." + name + ".lock", name}) {
		t.Errorf("the directory holds %v", got)
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if runtime.GOOS != "windows" && info.Mode() != 0o600 {
		t.Errorf("the mode is %v", info.Mode())
	}
}

func TestKeyringLife(t *testing.T) {
	ctx := t.Context()
	path := filepath.Join(t.TempDir(), "keys")
	ring := createRing(t, path)
	checkAlone(t, path)
	key1, w1 := generate(t, ring, "")
	old := w1.KeyID
	if ids := ring.KeyIDs(); !slices.Equal(ids, []string{old}) {
		t.Fatalf("a new ring has the keys %v, current %s", ids, old)
	}

	current := rotate(t, ring)
	checkAlone(t, path)
	key2, w2 := generate(t, ring, "")
	key3, w3 := generate(t, ring, old)
	if w2.KeyID != current || w3.KeyID != old || current == old || key1 == key2 || key2 == key3 {
		t.Fatalf("after rotation: %s, %s, current %s, old %s", w2.KeyID, w3.KeyID, current, old)
	}
	rewrapped, err := ring.Wrap(ctx, "", key1)
	if err != nil || rewrapped.KeyID != current {
		t.Fatalf("Wrap: under %s, %v", rewrapped.KeyID, err)
	}

	for _, ring := range []*crypto.Keyring{ring, openRing(t, path)} {
		if ids := ring.KeyIDs(); !slices.Equal(ids, []string{old, current}) {
			t.Errorf("the keys are %v", ids)
		}
		if id, err := ring.CurrentKeyID(ctx); id != current || err != nil {
			t.Errorf("the current key is %s, %v", id, err)
		}
		checkUnwraps(t, ring, w1, key1)
		checkUnwraps(t, ring, w2, key2)
		checkUnwraps(t, ring, w3, key3)
		checkUnwraps(t, ring, rewrapped, key1)
	}
}

func TestKeyringUnknownKeys(t *testing.T) {
	ctx := t.Context()
	ring := createRing(t, filepath.Join(t.TempDir(), "keys"))
	_, w := generate(t, ring, "")
	other := createRing(t, filepath.Join(t.TempDir(), "keys"))
	_, err1 := other.Unwrap(ctx, w)
	_, err2 := ring.Unwrap(ctx, crypto.WrappedKey{Blob: w.Blob})
	_, err3 := ring.Wrap(ctx, "none", crypto.DataKey{})
	_, _, err4 := ring.Generate(ctx, "none")
	for i, err := range []error{err1, err2, err3, err4} {
		if !errors.Is(err, crypto.ErrKeyNotFound) {
			t.Errorf("case %d: %v", i+1, err)
		}
	}
}

func TestUnwrapRefusesEveryChange(t *testing.T) {
	ctx := t.Context()
	ring := createRing(t, filepath.Join(t.TempDir(), "keys"))
	_, w := generate(t, ring, "")
	check := func(what string, changed crypto.WrappedKey) {
		if _, err := ring.Unwrap(ctx, changed); !errors.Is(err, crypto.ErrAuthentication) {
			t.Errorf("%s: %v", what, err)
		}
	}
	eachFlip(w.Blob, func(bit int, flipped []byte) {
		check(fmt.Sprintf("bit %d", bit), crypto.WrappedKey{KeyID: w.KeyID, Blob: flipped})
	})
	for n := range w.Blob {
		check("a cut blob", crypto.WrappedKey{KeyID: w.KeyID, Blob: w.Blob[:n]})
	}
	check("a longer blob", crypto.WrappedKey{KeyID: w.KeyID, Blob: append(bytes.Clone(w.Blob), 0)})
	check("another generation", crypto.WrappedKey{KeyID: rotate(t, ring), Blob: w.Blob})

	// Two generations of one secret, which only the associated data tells apart.
	twins := openRingText(t, keyLine(1, secret[:])+keyLine(2, secret[:]))
	_, w = generate(t, twins, "")
	w.KeyID = twins.KeyIDs()[0]
	if _, err := twins.Unwrap(ctx, w); !errors.Is(err, crypto.ErrAuthentication) {
		t.Errorf("a blob under the id of a twin: %v", err)
	}
}

// checkRefused opens a file of this content, which must be refused and left alone.
func checkRefused(t *testing.T, what, path string, text []byte) *crypto.KeyringError {
	t.Helper()
	_ = os.Remove(path) // some file systems flush a file that is truncated and written again
	writeFile(t, path, text)
	_, err := crypto.OpenKeyring(path)
	var refusal *crypto.KeyringError
	if !errors.As(err, &refusal) {
		t.Fatalf("%s: %v", what, err)
	}
	if refusal.Path != path || refusal.Reason == "" || !strings.Contains(err.Error(), path) {
		t.Errorf("%s: %v", what, err)
	}
	if !bytes.Equal(readFile(t, path), text) {
		t.Errorf("%s: the file was changed", what)
	}
	return refusal
}

func TestKeyringRefusesDamage(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys")
	rotate(t, createRing(t, path))
	text := readFile(t, path)
	firstLine := 8 * (bytes.IndexByte(text, '\n') + 1)
	eachFlip(text, func(bit int, flipped []byte) {
		what := fmt.Sprintf("bit %d", bit)
		err := checkRefused(t, what, path, flipped)
		if bit >= firstLine && err.Reason != "its checksum does not match" {
			t.Errorf("%s: %v", what, err)
		}
	})
	for n := range text {
		checkRefused(t, fmt.Sprintf("cut after %d bytes", n), path, text[:n])
	}
	checkRefused(t, "a line more", path, append(bytes.Clone(text), '\n'))
}

// What is tested here has the right checksum.
func TestKeyringRefusesOtherTexts(t *testing.T) {
	const (
		noKey  = "it has no key"
		badKey = "it has a line that is no key"
		twice  = "it has two keys of one id"
		differ = "it is not as this package writes it"
		long   = "it is longer than 1048576 bytes"
	)
	path := filepath.Join(t.TempDir(), "keys")
	one := keyLines(1)
	for _, c := range []struct{ what, lines, reason string }{
		{"no line", "", noKey},
		{"an empty line", one + "\n", badKey},
		{"two spaces", strings.Replace(one, " ", "  ", 1), badKey},
		{"a short key", keyLine(1, secret[:31]), badKey},
		{"a long key", keyLine(1, append(secret[:], 1)), badKey},
		{"CRLF", strings.Replace(one, "\n", "\r\n", 1), badKey},
		{"one id twice", one + one, twice},
		{"upper-case id", "key " + strings.Repeat("AB", 16) + one[36:], differ},
		{"upper-case key", one[:37] + strings.ToUpper(one[37:]), differ},
		{"upper-case word", "KEY" + one[3:], differ},
		{"no line end", strings.TrimSuffix(one, "\n"), differ},
		{"too many", keyLines(1<<20/len(one) + 1), long},
	} {
		if err := checkRefused(t, c.what, path, []byte(ringText(c.lines))); err.Reason != c.reason {
			t.Errorf("%s: %v", c.what, err)
		}
	}
}

func TestKeyringRefusesNewerFormat(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys")
	err := checkRefused(t, "version 2", path, []byte("gabion keyring 2\nwhatever that is\n"))
	if !errors.Is(err, crypto.ErrKeyringNewer) {
		t.Errorf("version 2: %v", err)
	}
	err = checkRefused(t, "version 0", path, []byte("gabion keyring 0\nwhatever that is\n"))
	if errors.Is(err, crypto.ErrKeyringNewer) {
		t.Errorf("version 0: %v", err)
	}
}

// TestKeyringMakesNoneByItself opens what is not there.
func TestKeyringMakesNoneByItself(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "keys")
	for _, missing := range []string{path, filepath.Join(dir, "none", "keys")} {
		if _, err := crypto.OpenKeyring(missing); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), dir) {
			t.Errorf("opening %s: %v", missing, err)
		}
	}
	if got := names(t, dir); len(got) > 0 {
		t.Errorf("the directory holds %v", got)
	}
	if _, err := crypto.CreateKeyring(filepath.Join(dir, "none", "keys")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("creating one in no directory: %v", err)
	}
}

// TestCreateKeyringReplacesNothing makes a ring where something is: a ring, another file, a
// directory, and a symlink that leads nowhere.
func TestCreateKeyringReplacesNothing(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "keys")
	ids := createRing(t, path).KeyIDs()
	file, sub, link := filepath.Join(dir, "file"), filepath.Join(dir, "sub"), filepath.Join(dir, "link")
	writeFile(t, file, nil)
	if err := os.Mkdir(sub, 0o700); err != nil {
		t.Fatal(err)
	}
	taken := []string{path, file, sub}
	if err := os.Symlink(filepath.Join(dir, "nowhere"), link); err == nil {
		taken = append(taken, link)
	} else if runtime.GOOS != "windows" {
		t.Fatal(err)
	}
	for _, path := range taken {
		if _, err := crypto.CreateKeyring(path); !errors.Is(err, fs.ErrExist) {
			t.Errorf("creating %s: %v", path, err)
		}
	}
	if got := openRing(t, path).KeyIDs(); !slices.Equal(got, ids) {
		t.Errorf("the ring has %v, had %v", got, ids)
	}
	for _, name := range names(t, dir) {
		if strings.Contains(name, ".tmp-") || name == "nowhere" {
			t.Errorf("%s is left", name)
		}
	}
}

func TestCreateKeyringAtOnce(t *testing.T) {
	for range 20 {
		path := filepath.Join(t.TempDir(), "keys")
		made := make(chan *crypto.Keyring, 8)
		begin := make(chan struct{})
		var wg sync.WaitGroup
		for range cap(made) {
			wg.Go(func() {
				<-begin
				ring, err := crypto.CreateKeyring(path)
				switch {
				case err == nil:
					made <- ring
				case !errors.Is(err, fs.ErrExist):
					t.Error(err)
				}
				if _, err := crypto.OpenKeyring(path); err != nil {
					t.Errorf("opening after that: %v", err)
				}
			})
		}
		close(begin)
		wg.Wait()
		checkAlone(t, path)
		if len(made) != 1 {
			t.Fatalf("%d have made the ring", len(made))
		}
		if got, want := openRing(t, path).KeyIDs(), (<-made).KeyIDs(); !slices.Equal(got, want) {
			t.Errorf("the file has %v, made was %v", got, want)
		}
	}
}

func FuzzKeyring(f *testing.F) {
	f.Add("gabion keyring 1\n"+keyLine(1, secret[:]), true)
	f.Add(ringText(keyLine(1, secret[:])+keyLine(2, secret[:])), false)
	f.Add("gabion keyring 2\n", false)
	f.Fuzz(func(t *testing.T, text string, addSum bool) {
		// No fuzzer finds a SHA-256 by itself.
		if addSum {
			text = fmt.Sprintf("%ssum %x\n", text, sha256.Sum256([]byte(text)))
		}
		again, err := crypto.RecodeRing([]byte(text))
		if err == nil && string(again) != text {
			t.Errorf("%q is read, and written as %q", text, again)
		}
	})
}
