//go:build ignore

package main

import (
	"fmt"
	"math/bits"
)

// avx returns the text of the file for amd64.
func avx() []byte {
	w := &writer{}
	w.header(8, "The constants T of RFC 1321, eight times each: AVX2 has no cheap way to repeat one.")
	w.avx512("avx512x8", 8)
	w.avx512("avx512x16", 16)
	w.avx2("avx2x8", 1)
	w.avx2("avx2x16", 2)
	return w.Bytes()
}

// mix is the function of a round: F, G, H or I.
func mix(round int, b, c, d uint) uint {
	return [4]uint{b&c | ^b&d, b&d | c&^d, b ^ c ^ d, c ^ (b | ^d)}[round] & 1
}

// table is the truth table of mix for VPTERNLOGD with d, c and b as its operands.
func table(round int) (imm uint) {
	for i := range uint(8) {
		imm |= mix(round, i&1, i>>1&1, i>>2&1) << i
	}
	return imm
}

// start writes what all kernels begin with. The frame pointer is not touched.
func (w *writer) start(name string) {
	w.linef("")
	w.linef("// func %s(l *lanes, blocks int)", name)
	w.linef("TEXT ·%s(SB), NOSPLIT, $0-16", name)
	w.opf("MOVQ l+0(FP), DI")
	w.opf("MOVQ blocks+8(FP), CX")
	w.opf("LEAQ md5T<>(SB), SI")
	w.opf("XORQ DX, DX // bytes done")
}

// next writes the jump to the next block, if there is one.
func (w *writer) next() {
	w.linef("")
	w.opf("ADDQ $64, DX")
	w.opf("SUBQ $1, CX")
	w.opf("JNZ  block")
}

// end writes what all kernels end with.
func (w *writer) end() {
	w.opf("VZEROUPPER")
	w.opf("RET")
}

// interleave begins to transpose rows of words: within each part of 128 bits. It returns what
// replaces rows i and j by what two instructions make of both; the names in rows change with that.
func (w *writer) interleave(rows []string, spare string) (pair func(i, j int, low, high string)) {
	pair = func(i, j int, low, high string) {
		a, b := rows[i], rows[j]
		w.opf("%s %s, %s, %s", low, b, a, spare)
		w.opf("%s %s, %s, %s", high, b, a, a)
		rows[i], rows[j], spare = spare, a, b
	}
	for i := 0; i < len(rows); i += 2 {
		pair(i, i+1, "VPUNPCKLDQ", "VPUNPCKHDQ")
	}
	for i := 0; i < len(rows); i += 4 {
		pair(i, i+2, "VPUNPCKLQDQ", "VPUNPCKHQDQ")
		pair(i+1, i+3, "VPUNPCKLQDQ", "VPUNPCKHQDQ")
	}
	return pair
}

// avx512 is the kernel of 16 lanes in registers of 512 bits, or of 8 in half of each, which takes
// less of the CPU. Each register of message words holds one word of all lanes.
func (w *writer) avx512(name string, lanes int) {
	w.start(name)
	letter := map[int]string{8: "Y", 16: "Z"}[lanes]
	state, before, free := [4]string{}, [4]string{}, [4]string{}
	for i := range 4 {
		state[i] = fmt.Sprintf("%s%d", letter, 16+i)
		before[i] = fmt.Sprintf("%s%d", letter, 20+i)
		free[i] = fmt.Sprintf("%s%d", letter, 24+i)
		w.opf("VMOVDQU32 %d(DI), %s", 64*i, state[i])
	}
	w.linef("")
	w.linef("block:")
	var words [16]string
	if lanes == 16 {
		words = w.transpose16()
	} else {
		words = w.transpose8Twice()
	}
	a, b, c, d := state[0], state[1], state[2], state[3]
	for i := range state {
		w.opf("VMOVDQA32 %s, %s", state[i], before[i])
	}
	for i := range 64 {
		f, t := free[i%2], free[2+i%2]
		w.opf("VPADDD.BCST %d(SI), %s, %s", 32*i, words[word(i)], t)
		w.opf("VPADDD %s, %s, %s", t, a, a)
		w.opf("VMOVDQA32 %s, %s", d, f)
		w.opf("VPTERNLOGD $0x%02x, %s, %s, %s", table(i/16), b, c, f)
		w.opf("VPADDD %s, %s, %s", f, a, a)
		w.opf("VPROLD $%d, %s, %s", rotation(i), a, a)
		w.opf("VPADDD %s, %s, %s", b, a, a)
		a, b, c, d = d, a, b, c
	}
	for i := range state {
		w.opf("VPADDD %s, %s, %s", before[i], state[i], state[i])
	}
	w.next()
	for i, r := range state {
		w.opf("VMOVDQU32 %s, %d(DI)", r, 64*i)
	}
	w.end()
}

// transpose16 loads a block of each of 16 lanes, and returns the registers of its words.
func (w *writer) transpose16() (words [16]string) {
	var rows [16]string
	for i := range rows {
		rows[i] = fmt.Sprintf("Z%d", i)
		w.opf("MOVQ (lanes_data+%d)(DI), AX", 8*i)
		w.opf("VMOVDQU32 (AX)(DX*1), %s", rows[i])
	}
	pair := w.interleave(rows[:], "Z31")
	// Row 4g+i now holds, of lanes 4g to 4g+3, a word of each quarter of the block. Which one is in
	// the order 0, 2, 1, 3, as i counts.
	for i := range 4 {
		pair(i, 4+i, "VSHUFI32X4 $0x88,", "VSHUFI32X4 $0xdd,")
		pair(8+i, 12+i, "VSHUFI32X4 $0x88,", "VSHUFI32X4 $0xdd,")
		pair(i, 8+i, "VSHUFI32X4 $0x88,", "VSHUFI32X4 $0xdd,")
		pair(4+i, 12+i, "VSHUFI32X4 $0x88,", "VSHUFI32X4 $0xdd,")
	}
	for i := range 4 {
		first := bits.Reverse8(uint8(i)) >> 6
		for quarter, row := range [4]int{0, 4, 8, 12} {
			words[4*quarter+int(first)] = rows[row+i]
		}
	}
	return words
}

// transpose8Twice loads a block of each of 8 lanes, and returns the registers of its words.
func (w *writer) transpose8Twice() (words [16]string) {
	var rows [16]string // the first halves of the blocks, then the second ones
	for i := range 8 {
		w.opf("MOVQ (lanes_data+%d)(DI), AX", 8*i)
		for half := range 2 {
			rows[8*half+i] = fmt.Sprintf("Y%d", 8*half+i)
			w.opf("VMOVDQU32 %d(AX)(DX*1), %s", 32*half, rows[8*half+i])
		}
	}
	pair := w.interleave(rows[:], "Y31")
	for half := range 2 {
		for i := range 4 {
			low, high := 8*half+i, 8*half+4+i
			pair(low, high, "VSHUFI32X4 $0,", "VSHUFI32X4 $3,")
			first := int(bits.Reverse8(uint8(i)) >> 6)
			words[8*half+first], words[8*half+4+first] = rows[low], rows[high]
		}
	}
	return words
}

// avx2 is the kernel of 8 lanes in registers of 256 bits, or of 16 as two sets of 8, whose steps
// take turns: one set alone leaves the CPU waiting for its own results.
func (w *writer) avx2(name string, sets int) {
	w.start(name)
	w.opf("LEAQ (lanes_words+63)(DI), R8")
	w.opf("ANDQ $~63, R8")
	w.linef("")
	w.linef("block:")
	for set := range sets {
		for half := range 2 {
			w.transpose8(set, half)
		}
	}
	w.opf("VPCMPEQD Y15, Y15, Y15 // all ones")
	names := [2][4]string{{"Y0", "Y1", "Y2", "Y3"}, {"Y4", "Y5", "Y6", "Y7"}}
	temps := [2][2]string{{"Y8", "Y9"}, {"Y10", "Y11"}}
	for set := range sets {
		for i, r := range names[set] {
			w.opf("VMOVDQU %d(DI), %s", 64*i+32*set, r)
		}
	}
	for i := range 64 {
		for set := range sets {
			s := &names[set]
			w.step2(i, set, s[0], s[1], s[2], s[3], temps[set][0], temps[set][1])
			s[0], s[1], s[2], s[3] = s[3], s[0], s[1], s[2]
		}
	}
	for set := range sets {
		for i, r := range names[set] {
			w.opf("VPADDD %d(DI), %s, %s", 64*i+32*set, r, r)
			w.opf("VMOVDQU %s, %d(DI)", r, 64*i+32*set)
		}
	}
	w.next()
	w.end()
}

// transpose8 puts half of the words of eight lanes where step2 finds them.
func (w *writer) transpose8(set, half int) {
	var rows [8]string
	for i := range rows {
		rows[i] = fmt.Sprintf("Y%d", i)
		w.opf("MOVQ (lanes_data+%d)(DI), AX", 64*set+8*i)
		w.opf("VMOVDQU %d(AX)(DX*1), %s", 32*half, rows[i])
	}
	pair := w.interleave(rows[:], "Y8")
	for i := range 4 {
		pair(i, 4+i, "VPERM2I128 $0x20,", "VPERM2I128 $0x31,")
		first := int(bits.Reverse8(uint8(i)) >> 6)
		w.opf("VMOVDQA %s, %d(R8)", rows[i], 64*(8*half+first)+32*set)
		w.opf("VMOVDQA %s, %d(R8)", rows[4+i], 64*(8*half+4+first)+32*set)
	}
}

// step2 is one step of MD5 in registers of 256 bits. What waits for b, the result of the step
// before, comes last.
func (w *writer) step2(i, set int, a, b, c, d, t, u string) {
	w.opf("VPADDD %d(R8), %s, %s", 64*word(i)+32*set, a, a)
	w.opf("VPADDD %d(SI), %s, %s", 32*i, a, a)
	switch i / 16 {
	case 0: // d ^ (b & (c ^ d))
		w.opf("VPXOR %s, %s, %s", d, c, t)
		w.opf("VPAND %s, %s, %s", b, t, t)
		w.opf("VPXOR %s, %s, %s", d, t, t)
	case 1: // (c &^ d) + (b & d): no bit is set in both
		w.opf("VPANDN %s, %s, %s", c, d, t)
		w.opf("VPADDD %s, %s, %s", t, a, a)
		w.opf("VPAND %s, %s, %s", b, d, t)
	case 2: // b ^ (c ^ d)
		w.opf("VPXOR %s, %s, %s", d, c, t)
		w.opf("VPXOR %s, %s, %s", b, t, t)
	case 3: // c ^ (b | ^d)
		w.opf("VPXOR Y15, %s, %s", d, t)
		w.opf("VPOR %s, %s, %s", b, t, t)
		w.opf("VPXOR %s, %s, %s", c, t, t)
	}
	w.opf("VPADDD %s, %s, %s", t, a, a)
	w.opf("VPSLLD $%d, %s, %s", rotation(i), a, u)
	w.opf("VPSRLD $%d, %s, %s", 32-rotation(i), a, a)
	w.opf("VPOR %s, %s, %s", u, a, a)
	w.opf("VPADDD %s, %s, %s", b, a, a)
}
