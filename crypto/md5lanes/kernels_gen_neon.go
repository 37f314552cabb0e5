//go:build ignore

package main

import (
	"fmt"
	"strings"
)

// neon returns the text of the file for arm64.
func neon() []byte {
	w := &writer{}
	w.header(4, "The constants T of RFC 1321, four times each: then a load brings two of them.")
	w.neon("neonx8", 2)
	w.neon("neonx16", 4)
	return w.Bytes()
}

// neonPointers are the registers that walk over the messages, a lane each. R18 and those from R27 on
// are not ours.
var neonPointers = [16]string{
	"R4", "R5", "R6", "R7", "R8", "R9", "R10", "R11",
	"R12", "R13", "R14", "R15", "R16", "R17", "R19", "R20",
}

// neonSet is four lanes: where the words A, B, C and D of their state are, and two registers for
// what lies between.
type neonSet struct{ a, b, c, d, t, u int }

// neon is the kernel of so many sets of four lanes, whose instructions take turns: a step waits
// five times for its own results, and there are registers for four sets. The frame pointer is not
// touched.
func (w *writer) neon(name string, sets int) {
	w.linef("")
	w.linef("// func %s(l *lanes, blocks int)", name)
	w.linef("TEXT ·%s(SB), NOSPLIT, $0-16", name)
	w.opf("MOVD l+0(FP), R0")
	w.opf("MOVD blocks+8(FP), R1")
	w.opf("MOVD $md5T<>(SB), R2")
	w.opf("ADD  $(lanes_words+63), R0, R3")
	w.opf("AND  $~63, R3")
	for i, r := range neonPointers[:4*sets] {
		w.opf("MOVD (lanes_data+%d)(R0), %s", 8*i, r)
	}
	w.opf("VEOR V26.B16, V26.B16, V26.B16")
	w.opf("VCMEQ V26.B16, V26.B16, V26.B16 // all ones")
	w.linef("")
	w.linef("block:")
	for set := range sets {
		w.neonTranspose(set)
	}
	s := make([]neonSet, sets)
	for i := range s {
		s[i] = neonSet{a: i, b: 4 + i, c: 8 + i, d: 12 + i, t: 16 + i, u: 20 + i}
	}
	for word := range 4 {
		for i := 0; i < sets; i += 2 {
			w.opf("FLDPQ %d(R0), (F%d, F%d)", 64*word+16*i, 4*word+i, 4*word+i+1)
		}
	}
	for i := range 64 {
		w.neonStep(i, s)
		for j := range s {
			s[j].a, s[j].b, s[j].c, s[j].d = s[j].d, s[j].a, s[j].b, s[j].c
		}
	}
	for word := range 4 {
		for i := 0; i < sets; i += 2 {
			r := 4*word + i
			w.opf("FLDPQ %d(R0), (F16, F17)", 64*word+16*i)
			w.opf("VADD V16.S4, V%d.S4, V%d.S4", r, r)
			w.opf("VADD V17.S4, V%d.S4, V%d.S4", r+1, r+1)
			w.opf("FSTPQ (F%d, F%d), %d(R0)", r, r+1, 64*word+16*i)
		}
	}
	w.linef("")
	w.opf("SUB  $1, R1")
	w.opf("CBNZ R1, block")
	w.opf("RET")
}

// neonTranspose puts the words of a block of four lanes where neonStep finds them.
func (w *writer) neonTranspose(set int) {
	for lane := range 4 {
		r := make([]string, 4)
		for quarter := range r {
			r[quarter] = fmt.Sprintf("V%d.B16", 4*lane+quarter)
		}
		w.opf("VLD1.P 64(%s), [%s]", neonPointers[4*set+lane], strings.Join(r, ", "))
	}
	// both writes what two instructions make of registers x and y.
	both := func(lanes string, x, y, first, second int) {
		for i, to := range []int{first, second} {
			w.opf("VTRN%d V%d.%s, V%d.%s, V%d.%s", 1+i, y, lanes, x, lanes, to, lanes)
		}
	}
	for quarter := range 4 {
		both("S4", quarter, 4+quarter, 16, 17)    // of lanes 0 and 1: words 0 and 2, 1 and 3
		both("S4", 8+quarter, 12+quarter, 18, 19) // of lanes 2 and 3
		both("D2", 16, 18, 20, 22)
		both("D2", 17, 19, 21, 23)
		for i := range 4 {
			w.opf("FMOVQ F%d, %d(R3)", 20+i, 64*(4*quarter+i)+16*set)
		}
	}
}

// neonStep is one step of MD5 of all sets. What waits for b, the result of the step before, comes
// last.
func (w *writer) neonStep(i int, sets []neonSet) {
	// each writes one instruction for every set, with S for its registers' lanes.
	each := func(op func(s neonSet) string) {
		for _, s := range sets {
			w.opf("%s", op(s))
		}
	}
	// vector is an instruction of operands that are vectors, the last of which is the result.
	vector := func(op, lanes string, registers ...int) string {
		operands := make([]string, len(registers))
		for i, r := range registers {
			operands[i] = fmt.Sprintf("V%d.%s", r, lanes)
		}
		return op + " " + strings.Join(operands, ", ")
	}
	if i%2 == 0 {
		w.opf("FLDPQ %d(R2), (F24, F25)", 16*i)
	}
	for j := 0; j < len(sets); j += 2 {
		w.opf("FLDPQ %d(R3), (F%d, F%d)", 64*word(i)+16*j, sets[j].t, sets[j+1].t)
	}
	each(func(s neonSet) string { return vector("VADD", "S4", 24+i%2, s.a, s.a) })
	each(func(s neonSet) string { return vector("VADD", "S4", s.t, s.a, s.a) })
	switch i / 16 {
	case 0: // where b has a bit c, else d
		each(func(s neonSet) string { return vector("VMOV", "B16", s.d, s.u) })
		each(func(s neonSet) string { return vector("VBIT", "B16", s.b, s.c, s.u) })
	case 1: // where d has a bit b, else c
		each(func(s neonSet) string { return vector("VMOV", "B16", s.c, s.u) })
		each(func(s neonSet) string { return vector("VBIT", "B16", s.d, s.b, s.u) })
	case 2: // b ^ (c ^ d)
		each(func(s neonSet) string { return vector("VEOR", "B16", s.c, s.d, s.u) })
		each(func(s neonSet) string { return vector("VEOR", "B16", s.b, s.u, s.u) })
	case 3: // c ^ (b | ^d)
		each(func(s neonSet) string { return vector("VEOR", "B16", 26, s.d, s.u) })
		each(func(s neonSet) string { return vector("VORR", "B16", s.b, s.u, s.u) })
		each(func(s neonSet) string { return vector("VEOR", "B16", s.c, s.u, s.u) })
	}
	each(func(s neonSet) string { return vector("VADD", "S4", s.u, s.a, s.a) })
	if left := rotation(i); left == 16 {
		each(func(s neonSet) string { return vector("VREV32", "H8", s.a, s.t) })
	} else {
		each(func(s neonSet) string { return vector(fmt.Sprintf("VSHL $%d,", left), "S4", s.a, s.t) })
		each(func(s neonSet) string {
			return vector(fmt.Sprintf("VSRI $%d,", 32-left), "S4", s.a, s.t)
		})
	}
	each(func(s neonSet) string { return vector("VADD", "S4", s.b, s.t, s.a) })
}
