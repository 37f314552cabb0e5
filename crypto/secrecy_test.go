package crypto_test

import (
	"bytes"
	"encoding/gob"
	"encoding/hex"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"testing"

	"github.com/gabion-storage/gabion/crypto"
)

// secret is a key that shows in any of the usual spellings.
var secret = crypto.DataKey(bytes.Repeat([]byte{0xAB}, crypto.DataKeySize))

func checkHidden(t *testing.T, how, text string) {
	t.Helper()
	for _, spelling := range []string{"abab", "ab ab", "171 171", "171, 171", "171,171", "0xab, 0xab", "q6ur", `\xab`, "\xab\xab", "253 253", "10101011"} {
		if strings.Contains(strings.ToLower(text), spelling) {
			t.Errorf("%s shows the key: %s", how, text)
		}
	}
}

func TestKeysAreNotFormatted(t *testing.T) {
	c, err := crypto.NewCipher(secret)
	if err != nil {
		t.Fatal(err)
	}
	ring := openRingText(t, keyLine(1, secret[:]))
	values := map[string]any{
		"DataKey":       secret,
		"*DataKey":      &secret,
		"[]DataKey":     []crypto.DataKey{secret},
		"struct":        struct{ Key crypto.DataKey }{secret},
		"CustomerKey":   customer,
		"*CustomerKey":  &customer,
		"[]CustomerKey": []crypto.CustomerKey{customer},
		"of a customer": struct{ Key crypto.CustomerKey }{customer},
		"a long one":    append(customer[:32:32], customer...),
		"Cipher":        c,
		"Authenticator": c.Authenticator(),
		"Keyring":       ring,
		"in structs":    struct{ A, B, C any }{c, ring, customer},
		"and there":     struct{ A any }{c.Authenticator()},
	}
	for name, v := range values {
		for _, verb := range []string{"v", "+v", "#v", "s", "q", "x", "X", "# x", "d", "b", "c", "U"} {
			checkHidden(t, name+" with %"+verb, fmt.Sprintf("%"+verb, v))
		}
		checkHidden(t, name+" printed", fmt.Sprintln(v))
		if text, err := json.Marshal(v); err == nil {
			checkHidden(t, name+" as JSON", string(text))
		}
		if text, err := xml.Marshal(v); err == nil {
			checkHidden(t, name+" as XML", string(text))
		}
		var stream bytes.Buffer
		if err := gob.NewEncoder(&stream).Encode(v); err == nil {
			checkHidden(t, name+" as gob", stream.String())
		}
		var log bytes.Buffer
		slog.New(slog.NewTextHandler(&log, nil)).Info("", "value", v)
		slog.New(slog.NewJSONHandler(&log, nil)).Info("", "value", v)
		checkHidden(t, name+" logged", log.String())
	}
	for _, k := range []any{secret, customer} {
		want := fmt.Sprintf("%T(redacted)", k)
		text, err := json.Marshal(k)
		if got := fmt.Sprint(k); got != want || string(text) != strconv.Quote(want) || err != nil {
			t.Errorf("a %T prints as %q and encodes as %s, %v", k, got, text, err)
		}
		// What fmt does not ask for when there is a Formatter, others may call.
		if k, ok := k.(interface{ String() string }); !ok || k.String() != want {
			t.Errorf("a %T has another text", k)
		}
		if k, ok := k.(fmt.GoStringer); !ok || k.GoString() != want {
			t.Errorf("a %T has another Go text", k)
		}
	}
}

// Errors of the decoder must not quote the line that they are about.
func TestKeyringErrorsHideKeys(t *testing.T) {
	line := keyLine(1, secret[:])
	for i := range line {
		for _, c := range []string{"", "g", "A", "\n", " ", "\x00", "é"} {
			text := ringText(line[:i] + c + line[i+1:])
			if _, err := crypto.RecodeRing([]byte(text)); err != nil {
				checkHidden(t, "an error", fmt.Sprintf("%v %+v %#v", err, err, err))
			}
		}
	}
	if !strings.Contains(line, hex.EncodeToString(secret[:])) {
		t.Fatal("the line does not hold the key, so this tests nothing")
	}
}

func TestCustomerKeyErrorsHideKeys(t *testing.T) {
	short := customer[:crypto.CustomerKeySize-1]
	_, err1 := short.Wrap(secret)
	_, err2 := short.Unwrap(nil)
	_, err3 := customer.Unwrap(bytes.Repeat(customer[:1], 61))
	for _, err := range []error{err1, err2, err3} {
		if err == nil {
			t.Fatal("there is no error")
		}
		checkHidden(t, "an error", fmt.Sprintf("%v %+v %#v", err, err, err))
	}
}
