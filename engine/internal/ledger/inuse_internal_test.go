package ledger

import "testing"

// TestNamedAndWanted names what is provisional, and has it replaced before whoever wrote it says
// that it is named: the sweeping waits for it by then, and must be told.
func TestNamedAndWanted(t *testing.T) {
	var freed [][16]byte
	u := inUse{freed: func(id [16]byte) { freed = append(freed, id) }}
	for _, test := range []struct {
		name              string
		provisional       bool
		wanted, alsoFreed bool
	}{
		{"named", true, false, false},
		{"named and replaced", true, true, true},
		{"named at once and replaced", false, true, true},
	} {
		freed = nil
		id := [16]byte{1}
		u.enter(id)
		if test.provisional {
			u.provisional(id)
		}
		if test.wanted && !u.want(id) {
			t.Errorf("%s: it is in use, and was said not to be", test.name)
		}
		u.named(id)
		u.leave(id)
		if got := len(freed) > 0; got != test.alsoFreed {
			t.Errorf("%s: freed is %t, want %t", test.name, got, test.alsoFreed)
		}
	}
}
