//go:build !purego

#include "textflag.h"

// FOLD multiplies the 16 bytes in sum by x^T, where by has the constants of the distance T, and adds
// those in next. It spoils X9.
#define FOLD(sum, by, next) \
	MOVOU     sum, X9        \
	PCLMULQDQ $0x00, by, sum \
	PCLMULQDQ $0x11, by, X9  \
	PXOR      X9, sum        \
	PXOR      next, sum

// FOLDNEXT is FOLD with the 16 bytes at an offset from SI as next. It spoils X8, too: an operand of
// PXOR in memory would have to be aligned.
#define FOLDNEXT(sum, by, offset) \
	MOVOU offset(SI), X8 \
	FOLD(sum, by, X8)

// func foldPCLMULQDQ(state uint64, p []byte, by *distances) (first, second uint64)
TEXT ·foldPCLMULQDQ(SB), NOSPLIT, $0-56
	MOVQ p_base+8(FP), SI
	MOVQ p_len+16(FP), CX
	MOVQ by+32(FP), BX

	// Eight sums, of 128 bytes together. The state is added to the first 8 bytes.
	MOVOU 0(SI), X0
	MOVOU 16(SI), X1
	MOVOU 32(SI), X2
	MOVOU 48(SI), X3
	MOVOU 64(SI), X4
	MOVOU 80(SI), X5
	MOVOU 96(SI), X6
	MOVOU 112(SI), X7
	MOVQ  state+0(FP), X8
	PXOR  X8, X0
	ADDQ  $128, SI
	SUBQ  $128, CX

	MOVOU 48(BX), X10
	CMPQ  CX, $128
	JB    together

loop128:
	FOLDNEXT(X0, X10, 0)
	FOLDNEXT(X1, X10, 16)
	FOLDNEXT(X2, X10, 32)
	FOLDNEXT(X3, X10, 48)
	FOLDNEXT(X4, X10, 64)
	FOLDNEXT(X5, X10, 80)
	FOLDNEXT(X6, X10, 96)
	FOLDNEXT(X7, X10, 112)
	ADDQ $128, SI
	SUBQ $128, CX
	CMPQ CX, $128
	JAE  loop128

together:
	// Eight sums become four, two and one.
	MOVOU 32(BX), X10
	FOLD(X0, X10, X4)
	FOLD(X1, X10, X5)
	FOLD(X2, X10, X6)
	FOLD(X3, X10, X7)
	MOVOU 16(BX), X10
	FOLD(X0, X10, X2)
	FOLD(X1, X10, X3)
	MOVOU 0(BX), X10
	FOLD(X0, X10, X1)

	CMPQ CX, $16
	JB   done

loop16:
	FOLDNEXT(X0, X10, 0)
	ADDQ $16, SI
	SUBQ $16, CX
	CMPQ CX, $16
	JAE  loop16

done:
	MOVQ   X0, first+40(FP)
	PSRLDQ $8, X0
	MOVQ   X0, second+48(FP)
	RET

// FOLD2 does what FOLD does to twice 16 bytes at once; next may be in memory. It spoils Y9.
#define FOLD2(sum, by, next) \
	VPCLMULQDQ $0x00, by, sum, Y9  \
	VPCLMULQDQ $0x11, by, sum, sum \
	VPXOR      Y9, sum, sum        \
	VPXOR      next, sum, sum

// func foldAVX2(state uint64, p []byte, by *distances) (first, second uint64)
TEXT ·foldAVX2(SB), NOSPLIT, $0-56
	MOVQ p_base+8(FP), SI
	MOVQ p_len+16(FP), CX
	MOVQ by+32(FP), BX

	// Eight times two sums, of 256 bytes together. The state is added to the first 8 bytes.
	VMOVQ   state+0(FP), X0
	VPXOR   0(SI), Y0, Y0
	VMOVDQU 32(SI), Y1
	VMOVDQU 64(SI), Y2
	VMOVDQU 96(SI), Y3
	VMOVDQU 128(SI), Y4
	VMOVDQU 160(SI), Y5
	VMOVDQU 192(SI), Y6
	VMOVDQU 224(SI), Y7
	ADDQ    $256, SI
	SUBQ    $256, CX

	VBROADCASTI128 64(BX), Y10
	CMPQ CX, $256
	JB   together

loop256:
	FOLD2(Y0, Y10, 0(SI))
	FOLD2(Y1, Y10, 32(SI))
	FOLD2(Y2, Y10, 64(SI))
	FOLD2(Y3, Y10, 96(SI))
	FOLD2(Y4, Y10, 128(SI))
	FOLD2(Y5, Y10, 160(SI))
	FOLD2(Y6, Y10, 192(SI))
	FOLD2(Y7, Y10, 224(SI))
	ADDQ $256, SI
	SUBQ $256, CX
	CMPQ CX, $256
	JAE  loop256

together:
	// Eight registers become four, two and one.
	VBROADCASTI128 48(BX), Y10
	FOLD2(Y0, Y10, Y4)
	FOLD2(Y1, Y10, Y5)
	FOLD2(Y2, Y10, Y6)
	FOLD2(Y3, Y10, Y7)
	VBROADCASTI128 32(BX), Y10
	FOLD2(Y0, Y10, Y2)
	FOLD2(Y1, Y10, Y3)
	VBROADCASTI128 16(BX), Y10
	FOLD2(Y0, Y10, Y1)

	CMPQ CX, $32
	JB   lanes

loop32:
	FOLD2(Y0, Y10, 0(SI))
	ADDQ $32, SI
	SUBQ $32, CX
	CMPQ CX, $32
	JAE  loop32

lanes:
	// The two sums in Y0 become one. What the upper lane holds from here on does not matter.
	VEXTRACTI128   $1, Y0, X1
	VBROADCASTI128 0(BX), Y10
	FOLD2(Y0, Y10, Y1)

	CMPQ CX, $16
	JB   done
	VMOVDQU (SI), X1
	FOLD2(Y0, Y10, Y1)

done:
	VMOVQ   X0, first+40(FP)
	VPEXTRQ $1, X0, second+48(FP)
	VZEROUPPER
	RET

// FOLD4 does what FOLD does to four times 16 bytes at once; next may be in memory. It spoils Z9. The
// ternary operation 0x96 is the exclusive or of all three.
#define FOLD4(sum, by, next) \
	VPCLMULQDQ $0x00, by, sum, Z9  \
	VPCLMULQDQ $0x11, by, sum, sum \
	VPTERNLOGQ $0x96, next, Z9, sum

// func foldAVX512(state uint64, p []byte, by *distances) (first, second uint64)
TEXT ·foldAVX512(SB), NOSPLIT, $0-56
	MOVQ p_base+8(FP), SI
	MOVQ p_len+16(FP), CX
	MOVQ by+32(FP), BX

	// Four times four sums, of 256 bytes together. The state is added to the first 8 bytes.
	VMOVQ     state+0(FP), X0
	VPXORQ    0(SI), Z0, Z0
	VMOVDQU64 64(SI), Z1
	VMOVDQU64 128(SI), Z2
	VMOVDQU64 192(SI), Z3
	ADDQ      $256, SI
	SUBQ      $256, CX

	VBROADCASTI32X4 64(BX), Z10
	CMPQ CX, $256
	JB   together

loop256:
	FOLD4(Z0, Z10, 0(SI))
	FOLD4(Z1, Z10, 64(SI))
	FOLD4(Z2, Z10, 128(SI))
	FOLD4(Z3, Z10, 192(SI))
	ADDQ $256, SI
	SUBQ $256, CX
	CMPQ CX, $256
	JAE  loop256

together:
	VBROADCASTI32X4 48(BX), Z10
	FOLD4(Z0, Z10, Z2)
	FOLD4(Z1, Z10, Z3)
	VBROADCASTI32X4 32(BX), Z10
	FOLD4(Z0, Z10, Z1)

	CMPQ CX, $64
	JB   lanes

loop64:
	FOLD4(Z0, Z10, 0(SI))
	ADDQ $64, SI
	SUBQ $64, CX
	CMPQ CX, $64
	JAE  loop64

lanes:
	// The four sums in Z0 become two and one. What the upper lanes hold from here on does not matter.
	VEXTRACTI64X4   $1, Z0, Y1
	VBROADCASTI32X4 16(BX), Z10
	FOLD4(Z0, Z10, Z1)
	VEXTRACTI32X4   $1, Z0, X1
	VBROADCASTI32X4 0(BX), Z10
	FOLD4(Z0, Z10, Z1)

	CMPQ CX, $16
	JB   done

loop16:
	VMOVDQU (SI), X1
	FOLD4(Z0, Z10, Z1)
	ADDQ $16, SI
	SUBQ $16, CX
	CMPQ CX, $16
	JAE  loop16

done:
	VMOVQ   X0, first+40(FP)
	VPEXTRQ $1, X0, second+48(FP)
	VZEROUPPER
	RET

// func featuresOfLeaf7() uint32
TEXT ·featuresOfLeaf7(SB), NOSPLIT, $0-4
	MOVL $7, AX
	XORL CX, CX
	CPUID
	MOVL CX, ret+0(FP)
	RET
