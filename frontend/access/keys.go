package access

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"fmt"
	"os"
	"runtime"
	"strings"
)

// Keys gives the secrets of access keys. It is asked from many goroutines.
type Keys interface {
	// Secret is that of an access key; ok is false for a key that is not known.
	Secret(accessKey string) (secret string, ok bool)
}

// StaticKeys are secrets by access key.
type StaticKeys map[string]string

// Secret looks the key up.
func (k StaticKeys) Secret(accessKey string) (string, bool) {
	secret, ok := k[accessKey]
	return secret, ok
}

// LoadKeys reads a file of lines "ACCESSKEY SECRET". Empty lines and those that begin with # are
// left out. A file that others than its owner can read is refused, where file systems know owners.
func LoadKeys(path string) (StaticKeys, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("access: %s is open to others: mode %v, and 0600 is needed",
			path, info.Mode().Perm())
	}
	keys := StaticKeys{}
	lines := bufio.NewScanner(f)
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimSpace(lines.Text())
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		// A line that is wrong may hold a secret, so it is not repeated.
		fields := strings.Fields(line)
		if len(fields) != 2 {
			return nil, fmt.Errorf("access: %s:%d: not ACCESSKEY SECRET", path, n)
		}
		if _, ok := keys[fields[0]]; ok {
			return nil, fmt.Errorf("access: %s:%d: access key is there already", path, n)
		}
		keys[fields[0]] = fields[1]
	}
	return keys, lines.Err()
}

// CreateKeys makes a file for LoadKeys, readable by its owner alone, with one random key. It fails
// if the file exists.
func CreateKeys(path string) error {
	var text bytes.Buffer
	fmt.Fprintln(&text, "# ACCESSKEY SECRET")
	fmt.Fprintln(&text, rand.Text()[:20], rand.Text()+rand.Text())
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	if _, err := f.Write(text.Bytes()); err != nil {
		f.Close()
		return err
	}
	return f.Close()
}
