/* dump_stacks: the frames of one event's stack, a line each, leaf first. */
#ifndef HT_DUMP_STACKS_H
#define HT_DUMP_STACKS_H

#include "analyze.h"

/* names NULL: "module+0xaddress" as the trace has it; else functions, files and lines. */
void ht_dump_stack(struct ht_buf *out, const struct ht_trace *t, const struct ht_stacks *names,
		   uint32_t node);

#endif
