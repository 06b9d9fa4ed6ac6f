/*
 * htload: a program that allocates at random and knows exactly what it did.
 *
 *	htload [-s SEED] [-t THREADS] [-n CALLS] [-c CHECKPOINTS] [-f FORKS] [-e] LEDGER
 *
 * THREADS threads share one table of slots; a slot holds a live block or nothing. Each step takes a
 * slot and allocates into it by one of the nine functions of the family, frees what is there, or
 * reallocates it, so blocks die in other threads than they were born in. What each call asked and
 * returned goes to LEDGER (htload_ledger.h) after it returned. htload also judges the allocator: it
 * checks alignment, usable size, contents, NULL and errno, and exits with 1 on the first surprise.
 * Each function of the family is called from one function here (call_malloc, ...), under a random
 *depth of recursion, so that a report's rows can be compared by name. -e: endless, for tests that
 *kill it.
 */
#include "htload_ledger.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define SLOTS 1024
#define QUIET_US 20000 /* many ticks of the recorder, also while it waits for a processor */
#define HUGE_SIZE                                                                                  \
	((size_t)PTRDIFF_MAX - 4096) /* more than any address space: fails, errno ENOMEM */
#define NOINLINE __attribute__((noinline))

struct slot {
	atomic_flag busy;
	unsigned char *block;
	size_t size;
};

struct worker {
	uint64_t random;
	struct ledger_thread *book;
	struct ledger_record *log;
	uint64_t calls, live, peak;
	unsigned index;
};

static struct slot slots[SLOTS];
static struct ledger_header *ledger;
static pthread_barrier_t barrier;
static uint64_t checkpoints_wanted;
static bool endless;
static volatile size_t sink;

static _Noreturn void fault(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fputs("htload: ", stderr);
	vfprintf(stderr, format, args);
	fputc('\n', stderr);
	_exit(1);
}

static uint64_t draw(struct worker *w, uint64_t below)
{
	w->random ^= w->random << 13;
	w->random ^= w->random >> 7;
	w->random ^= w->random << 17;
	return (w->random >> 11) % below;
}

/* Mostly small, sometimes up to 256 KiB (beyond the mmap threshold), never a mark's size. */
static size_t draw_size(struct worker *w)
{
	uint64_t kind = draw(w, 100);
	size_t size = kind < 3	  ? 0
		      : kind < 80 ? draw(w, 512)
		      : kind < 98 ? draw(w, 16384)
				  : draw(w, 262144);

	return size >= LEDGER_MARK_LOW && size < LEDGER_MARK_HIGH ? LEDGER_MARK_HIGH : size;
}

/* --- the account ------------------------------------------------------------------------------ */

static void note(struct worker *w, struct ledger_record r, size_t old_size)
{
	struct ledger_thread *book = w->book;
	uint64_t n = atomic_load_explicit(&book->count, memory_order_relaxed);
	bool dies = r.in && !r.failed;

	if (n == ledger->log_cap)
		_exit(0);
	w->log[n] = r;
	book->calls[r.op] += !r.failed;
	book->births += r.out != 0;
	book->bytes += r.out ? r.size : 0;
	book->deaths += dies;
	book->failures += r.failed;
	w->live -= dies ? old_size : 0;
	w->live += r.out ? r.size : 0;
	if (w->live > w->peak)
		w->peak = w->live;
	atomic_store_explicit(&book->count, n + 1, memory_order_release);
}

static unsigned char pattern(const unsigned char *block, size_t i)
{
	return (unsigned char)((uintptr_t)block >> 4 ^ i * 31);
}

static size_t probe_bytes(size_t size)
{
	return size < 48 ? size : 48;
}

static void fill(unsigned char *block, size_t size)
{
	for (size_t i = 0; i < probe_bytes(size); i++)
		block[i] = pattern(block, i);
	sink = size;
}

/* before: where the block lay when it was filled. */
static void check_contents(const unsigned char *block, const unsigned char *before, size_t size)
{
	for (size_t i = 0; i < probe_bytes(size); i++)
		if (block[i] != pattern(before, i))
			fault("byte %zu of a block of %zu bytes has changed", i, size);
}

/* Every call is made with errno 77: success must keep it, failure must set it. */
static void check_result(const void *block, size_t size, size_t align, bool fails, int error)
{
	if (fails) {
		if (block || error == 77)
			fault("a request of %zu bytes should fail: block %p, errno %d", size, block,
			      error);
		return;
	}
	if (!block)
		fault("a request of %zu bytes failed: errno %d", size, error);
	if (error != 77)
		fault("a successful request of %zu bytes changed errno to %d", size, error);
	if ((uintptr_t)block % align)
		fault("block %p is not aligned to %zu", block, align);
	if (malloc_usable_size((void *)(uintptr_t)block) < size)
		fault("block %p holds fewer than %zu bytes", block, size);
}

/* --- one function for each function of the family -----------------------------------------------
 */

static NOINLINE void *call_malloc(struct worker *w, size_t size, bool fails)
{
	void *p = malloc(size);

	check_result(p, size, 16, fails, errno);
	note(w, (struct ledger_record){LEDGER_MALLOC, fails, 0, size, 0, (uintptr_t)p}, 0);
	return p;
}

static NOINLINE void *call_calloc(struct worker *w, size_t count, size_t each, bool fails)
{
	unsigned char *p = calloc(count, each);
	uint64_t size;

	if (__builtin_mul_overflow(count, each, &size))
		size = UINT64_MAX;
	check_result(p, size, 16, fails, errno);
	for (size_t i = 0; p && i < size; i += 1 + size / 64)
		if (p[i])
			fault("calloc returned a byte that is not 0");
	note(w, (struct ledger_record){LEDGER_CALLOC, fails, 0, size, 0, (uintptr_t)p}, 0);
	return p;
}

static NOINLINE void *call_memalign(struct worker *w, size_t align, size_t size, bool fails)
{
	void *p = memalign(align, size);

	check_result(p, size, align, fails, errno);
	note(w, (struct ledger_record){LEDGER_MEMALIGN, fails, align, size, 0, (uintptr_t)p}, 0);
	return p;
}

/* Its errno is not promised by anybody, its result is. */
static NOINLINE void *call_posix_memalign(struct worker *w, size_t align, size_t size, bool fails)
{
	void *untouched = w, *p = untouched;
	int error = posix_memalign(&p, align, size);

	if (fails ? error == 0 || p != untouched : error != 0)
		fault("posix_memalign of %zu bytes returned %d, pointer %p", size, error, p);
	if (fails)
		p = NULL;
	else
		check_result(p, size, align, false, 77);
	note(w, (struct ledger_record){LEDGER_POSIX_MEMALIGN, fails, align, size, 0, (uintptr_t)p},
	     0);
	return p;
}

static NOINLINE void *call_aligned_alloc(struct worker *w, size_t align, size_t size, bool fails)
{
	void *p = aligned_alloc(align, size);

	check_result(p, size, align, fails, errno);
	note(w, (struct ledger_record){LEDGER_ALIGNED_ALLOC, fails, align, size, 0, (uintptr_t)p},
	     0);
	return p;
}

static NOINLINE void *call_valloc(struct worker *w, size_t size, bool fails)
{
	void *p = valloc(size);

	check_result(p, size, 4096, fails, errno);
	note(w, (struct ledger_record){LEDGER_VALLOC, fails, 0, size, 0, (uintptr_t)p}, 0);
	return p;
}

static NOINLINE void *call_pvalloc(struct worker *w, size_t size, bool fails)
{
	void *p = pvalloc(size);

	check_result(p, size, 4096, fails, errno);
	note(w, (struct ledger_record){LEDGER_PVALLOC, fails, 0, size, 0, (uintptr_t)p}, 0);
	return p;
}

static NOINLINE void call_free(struct worker *w, void *block, size_t size)
{
	uintptr_t address = (uintptr_t)block;

	free(block);
	if (errno != 77)
		fault("free changed errno to %d", errno);
	note(w, (struct ledger_record){LEDGER_FREE, 0, 0, 0, address, 0}, size);
}

/* realloc(p, 0) frees and returns NULL; a failing realloc leaves the old block as it was. */
static NOINLINE void *call_realloc(struct worker *w, void *block, size_t old_size, size_t size,
				   bool fails)
{
	uintptr_t address = (uintptr_t)block;
	unsigned char *p = realloc(block, size);

	if (block && size == 0) {
		if (p || errno != 77)
			fault("realloc(p, 0) returned %p, errno %d", (void *)p, errno);
	} else {
		check_result(p, size, 16, fails, errno);
	}
	if (p && address)
		check_contents(p, (unsigned char *)address, old_size < size ? old_size : size);
	note(w, (struct ledger_record){LEDGER_REALLOC, fails, 0, size, address, (uintptr_t)p},
	     old_size);
	return p;
}

/* --- one step -----------------------------------------------------------------------------------
 */

static void allocate(struct worker *w, struct slot *s)
{
	size_t size = draw_size(w), align = (size_t)16 << draw(w, 9), count;

	switch (draw(w, 16)) {
	case 0:
	case 1:
		count = 1 + draw(w, 9);
		s->block = call_calloc(w, count, size / count, false);
		size = size / count * count;
		break;
	case 2:
		s->block = call_memalign(w, align, size, false);
		break;
	case 3:
		s->block = call_posix_memalign(w, align, size, false);
		break;
	case 4:
		s->block = call_aligned_alloc(w, align, size, false);
		break;
	case 5:
		size %= 20000;
		s->block = draw(w, 2) ? call_valloc(w, size, false) : call_pvalloc(w, size, false);
		break;
	case 6:
	case 7:
		s->block = call_realloc(w, NULL, 0, size, false);
		break;
	default:
		s->block = call_malloc(w, size, false);
	}
	s->size = size;
	fill(s->block, size);
}

/* Requests that no allocator can serve. None of them changes what is live. */
static void fail_on_purpose(struct worker *w, struct slot *s)
{
	size_t huge = HUGE_SIZE - draw(w, 4096);

	switch (draw(w, 7)) {
	case 0:
		call_malloc(w, huge, true);
		break;
	case 1:
		call_calloc(w, huge, 3, true);
		break;
	case 2:
		call_memalign(w, 64, huge, true);
		break;
	case 3:
		call_posix_memalign(w, 64, huge, true);
		break;
	case 4:
		call_valloc(w, huge, true);
		break;
	case 5:
		call_realloc(w, NULL, 0, huge, true);
		break;
	default:
		call_realloc(w, s->block, s->size, huge, true);
		if (s->block)
			check_contents(s->block, s->block, s->size);
	}
}

static void change(struct worker *w, struct slot *s)
{
	size_t size;

	check_contents(s->block, s->block, s->size);
	if (draw(w, 3)) {
		call_free(w, s->block, s->size);
		s->block = NULL;
		return;
	}
	size = draw(w, 4) == 0 ? s->size / 2 : draw(w, 40) == 0 ? 0 : draw_size(w);
	s->block = call_realloc(w, s->block, s->size, size, false);
	s->size = size;
	if (s->block)
		fill(s->block, size);
}

static void step(struct worker *w)
{
	struct slot *s = &slots[draw(w, SLOTS)];

	while (atomic_flag_test_and_set_explicit(&s->busy, memory_order_acquire))
		s = &slots[draw(w, SLOTS)];
	errno = 77;
	if (draw(w, 100) == 0)
		fail_on_purpose(w, s);
	else if (draw(w, 200) == 0)
		call_free(w, NULL, 0);
	else if (s->block)
		change(w, s);
	else
		allocate(w, s);
	atomic_flag_clear_explicit(&s->busy, memory_order_release);
}

/* The buffer's size varies, so frames do, too. */
static NOINLINE void descend(struct worker *w, unsigned depth)
{
	volatile char local[24 + depth % 5 * 16];

	local[depth % 24] = (char)depth;
	if (depth == 0)
		step(w);
	else
		descend(w, depth - 1);
	sink = (size_t)local[depth % 24];
}

static void mark(struct worker *w, size_t size)
{
	errno = 77;
	call_free(w, call_malloc(w, size, false), size);
}

/* --- threads, checkpoints, children
 * --------------------------------------------------------------- */

#define ANCHOR_SIZE 61
static void *anchors[1024]; /* of each thread, while it waits at a checkpoint */

/* A free may stand in the trace up to its thread's next allocation, or for a tick: so each thread allocates a block before it
 * waits. The sleeps keep what follows away from it. */
static void take_checkpoint(struct worker *w)
{
	uint64_t n = atomic_load(&ledger->checkpoints);
	struct ledger_checkpoint *c = &ledger_checkpoints(ledger)[n];

	usleep(QUIET_US);
	for (unsigned i = 0; i < SLOTS; i++) {
		if (!slots[i].block)
			continue;
		c->blocks++;
		c->bytes += slots[i].size;
		c->hash += ledger_hash((uintptr_t)slots[i].block, slots[i].size);
	}
	for (unsigned i = 0; i < sizeof(anchors) / sizeof(anchors[0]); i++) {
		if (!anchors[i])
			continue;
		c->blocks++;
		c->bytes += ANCHOR_SIZE;
		c->hash += ledger_hash((uintptr_t)anchors[i], ANCHOR_SIZE);
	}
	mark(w, LEDGER_MARK_CHECKPOINT);
	atomic_store(&ledger->checkpoints, n + 1);
	usleep(QUIET_US);
}

static void work(struct worker *w, bool checkpoints)
{
	uint64_t every = checkpoints ? w->calls / (checkpoints_wanted + 1) + 1 : 0;

	w->book->tid = (uint64_t)syscall(SYS_gettid);
	w->book->pid = (uint64_t)getpid();
	mark(w, LEDGER_MARK_BEGIN);
	for (uint64_t i = 1; endless || i <= w->calls; i++) {
		descend(w, (unsigned)draw(w, 24));
		if (every && i % every == 0) {
			errno = 77;
			anchors[w->index] = call_malloc(w, ANCHOR_SIZE, false);
			pthread_barrier_wait(&barrier);
			if (w->index == 0)
				take_checkpoint(w);
			pthread_barrier_wait(&barrier);
			errno = 77;
			call_free(w, anchors[w->index], ANCHOR_SIZE);
			anchors[w->index] = NULL;
		}
	}
	mark(w, LEDGER_MARK_END);
	w->book->finished = 1;
}

static void *thread_main(void *arg)
{
	work(arg, checkpoints_wanted > 0);
	return NULL;
}

static struct worker new_worker(unsigned index, uint64_t seed, uint64_t calls)
{
	return (struct worker){.random = (seed + 1) * 0x9e3779b97f4a7c15ull ^
					 (index + 1) * 0xd1b54a32d192ed03ull,
			       .book = &ledger_books(ledger)[index],
			       .log = ledger_log(ledger, index),
			       .calls = calls,
			       .index = index};
}

static void run_threads(unsigned threads, uint64_t seed, uint64_t calls)
{
	static struct worker workers[1024];
	static pthread_t ids[1024];

	pthread_barrier_init(&barrier, NULL, threads);
	for (unsigned i = 0; i < threads; i++)
		workers[i] = new_worker(i, seed, calls / threads);
	for (unsigned i = 1; i < threads; i++)
		if (pthread_create(&ids[i], NULL, thread_main, &workers[i]))
			fault("pthread_create failed at thread %u", i);
	thread_main(&workers[0]);
	for (unsigned i = 1; i < threads; i++)
		pthread_join(ids[i], NULL);
	if (threads == 1)
		ledger->peak_bytes = workers[0].peak;
}

/* A child works on the heap that it inherited, in its own copy of the slots. */
static void run_child(unsigned index, uint64_t seed, uint64_t calls)
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		struct worker w = new_worker(index, seed, calls);

		work(&w, false);
		_exit(0);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid || status != 0)
		fault("child %u did not end well", index);
}

static void open_ledger(const char *path, struct ledger_header shape)
{
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	uint64_t bytes = ledger_bytes(&shape);

	if (fd < 0 || ftruncate(fd, (off_t)bytes) < 0)
		fault("%s: %s", path, strerror(errno));
	ledger = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (ledger == MAP_FAILED)
		fault("%s: %s", path, strerror(errno));
	close(fd);
	*ledger = shape;
}

int main(int argc, char **argv)
{
	uint64_t seed = 1, calls = 10000, forks = 0, each;
	unsigned threads = 1;
	int c;

	while ((c = getopt(argc, argv, "s:t:n:c:f:e")) != -1) {
		switch (c) {
		case 's':
			seed = strtoull(optarg, NULL, 0);
			break;
		case 't':
			threads = (unsigned)strtoul(optarg, NULL, 0);
			break;
		case 'n':
			calls = strtoull(optarg, NULL, 0);
			break;
		case 'c':
			checkpoints_wanted = strtoull(optarg, NULL, 0);
			break;
		case 'f':
			forks = strtoull(optarg, NULL, 0);
			break;
		case 'e':
			endless = true;
			break;
		default:
			return 2;
		}
	}
	if (optind + 1 != argc || threads < 1 || threads > 1024)
		return 2;
	each = calls / threads;
	open_ledger(argv[optind],
		    (struct ledger_header){.magic = LEDGER_MAGIC,
					   .threads = threads + forks,
					   .forks = forks,
					   .log_cap = (each > calls / 4 ? each : calls / 4) + 64 +
						      2 * checkpoints_wanted,
					   .checkpoint_cap = checkpoints_wanted,
					   .seed = seed});
	for (unsigned i = 0; i < SLOTS; i++)
		atomic_flag_clear(&slots[i].busy);
	run_threads(threads, seed, calls);
	for (unsigned i = 0; i < forks; i++)
		run_child(threads + i, seed, calls / 4);
	return 0;
}
