/*
 * tracecheck ledger: the trace against htload's own account (testdata/programs/htload_ledger.h).
 *
 * Each thread of htload begins with a block of LEDGER_MARK_BEGIN bytes. From that birth on, the
 * thread's events must be its log, call by call: kind, size, alignment, address, and of deaths the
 * address of the birth they name. Behind the log's end comes what libc does at a thread's end
 * (counted as "outside"), or, if htload was killed, at most one call that had begun. At checkpoints
 * the set of live blocks must be the same.
 */
#include "tracecheck.h"
#include "htload_ledger.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* A thread of the trace and its place in the log that it follows. */
struct follower {
	int64_t book; /* index of the ledger's thread, -1 before its mark */
	uint64_t at;
	uint64_t realloc_freed; /* sequence number + 1 of a death whose realloc has not ended yet */
	bool realloc_open;
	uint64_t surplus; /* events behind the end of a killed thread's log */
};

struct comparison {
	const struct ledger_header *ledger;
	struct blocks blocks;
	struct follower *followers;
	bool *taken; /* per book */
	bool killed;
	uint64_t outside_births, outside_deaths, matched;
	uint64_t live_bytes,
	    base_bytes; /* of all blocks now; of others' when the first thread began */
	uint64_t checkpoint, tracked_blocks, tracked_bytes, tracked_hash;
};

static const struct ledger_header *map_ledger(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	const struct ledger_header *h;

	if (fd < 0 || fstat(fd, &st) < 0 || (size_t)st.st_size < sizeof *h) {
		fprintf(stderr, "tracecheck: %s: no ledger\n", path);
		exit(1);
	}
	h = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED, fd, 0);
	if (h == MAP_FAILED || h->magic != LEDGER_MAGIC ||
	    ledger_bytes(h) != (uint64_t)st.st_size) {
		fprintf(stderr, "tracecheck: %s: not a ledger\n", path);
		exit(1);
	}
	close(fd);
	return h;
}

/* The ledger's thread with this tid and pid that no thread of the trace has taken. */
static int64_t find_book(const struct comparison *c, uint32_t tid, uint32_t pid)
{
	const struct ledger_thread *books = ledger_books(c->ledger);

	for (uint64_t i = 0; i < c->ledger->threads; i++)
		if (!c->taken[i] && books[i].tid == tid && books[i].pid == pid)
			return (int64_t)i;
	return -1;
}

static uint64_t log_count(const struct comparison *c, const struct follower *f)
{
	return atomic_load(&ledger_books(c->ledger)[f->book].count);
}

/* free(NULL) leaves no event. */
static bool is_silent(const struct ledger_record *r)
{
	return r->op == LEDGER_FREE && r->in == 0;
}

static const struct ledger_record *expected(struct comparison *c, struct follower *f)
{
	const struct ledger_record *log = ledger_log(c->ledger, (uint64_t)f->book);

	while (f->at < log_count(c, f) && is_silent(&log[f->at]))
		f->at++;
	return f->at < log_count(c, f) ? &log[f->at] : NULL;
}

static void advance(struct comparison *c, struct follower *f)
{
	f->at++;
	f->realloc_open = false;
	f->realloc_freed = 0;
	c->matched++;
}

/* --- the set of live blocks
 * ------------------------------------------------------------------------- */

/* Children's blocks are copies in another address space: the checkpoints are the first image's. */
static void track(struct comparison *c, struct block *b, bool add)
{
	uint64_t sign = add ? 1 : (uint64_t)-1;

	c->live_bytes += sign * b->size;
	if (!b->tracked)
		return;
	c->tracked_blocks += sign;
	c->tracked_bytes += sign * b->size;
	c->tracked_hash += sign * ledger_hash(b->address, b->size);
}

static void check_checkpoint(struct comparison *c)
{
	const struct ledger_checkpoint *p = &ledger_checkpoints(c->ledger)[c->checkpoint];

	if (c->checkpoint++ >= atomic_load(&c->ledger->checkpoints))
		return; /* killed between the mark and the note of it */
	if (p->blocks != c->tracked_blocks || p->bytes != c->tracked_bytes ||
	    p->hash != c->tracked_hash)
		differs("checkpoint %" PRIu64 ": %" PRIu64 " blocks, %" PRIu64
			" bytes live; the ledger has %" PRIu64 ", %" PRIu64 "%s",
			c->checkpoint, c->tracked_blocks, c->tracked_bytes, p->blocks, p->bytes,
			p->blocks == c->tracked_blocks ? " (other blocks)" : "");
}

/* --- one event against one record
 * --------------------------------------------------------------------- */

static unsigned birth_op(uint32_t op)
{
	switch (op) {
	case LEDGER_MALLOC:
		return HT_OP_MALLOC;
	case LEDGER_CALLOC:
		return HT_OP_CALLOC;
	case LEDGER_REALLOC:
		return HT_OP_REALLOC;
	case LEDGER_FREE:
		return HT_OP_NONE;
	default:
		return HT_OP_ALIGNED;
	}
}

static void mismatch(const struct follower *f, const struct ledger_record *r,
		     const struct ht_event *e, const char *what)
{
	differs("thread %" PRId64 ", call %" PRIu64 ": %s: event op %u size %" PRIu64
		" address %#" PRIx64 "; ledger op %u size %" PRIu64 " in %#" PRIx64 " out %#" PRIx64
		" failed %u",
		f->book, f->at, what, e->op, e->size, e->address, r->op, r->size, r->in, r->out,
		r->failed);
}

static void match_birth(struct comparison *c, struct follower *f, const struct ledger_record *r,
			const struct ht_event *e)
{
	if (e->op != birth_op(r->op) || r->failed || !r->out)
		mismatch(f, r, e, "another kind of call");
	else if (e->size != r->size || e->address != r->out)
		mismatch(f, r, e, "another block");
	else if (e->op == HT_OP_ALIGNED && e->extra != r->align)
		mismatch(f, r, e, "another alignment");
	else if (r->op == LEDGER_REALLOC && !!r->in != f->realloc_open)
		mismatch(f, r, e, "a realloc with one half");
	advance(c, f);
}

static void match_death(struct comparison *c, struct follower *f, const struct ledger_record *r,
			const struct ht_event *e, uint64_t address)
{
	bool half = e->op == HT_OP_REALLOC_FREE || e->op == HT_OP_REALLOC_FREE_UNKNOWN;

	if (r->op != (half ? LEDGER_REALLOC : LEDGER_FREE) || f->realloc_open)
		mismatch(f, r, e, "another kind of call");
	else if (address != r->in)
		mismatch(f, r, e, "the death of another block");
	if (!half) {
		advance(c, f);
		return;
	}
	f->realloc_open = true;
	f->realloc_freed = ht_op_is_death(e->op) ? e->seq + 1 : 0;
	if (r->size == 0 && !r->out && !r->failed)
		advance(c, f);
}

/* A failed realloc is its death half, UNDO, and then FAILED as for every other call. */
static void match_failure(struct comparison *c, struct follower *f, const struct ledger_record *r,
			  const struct ht_event *e)
{
	bool undo = e->op == HT_OP_REALLOC_UNDO;

	if (!r->failed)
		mismatch(f, r, e, "a failure that was none");
	else if (undo != f->realloc_open)
		mismatch(f, r, e, "a failed realloc without its undo");
	else if (!undo && r->size != UINT64_MAX && e->size != r->size)
		mismatch(f, r, e, "another failed size");
	f->realloc_open = false;
	if (!undo)
		advance(c, f);
}

static void follow(struct comparison *c, struct follower *f, const struct ht_event *e,
		   uint64_t address)
{
	const struct ledger_record *r = expected(c, f);

	if (!r) {
		f->surplus++;
		c->outside_births += ht_op_is_birth(e->op);
		c->outside_deaths += ht_op_is_death(e->op);
	} else if (ht_op_is_birth(e->op)) {
		match_birth(c, f, r, e);
	} else if (e->op == HT_OP_FAILED || e->op == HT_OP_REALLOC_UNDO) {
		match_failure(c, f, r, e);
	} else if (e->op == HT_OP_IMPLIED_FREE) {
		mismatch(f, r, e, "an implied free");
	} else {
		match_death(c, f, r, e, address);
	}
}

/* --- the replay
 * ----------------------------------------------------------------------------------------- */

static void start_if_marked(struct comparison *c, const struct ht_trace *t, struct follower *f,
			    const struct ht_event *e)
{
	const struct ht_thread_info *thread = ht_trace_thread(t, e->thread);
	const struct ht_image *image = ht_trace_image(t, thread->image);

	if (e->op != HT_OP_MALLOC || e->size != LEDGER_MARK_BEGIN || f->book >= 0)
		return;
	f->book = find_book(c, thread->tid, image ? image->pid : 0);
	if (f->book < 0) {
		differs("thread %u of the trace is not in the ledger", thread->tid);
		return;
	}
	if (f->book == 0)
		c->base_bytes = c->live_bytes;
	c->taken[f->book] = true;
}

static bool concerns_blocks(unsigned op)
{
	return ht_op_is_birth(op) || (op >= HT_OP_FREE && op <= HT_OP_FAILED);
}

static void see(void *ctx, const struct ht_trace *t, const struct ht_event *e)
{
	struct comparison *c = ctx;
	struct follower *f = &c->followers[e->thread];
	struct block *b = NULL;
	uint64_t address = e->address, undone = f->realloc_freed;

	if (!concerns_blocks(e->op))
		return;
	start_if_marked(c, t, f, e);
	if (e->op == HT_OP_MALLOC && e->size == LEDGER_MARK_CHECKPOINT && f->book == 0)
		check_checkpoint(c);
	if (ht_op_is_birth(e->op)) {
		b = born(&c->blocks, e);
		b->tracked =
		    f->book >= 0 && (uint64_t)f->book < c->ledger->threads - c->ledger->forks;
		track(c, b, true);
	} else if (ht_op_is_death(e->op)) {
		b = block_of(&c->blocks, e->seq);
		if (!b || !b->live) {
			differs("death of block %" PRIu64 ", which is not alive", e->seq);
			return;
		}
		address = b->address;
		b->live = false;
		track(c, b, false);
	}
	if (f->book >= 0) {
		follow(c, f, e, address);
	} else {
		c->outside_births += ht_op_is_birth(e->op);
		c->outside_deaths += ht_op_is_death(e->op);
	}
	if (e->op == HT_OP_REALLOC_UNDO && undone && (b = block_of(&c->blocks, undone - 1))) {
		b->live = true;
		track(c, b, true);
	}
}

/* What stands in a ledger's log and never came, and what came and never stood there. */
static uint64_t count_missing(struct comparison *c, uint32_t followers)
{
	uint64_t missing = 0, surplus;

	for (uint64_t i = 0; i < c->ledger->threads; i++)
		if (!c->taken[i])
			missing += atomic_load(&ledger_books(c->ledger)[i].count);
	for (uint32_t i = 0; i < followers; i++) {
		struct follower *f = &c->followers[i];

		if (f->book < 0)
			continue;
		if (expected(c, f))
			missing += log_count(c, f) - f->at;
		/* A realloc that fails after its first half has three events. */
		surplus = f->surplus;
		if (c->killed && !ledger_books(c->ledger)[f->book].finished && surplus > 3)
			differs("thread %" PRId64 " was killed, yet %" PRIu64
				" events follow its last call",
				f->book, surplus);
	}
	return missing;
}

static void print_sums(const struct comparison *c, uint64_t missing)
{
	static const char *const names[LEDGER_OPS] = {"malloc",	       "calloc",   "realloc",
						      "free",	       "memalign", "posix_memalign",
						      "aligned_alloc", "valloc",   "pvalloc"};
	uint64_t births = 0, deaths = 0, bytes = 0, failures = 0, calls[LEDGER_OPS] = {0};

	for (uint64_t i = 0; i < c->ledger->threads; i++) {
		const struct ledger_thread *book = &ledger_books(c->ledger)[i];

		births += book->births;
		deaths += book->deaths;
		bytes += book->bytes;
		failures += book->failures;
		for (unsigned k = 0; k < LEDGER_OPS; k++)
			calls[k] += book->calls[k];
	}
	printf("births=%" PRIu64 " deaths=%" PRIu64 " bytes=%" PRIu64 " failures=%" PRIu64
	       " peak=%" PRIu64 " base=%" PRIu64 " checkpoints=%" PRIu64 " matched=%" PRIu64
	       " missing=%" PRIu64 " outside_births=%" PRIu64 " outside_deaths=%" PRIu64
	       " differences=%" PRIu64,
	       births, deaths, bytes, failures, c->ledger->peak_bytes, c->base_bytes, c->checkpoint,
	       c->matched, missing, c->outside_births, c->outside_deaths, differences);
	for (unsigned k = 0; k < LEDGER_OPS; k++)
		printf(" %s=%" PRIu64, names[k], calls[k]);
	putchar('\n');
}

int check_ledger(const struct ht_trace *t, const char *ledger_path, bool killed)
{
	uint32_t followers = ht_trace_thread_count(t);
	struct comparison c = {.ledger = map_ledger(ledger_path), .killed = killed};
	uint64_t missing;

	c.followers = ht_xcalloc(followers + 1, sizeof *c.followers);
	c.taken = ht_xcalloc(c.ledger->threads, sizeof *c.taken);
	for (uint32_t i = 0; i < followers; i++)
		c.followers[i].book = -1;
	for_each_event(t, see, &c);
	missing = count_missing(&c, followers);
	if (c.checkpoint < atomic_load(&c.ledger->checkpoints))
		differs("only %" PRIu64 " checkpoints in the trace", c.checkpoint);
	print_sums(&c, missing);
	free(c.followers);
	free(c.taken);
	free(c.blocks.items);
	return differences != 0 || missing != 0;
}
