//go:build !purego

#include "textflag.h"

// FOLD multiplies the 16 bytes in sum by x^T, where by has the constants of the distance T, and adds
// those in next. It spoils V16.
#define FOLD(sum, by, next) \
	VPMULL  sum.D1, by.D1, V16.Q1     \
	VPMULL2 sum.D2, by.D2, sum.Q1     \
	VEOR    V16.B16, sum.B16, sum.B16 \
	VEOR    next.B16, sum.B16, sum.B16

// func foldPMULL(state uint64, p []byte, by *distances) (first, second uint64)
TEXT ·foldPMULL(SB), NOSPLIT, $0-56
	MOVD state+0(FP), R0
	MOVD p_base+8(FP), R1
	MOVD p_len+16(FP), R2
	MOVD by+32(FP), R3

	VLD1 (R3), [V20.D2, V21.D2, V22.D2, V23.D2] // by 16, 32, 64 and 128 bytes

	// Eight sums, of 128 bytes together. The state is added to the first 8 bytes.
	VLD1.P 64(R1), [V0.B16, V1.B16, V2.B16, V3.B16]
	VLD1.P 64(R1), [V4.B16, V5.B16, V6.B16, V7.B16]
	VEOR   V8.B16, V8.B16, V8.B16
	VMOV   R0, V8.D[0]
	VEOR   V8.B16, V0.B16, V0.B16
	SUB    $128, R2
	CMP    $128, R2
	BLO    together

loop128:
	VLD1.P 64(R1), [V8.B16, V9.B16, V10.B16, V11.B16]
	VLD1.P 64(R1), [V12.B16, V13.B16, V14.B16, V15.B16]
	FOLD(V0, V23, V8)
	FOLD(V1, V23, V9)
	FOLD(V2, V23, V10)
	FOLD(V3, V23, V11)
	FOLD(V4, V23, V12)
	FOLD(V5, V23, V13)
	FOLD(V6, V23, V14)
	FOLD(V7, V23, V15)
	SUB $128, R2
	CMP $128, R2
	BHS loop128

together:
	// Eight sums become four, two and one.
	FOLD(V0, V22, V4)
	FOLD(V1, V22, V5)
	FOLD(V2, V22, V6)
	FOLD(V3, V22, V7)
	FOLD(V0, V21, V2)
	FOLD(V1, V21, V3)
	FOLD(V0, V20, V1)
	CMP $16, R2
	BLO done

loop16:
	VLD1.P 16(R1), [V8.B16]
	FOLD(V0, V20, V8)
	SUB $16, R2
	CMP $16, R2
	BHS loop16

done:
	VMOV V0.D[0], R0
	VMOV V0.D[1], R1
	MOVD R0, first+40(FP)
	MOVD R1, second+48(FP)
	RET
