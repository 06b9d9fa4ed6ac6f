/* trace_checkpoint: the live set as a block, both ways. Private to this folder. */
#ifndef HT_TRACE_CHECKPOINT_H
#define HT_TRACE_CHECKPOINT_H

#include "trace_encode.h"
#include "trace_reader.h"

/* Is what the encoder knows small enough against so many bytes of events? */
bool ht_checkpoint_pays(const struct ht_encoder *c, uint64_t bytes);
/* The payload and head of checkpoint `number`, between two blocks; the next one begins here. */
void ht_checkpoint_build(struct ht_encoder *c, uint32_t number, struct ht_block_head *h, struct ht_buf *raw);

/* Takes checkpoint c into a set that holds what those before it said (c = 0: nothing yet). What is dead is marked
 * by op 0 and still stands there until ht_checkpoint_settle. */
int ht_checkpoint_apply(const struct ht_trace *t, size_t c, struct ht_live_set *s, struct ht_diag *d);
void ht_checkpoint_settle(struct ht_live_set *s);

#endif
