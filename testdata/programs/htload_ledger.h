/*
 * htload_ledger: the account that htload keeps of its own allocator calls, in a file mapped shared,
 *so that it survives the program's death at any instruction.
 *
 *	header | thread books [threads] | checkpoints [checkpoint_cap] | logs [threads][log_cap]
 *
 * The one rule: a record is written after its call returned, and `count` is stored after the
 *record. Whoever is killed has therefore made `count` calls for certain and at most one more per
 *thread.
 */
#ifndef HTLOAD_LEDGER_H
#define HTLOAD_LEDGER_H

#include <stdatomic.h>
#include <stdint.h>

#define LEDGER_MAGIC 0x72656764656c7468ull /* "htledger" */

/* Sizes that no random request has; they bracket each thread's work and mark checkpoints. */
#define LEDGER_MARK_LOW 50000
#define LEDGER_MARK_BEGIN 50021
#define LEDGER_MARK_CHECKPOINT 50023
#define LEDGER_MARK_END 50051
#define LEDGER_MARK_HIGH 50100

enum ledger_op {
	LEDGER_MALLOC,
	LEDGER_CALLOC,
	LEDGER_REALLOC,
	LEDGER_FREE,
	LEDGER_MEMALIGN,
	LEDGER_POSIX_MEMALIGN,
	LEDGER_ALIGNED_ALLOC,
	LEDGER_VALLOC,
	LEDGER_PVALLOC,
	LEDGER_OPS
};

/* One call. in: the pointer passed to free or realloc; out: the block returned, 0 on failure.
 * size is what was asked for; UINT64_MAX for a calloc whose product does not fit. */
struct ledger_record {
	uint32_t op;
	uint32_t failed;
	uint64_t align;
	uint64_t size;
	uint64_t in;
	uint64_t out;
};

struct ledger_thread {
	_Atomic uint64_t count; /* records in this thread's log */
	uint64_t tid;
	uint64_t pid;
	uint64_t births, deaths,
	    failures;		    /* as CLI.md counts: a realloc that succeeds is one of each */
	uint64_t bytes;		    /* requested, of the births */
	uint64_t calls[LEDGER_OPS]; /* that succeeded */
	uint64_t finished;
};

/* The live set while every other thread stood at a barrier. hash: sum of ledger_hash over it. */
struct ledger_checkpoint {
	uint64_t blocks, bytes, hash;
};

struct ledger_header {
	uint64_t magic;
	uint64_t threads; /* books; the last `forks` of them belong to children */
	uint64_t forks;
	uint64_t log_cap;
	uint64_t checkpoint_cap;
	_Atomic uint64_t checkpoints;
	uint64_t
	    peak_bytes; /* of the blocks of htload's own; only one-thread runs know it, else 0 */
	uint64_t seed;
};

static inline uint64_t ledger_hash(uint64_t address, uint64_t size)
{
	uint64_t x = address * 0x9e3779b97f4a7c15ull ^ (size + 1) * 0xc2b2ae3d27d4eb4full;

	x ^= x >> 29;
	x *= 0xbf58476d1ce4e5b9ull;
	return x ^ x >> 32;
}

static inline uint64_t ledger_bytes(const struct ledger_header *h)
{
	return sizeof *h + h->threads * sizeof(struct ledger_thread) +
	       h->checkpoint_cap * sizeof(struct ledger_checkpoint) +
	       h->threads * h->log_cap * sizeof(struct ledger_record);
}

static inline struct ledger_thread *ledger_books(const struct ledger_header *h)
{
	return (struct ledger_thread *)(uintptr_t)(h + 1);
}

static inline struct ledger_checkpoint *ledger_checkpoints(const struct ledger_header *h)
{
	return (struct ledger_checkpoint *)(ledger_books(h) + h->threads);
}

static inline struct ledger_record *ledger_log(const struct ledger_header *h, uint64_t thread)
{
	return (struct ledger_record *)(ledger_checkpoints(h) + h->checkpoint_cap) +
	       thread * h->log_cap;
}

#endif
