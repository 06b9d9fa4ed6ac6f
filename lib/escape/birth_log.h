/*
 * birth_log: what a pass remembers of each live block, found by its thread and its place among that thread's births
 * (steps name both). Pages of 1024 births, dropped when the last of their blocks died, so memory goes with what
 * is live, not with the trace's length.
 */
#ifndef HT_BIRTH_LOG_H
#define HT_BIRTH_LOG_H

#include "base.h"

#define HT_BIRTH_PAGE_BITS 10
#define HT_BIRTH_PAGE (1u << HT_BIRTH_PAGE_BITS)

struct ht_birth_page;
struct ht_birth_thread {
	uint64_t births; /* so far */
	struct ht_birth_page **pages;
	size_t page_cap;
};
struct ht_birth_log {
	struct ht_birth_thread *threads;
	uint32_t thread_count;
	size_t entry; /* bytes of one */
	struct ht_birth_page *spare;
};

void ht_birth_log_init(struct ht_birth_log *l, uint32_t threads, size_t entry);
void ht_birth_log_release(struct ht_birth_log *l);
/* The thread's next birth, zeroed; every birth must come here, in order. */
void *ht_birth_log_add(struct ht_birth_log *l, uint32_t thread);
/* The birth with this many others of its thread after it, or NULL when it is not live. */
void *ht_birth_log_find(struct ht_birth_log *l, uint32_t thread, uint64_t number);
static inline uint64_t ht_birth_number(const struct ht_birth_log *l, uint32_t thread, uint32_t between)
{
	uint64_t births = l->threads[thread].births;
	return births > between ? births - 1 - between : UINT64_MAX;
}
/* It will be asked for soon; near enough is good enough. */
void ht_birth_log_prefetch(const struct ht_birth_log *l, uint32_t thread, uint64_t number);
/* It died: false when it was not live, else what was remembered goes to `entry`. */
bool ht_birth_log_take(struct ht_birth_log *l, uint32_t thread, uint64_t number, void *entry);
/* It lives on after all; zeroed, to be filled in again. */
void *ht_birth_log_revive(struct ht_birth_log *l, uint32_t thread, uint64_t number);
/* Every live one, in no order that means anything. */
void ht_birth_log_each(struct ht_birth_log *l, void (*visit)(void *ctx, void *entry), void *ctx);

#endif
