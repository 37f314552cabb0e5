package access_test

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/gabion-storage/gabion/frontend/access"
)

// keyFile is a file of keys with that text.
func keyFile(t *testing.T, text string, mode os.FileMode) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "keys")
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestLoadKeys(t *testing.T) {
	path := keyFile(t, "# who may come in\n\n  AK1 secret1\nAK2\tsec/ret+2  \n", 0o600)
	keys, err := access.LoadKeys(path)
	if err != nil {
		t.Fatal(err)
	}
	for accessKey, want := range map[string]string{"AK1": "secret1", "AK2": "sec/ret+2"} {
		if got, ok := keys.Secret(accessKey); !ok || got != want {
			t.Errorf("%s: %q, %v", accessKey, got, ok)
		}
	}
	if _, ok := keys.Secret("AK3"); ok {
		t.Error("AK3 is known")
	}
}

func TestKeysThatAreNone(t *testing.T) {
	for _, text := range []string{"AK1", "AK1 hunter2 more", "AK1 a\nAK1 hunter2"} {
		_, err := access.LoadKeys(keyFile(t, text, 0o600))
		if err == nil {
			t.Errorf("%q was taken", text)
		} else if strings.Contains(err.Error(), "hunter2") {
			t.Errorf("a secret is in %q", err)
		}
	}
	if _, err := access.LoadKeys(filepath.Join(t.TempDir(), "none")); !os.IsNotExist(err) {
		t.Error(err)
	}
}

func TestKeysThatOthersCanReadAreRefused(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("its modes say nothing about others")
	}
	for _, mode := range []os.FileMode{0o604, 0o640, 0o644, 0o660} {
		if _, err := access.LoadKeys(keyFile(t, "AK1 secret1", mode)); err == nil {
			t.Errorf("mode %v was taken", mode)
		}
	}
}

func TestCreateKeys(t *testing.T) {
	made := map[string]bool{}
	for range 3 {
		path := filepath.Join(t.TempDir(), "keys")
		if err := access.CreateKeys(path); err != nil {
			t.Fatal(err)
		}
		keys, err := access.LoadKeys(path)
		if err != nil {
			t.Fatal(err)
		}
		if len(keys) != 1 {
			t.Fatalf("%d keys", len(keys))
		}
		for accessKey, secret := range keys {
			made[accessKey], made[secret] = true, true
		}
		if err := access.CreateKeys(path); !os.IsExist(err) {
			t.Errorf("over keys that are there: %v", err)
		}
	}
	if len(made) != 6 {
		t.Errorf("keys are not random: %v", made)
	}
}
