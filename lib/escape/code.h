/*
 * code: what the machine code of a function can do between two of its calls. Read from the files that the trace names
 * (same build-id, or it is not asked), disassembled function by function when a question first needs it.
 *
 * Graphs are over-approximated: an indirect jump may go anywhere in its function, a call may end in any landing
 * pad, and behind setjmp. So NO is what the code says, YES is a possibility, UNKNOWN that there is no code to ask.
 *
 * Addresses are link-time. A call is named by its return address, as stacks do.
 */
#ifndef HT_CODE_H
#define HT_CODE_H

#include "trace.h"

enum ht_code_answer { HT_CODE_NO, HT_CODE_YES, HT_CODE_UNKNOWN };

struct ht_code;
/* sysroot: prefixed to module paths, NULL = none. instructions: so many are read, a little more at most, and searching
 * them counts; what is asked beyond is UNKNOWN. */
struct ht_code *ht_code_new(const struct ht_trace *t, const char *sysroot, uint64_t instructions);
void ht_code_free(struct ht_code *c);

/* A point in a function: behind a call, or (exact) at an instruction. module: id + 1. */
struct ht_code_point {
	uint32_t module;
	bool exact;
	uint64_t address;
};
/* Can the activation that is at `from` come to the call `to` without returning? */
enum ht_code_answer ht_code_path(struct ht_code *c, struct ht_code_point from, struct ht_code_point to);
/* The same without going round a loop. */
enum ht_code_answer ht_code_forward(struct ht_code *c, struct ht_code_point from, struct ht_code_point to);
/* Can a new activation come to the call `to` without passing the call `via`? */
enum ht_code_answer ht_code_around(struct ht_code *c, struct ht_code_point via, struct ht_code_point to);
/* Can the activation at `from` end in a jump to another function? */
enum ht_code_answer ht_code_tail(struct ht_code *c, struct ht_code_point from);
/* Does the call go directly to the function that `inside` lies in? UNKNOWN: it goes nowhere directly. */
enum ht_code_answer ht_code_calls(struct ht_code *c, struct ht_code_point call, struct ht_code_point inside);

#endif
