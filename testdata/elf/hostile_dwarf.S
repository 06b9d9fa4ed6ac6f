/*
 * hostile_dwarf: debug information that no compiler writes, around two functions. With -DSLOW instead
 * of circles it has 40,000 functions that share one list of 40,000 ranges: minutes of work by any
 * reader that reads each list, so that the limit on processor time can be seen to act.
 */
	.text
	.globl	circle_one, circle_two, main
	.type	circle_one, @function
	.type	circle_two, @function
	.type	main, @function
main:
circle_one:
	nop
	nop
	ret
	.size	circle_one, .-circle_one
	.size	main, .-main
circle_two:
	nop
	nop
	ret
	.size	circle_two, .-circle_two
.Ltext_end:

	.section .debug_abbrev,"",@progbits
.Labbrev:
	.uleb128 1; .uleb128 0x11; .byte 1		/* compile unit: name, low pc, high pc */
	.uleb128 0x03; .uleb128 0x08; .uleb128 0x11; .uleb128 0x01; .uleb128 0x12; .uleb128 0x07; .byte 0, 0
	.uleb128 2; .uleb128 0x2e; .byte 1		/* subprogram: low pc, high pc, abstract origin, sibling */
	.uleb128 0x11; .uleb128 0x01; .uleb128 0x12; .uleb128 0x07; .uleb128 0x31; .uleb128 0x13
	.uleb128 0x01; .uleb128 0x13; .byte 0, 0
	.uleb128 3; .uleb128 0x1d; .byte 0		/* inlined: abstract origin (across units), low pc, high pc */
	.uleb128 0x31; .uleb128 0x10; .uleb128 0x11; .uleb128 0x01; .uleb128 0x12; .uleb128 0x07; .byte 0, 0
	.uleb128 4; .uleb128 0x2e; .byte 0		/* subprogram: name, ranges */
	.uleb128 0x03; .uleb128 0x08; .uleb128 0x55; .uleb128 0x17; .byte 0, 0
	.byte 0

	.section .debug_info,"",@progbits
.Lunit:
	.long	.Lunit_end - .Lunit_start
.Lunit_start:
	.value	4
	.long	.Labbrev
	.byte	8
	.uleb128 1; .asciz "hostile_dwarf.S"
	.quad	circle_one
	.quad	.Ltext_end - circle_one
#ifdef SLOW
	.rept	40000
	.uleb128 4; .asciz "slow"
	.long	.Lranges
	.endr
#else
.Lone:	.uleb128 2
	.quad	circle_one
	.quad	3
	.long	.Ltwo - .Lunit				/* its origin is the other, whose origin it is */
	.long	.Ltwo - .Lunit
.Lin:	.uleb128 3
	.long	.Lin					/* and this one's is itself */
	.quad	circle_one
	.quad	2
	.byte	0
.Ltwo:	.uleb128 2
	.quad	circle_two
	.quad	3
	.long	.Lone - .Lunit
	.long	.Lone - .Lunit				/* its sibling is the one before */
	.byte	0
#endif
	.byte	0
.Lunit_end:

	.section .debug_ranges,"",@progbits
.Lranges:
#ifdef SLOW
	.rept	40000
	.quad	0, 3
	.endr
#endif
	.quad	0, 0
	.section .note.GNU-stack,"",@progbits
