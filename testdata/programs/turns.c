/*
 * turns: threads that take turns at the same few addresses, and know which block each of them freed.
 *
 *	turns [THREADS [TURNS [made]]]
 *
 * Mostly one thread at a time works, for anything from one block to some milliseconds, and then names the next one; now and
 * then all work at once. There is one arena and no thread cache, so that the address that one thread freed is the
 * next one that another gets. Who recorded when a thread freed something only roughly, while it was alone, must still
 * tell the block from the ones at the same address before and after it.
 *
 * made: they allocate from code that they made themselves, new code again and again, as a compiler in a program
 * does: its frames are in no module.
 *
 * Prints for each thread its tid, how many blocks it freed, and the sum over its frees (the k-th of them, from 0) of
 *	(block + 1) * (k % 97 + 1) * (thread + 1)   mod 1000003
 * where the block was the `block`-th that thread number `thread` had allocated. Their sizes are 17 to 24.
 */
#include <malloc.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

enum { SLOTS = 6, MOST = 16, ALL = -1, OVER = -2, PRIME = 1000003 };

static struct slot {
	atomic_flag busy;
	void *block;
	uint64_t thread, number;
} slots[SLOTS];
static struct worker {
	uint64_t random, born, freed, sum;
	int index;
	pid_t tid;
} workers[MOST];
static atomic_int turn, turns_left;
static int threads;
static bool made;

static uint64_t draw(struct worker *w, uint64_t below)
{
	w->random = w->random * 6364136223846793005ull + 1442695040888963407ull;
	return (w->random >> 33) % below;
}

static uint64_t now_us(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000u + (uint64_t)t.tv_nsec / 1000u;
}

/* push rbp; mov rbp, rsp; call rsi; pop rbp; ret */
static const unsigned char code[] = {0x55, 0x48, 0x89, 0xe5, 0xff, 0xd6, 0x5d, 0xc3};

static void *allocate(const struct worker *w, size_t size)
{
	static _Thread_local void *(*call)(size_t, void *(*)(size_t));
	if (!made)
		return malloc(size);
	if (w->born % 50 == 0) {
		void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (page == MAP_FAILED)
			exit(1);
		memcpy(page, code, sizeof(code));
		memcpy(&call, &page, sizeof(call));
	}
	return call(size, malloc);
}

static void free_slot(struct worker *w, struct slot *s)
{
	w->sum = (w->sum + (s->number + 1) % PRIME * ((w->freed % 97 + 1) * (s->thread + 1))) % PRIME;
	w->freed++;
	free(s->block);
	s->block = NULL;
}

static void work(struct worker *w)
{
	struct slot *s = &slots[draw(w, SLOTS)];
	if (atomic_flag_test_and_set_explicit(&s->busy, memory_order_acquire))
		return;
	if (s->block)
		free_slot(w, s);
	if (draw(w, 3)) {
		s->block = allocate(w, 17 + (w->born & 7));
		s->thread = (uint64_t)w->index;
		s->number = w->born++;
	}
	atomic_flag_clear_explicit(&s->busy, memory_order_release);
}

static void take_turn(struct worker *w, int mine)
{
	uint64_t until = now_us() + draw(w, mine == ALL ? 300 : draw(w, 8) ? 200 : 4000), calls = draw(w, 4) ? 1 + draw(w, 8) : UINT64_MAX;
	for (uint64_t now = now_us(); calls-- && atomic_load(&turn) == mine && now < until; now = now_us()) {
		work(w);
		for (uint64_t pause = draw(w, 4) ? now : now + 8; now < pause;)
			now = now_us();
	}
	if (atomic_load(&turn) != mine) /* in a crowd, one of it says that it is over */
		return;
	int next = atomic_fetch_sub(&turns_left, 1) <= 0 ? OVER : !draw(w, 16) ? ALL : (int)draw(w, (uint64_t)threads);
	atomic_compare_exchange_strong(&turn, &mine, next);
}

static void *run(void *arg)
{
	struct worker *w = arg;
	w->tid = gettid();
	for (int t; (t = atomic_load(&turn)) != OVER;)
		if (t == w->index || t == ALL)
			take_turn(w, t);
		else
			sched_yield();
	return NULL;
}

int main(int argc, char **argv)
{
	pthread_t ids[MOST];
	threads = argc > 1 ? atoi(argv[1]) : 3;
	atomic_store(&turns_left, argc > 2 ? atoi(argv[2]) : 20000);
	made = argc > 3 && !strcmp(argv[3], "made");
	if (threads < 1 || threads > MOST)
		return 2;
	mallopt(M_ARENA_MAX, 1);
	for (int i = 0; i < threads; i++) {
		workers[i] = (struct worker){.index = i, .random = (uint64_t)i * 77 + 5};
		if (pthread_create(&ids[i], NULL, run, &workers[i]) != 0)
			return 1;
	}
	for (int i = 0; i < threads; i++)
		pthread_join(ids[i], NULL);
	for (int i = 0; i < threads; i++)
		printf("%d %llu %llu\n", (int)workers[i].tid, (unsigned long long)workers[i].freed, (unsigned long long)workers[i].sum);
	return 0;
}
