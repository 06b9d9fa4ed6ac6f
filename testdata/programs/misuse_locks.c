/* misuse_locks: mutexes of every kind, reader-writer locks and spin locks, in the hands of careless people; see
 * misuse.h. */
#include "misuse.h"

static const struct timespec bad_time = {0, 1000000000};
static const struct timespec long_ago = {1, 0};

static pthread_mutex_t *made(int type, int robust, int shared, int protocol)
{
	static pthread_mutex_t pool[32];
	static int used;
	pthread_mutexattr_t attr;
	pthread_mutexattr_init(&attr);
	pthread_mutexattr_settype(&attr, type);
	pthread_mutexattr_setrobust(&attr, robust);
	pthread_mutexattr_setpshared(&attr, shared);
	pthread_mutexattr_setprotocol(&attr, protocol);
	pthread_mutex_t *m = shared ? shared_memory() : &pool[used++ % 32];
	if (pthread_mutex_init(m, &attr) != 0)
		printf("no such mutex\n");
	return m;
}

/* ---- another thread's view of a mutex that is held ---- */

static void *try_it(void *m)
{
	SAY(pthread_mutex_trylock(m));
	return NULL;
}

static void *unlock_it(void *m)
{
	SAY(pthread_mutex_unlock(m));
	return NULL;
}

static void *time_it(void *m)
{
	SAY(pthread_mutex_timedlock(m, in_ms(CLOCK_REALTIME, 20)));
	SAY(pthread_mutex_timedlock(m, &long_ago));
	SAY(pthread_mutex_timedlock(m, &bad_time));
	SAY(pthread_mutex_clocklock(m, CLOCK_MONOTONIC, in_ms(CLOCK_MONOTONIC, 20)));
	SAY(pthread_mutex_clocklock(m, CLOCK_REALTIME, in_ms(CLOCK_REALTIME, 20)));
	SAY(pthread_mutex_clocklock(m, CLOCK_PROCESS_CPUTIME_ID, &long_ago));
	return NULL;
}

static void *keep_it(void *m)
{
	SAY(pthread_mutex_lock(m));
	return NULL;
}

static void kinds(void)
{
	static const struct {
		const char *name;
		int type;
	} kind[] = {{"normal", PTHREAD_MUTEX_NORMAL},
		    {"recursive", PTHREAD_MUTEX_RECURSIVE},
		    {"errorcheck", PTHREAD_MUTEX_ERRORCHECK},
		    {"adaptive", PTHREAD_MUTEX_ADAPTIVE_NP}};
	for (int i = 0; i < 4; i++) {
		for (int protocol = PTHREAD_PRIO_NONE; protocol <= PTHREAD_PRIO_PROTECT; protocol++) {
			pthread_mutex_t *m = made(kind[i].type, PTHREAD_MUTEX_STALLED, 0, protocol);
			printf("-- %s, protocol %d\n", kind[i].name, protocol);
			SAY(pthread_mutex_timedlock(m, &long_ago));
			SAY(pthread_mutex_unlock(m));
			SAY(pthread_mutex_timedlock(m, &bad_time));
			SAY(pthread_mutex_unlock(m));
			SAY(pthread_mutex_clocklock(m, CLOCK_MONOTONIC, &long_ago));
			elsewhere(try_it, m);
			elsewhere(time_it, m);
			if (kind[i].type != PTHREAD_MUTEX_NORMAL && kind[i].type != PTHREAD_MUTEX_ADAPTIVE_NP) {
				SAY(pthread_mutex_lock(m));
				SAY(pthread_mutex_trylock(m));
				SAY(pthread_mutex_timedlock(m, in_ms(CLOCK_REALTIME, 20)));
				elsewhere(unlock_it, m);
			} else {
				SAY(pthread_mutex_trylock(m));
			}
			if (kind[i].type == PTHREAD_MUTEX_RECURSIVE) {
				for (int depth = 0; depth < 1000; depth++)
					pthread_mutex_lock(m);
				for (int depth = 0; depth < 1003 - 1; depth++)
					pthread_mutex_unlock(m);
				elsewhere(try_it, m);
			}
			SAY(pthread_mutex_unlock(m));
			if (kind[i].type != PTHREAD_MUTEX_NORMAL && kind[i].type != PTHREAD_MUTEX_ADAPTIVE_NP)
				SAY(pthread_mutex_unlock(m));
			SAY(pthread_mutex_destroy(m));
		}
	}
	pthread_mutex_t *m = made(PTHREAD_MUTEX_NORMAL, PTHREAD_MUTEX_STALLED, 0, PTHREAD_PRIO_NONE);
	SAY(pthread_mutex_lock(m));
	SAY(pthread_mutex_timedlock(m, in_ms(CLOCK_REALTIME, 20)));
	SAY(pthread_mutex_unlock(m));
}

/* ---- owners that die ---- */

static volatile int waiter_tid;

static void *wait_for_it(void *m)
{
	waiter_tid = gettid();
	SAY(pthread_mutex_lock(m));
	SAY(pthread_mutex_consistent(m));
	SAY(pthread_mutex_unlock(m));
	return NULL;
}

/* Dies with the mutex in its hands, while the other waits for it. */
static void *die_awaited(void *m)
{
	pthread_t waiter;
	waiter_tid = 0;
	pthread_mutex_lock(m);
	pthread_create(&waiter, NULL, wait_for_it, m);
	until_asleep(&waiter_tid);
	return (void *)waiter;
}

static void robust(int type, int shared, int protocol)
{
	printf("-- robust, type %d, shared %d, protocol %d\n", type, shared, protocol);
	pthread_mutex_t *m = made(type, PTHREAD_MUTEX_ROBUST, shared, protocol);
	elsewhere(keep_it, m);
	SAY(pthread_mutex_trylock(m));
	SAY(pthread_mutex_consistent(m));
	SAY(pthread_mutex_consistent(m));
	SAY(pthread_mutex_unlock(m));
	SAY(pthread_mutex_lock(m));
	pthread_t waiter;
	pthread_create(&waiter, NULL, wait_for_it, m);
	rest_ms(20);
	pthread_mutex_unlock(m);
	pthread_join(waiter, NULL);
	elsewhere(keep_it, m);
	elsewhere(wait_for_it, m);
	pthread_join((pthread_t)elsewhere(die_awaited, m), NULL);
	elsewhere(keep_it, m);
	SAY(pthread_mutex_lock(m));
	SAY(pthread_mutex_unlock(m)); /* not made consistent */
	SAY(pthread_mutex_lock(m));
	SAY(pthread_mutex_timedlock(m, in_ms(CLOCK_REALTIME, 20)));
	SAY(pthread_mutex_trylock(m));
}

static void processes(void)
{
	printf("-- several processes\n");
	pthread_mutex_t *m = made(PTHREAD_MUTEX_NORMAL, PTHREAD_MUTEX_STALLED, 1, PTHREAD_PRIO_NONE);
	pthread_mutex_t *dead = made(PTHREAD_MUTEX_NORMAL, PTHREAD_MUTEX_ROBUST, 1, PTHREAD_PRIO_NONE);
	long *sum = shared_memory();
	fflush(stdout);
	for (int i = 0; i < 4; i++)
		if (fork() == 0) {
			for (int j = 0; j < 5000; j++) {
				pthread_mutex_lock(m);
				++*sum;
				pthread_mutex_unlock(m);
			}
			if (i == 3)
				pthread_mutex_lock(dead);
			_exit(0);
		}
	while (wait(NULL) > 0)
		;
	printf("sum %ld\n", *sum);
	SAY(pthread_mutex_lock(dead));
}

/* ---- many threads, one sum ---- */

static struct {
	pthread_mutex_t *mutex;
	pthread_spinlock_t spin;
	pthread_rwlock_t rwlock;
	long by_mutex, by_spin, by_rwlock, seen;
} all = {.rwlock = PTHREAD_RWLOCK_INITIALIZER};

static void *add(void *unused)
{
	for (int i = 0; i < 20000; i++) {
		pthread_mutex_lock(all.mutex);
		all.by_mutex++;
		pthread_mutex_unlock(all.mutex);
		pthread_spin_lock(&all.spin);
		all.by_spin++;
		pthread_spin_unlock(&all.spin);
		pthread_rwlock_wrlock(&all.rwlock);
		all.by_rwlock++;
		pthread_rwlock_unlock(&all.rwlock);
		pthread_rwlock_rdlock(&all.rwlock);
		all.seen |= all.by_rwlock < 0;
		pthread_rwlock_unlock(&all.rwlock);
	}
	return unused;
}

static void sums(int type, int protocol)
{
	pthread_t thread[4];
	all.mutex = made(type, PTHREAD_MUTEX_STALLED, 0, protocol);
	pthread_spin_init(&all.spin, PTHREAD_PROCESS_PRIVATE);
	for (int i = 0; i < 4; i++)
		pthread_create(&thread[i], NULL, add, NULL);
	for (int i = 0; i < 4; i++)
		pthread_join(thread[i], NULL);
	printf("sums %ld %ld %ld %ld\n", all.by_mutex, all.by_spin, all.by_rwlock, all.seen);
	SAY(pthread_spin_trylock(&all.spin));
	SAY(pthread_spin_trylock(&all.spin));
	SAY(pthread_spin_unlock(&all.spin));
}

/* ---- reader-writer locks ---- */

static void *as_reader(void *l)
{
	SAY(pthread_rwlock_tryrdlock(l));
	SAY(pthread_rwlock_timedrdlock(l, in_ms(CLOCK_REALTIME, 20)));
	SAY(pthread_rwlock_clockrdlock(l, CLOCK_MONOTONIC, in_ms(CLOCK_MONOTONIC, 20)));
	return NULL;
}

static void *as_writer(void *l)
{
	SAY(pthread_rwlock_trywrlock(l));
	SAY(pthread_rwlock_timedwrlock(l, in_ms(CLOCK_REALTIME, 20)));
	SAY(pthread_rwlock_clockwrlock(l, CLOCK_MONOTONIC, in_ms(CLOCK_MONOTONIC, 20)));
	return NULL;
}

static volatile int writer_tid;

static void *write_it(void *l)
{
	writer_tid = gettid();
	pthread_rwlock_wrlock(l);
	pthread_rwlock_unlock(l);
	return NULL;
}

static void rwlocks(int kind)
{
	pthread_rwlock_t l;
	pthread_rwlockattr_t attr;
	printf("-- rwlock of kind %d\n", kind);
	pthread_rwlockattr_init(&attr);
	pthread_rwlockattr_setkind_np(&attr, kind);
	pthread_rwlock_init(&l, &attr);
	SAY(pthread_rwlock_timedrdlock(&l, &bad_time));
	SAY(pthread_rwlock_timedwrlock(&l, &bad_time));
	SAY(pthread_rwlock_clockrdlock(&l, CLOCK_PROCESS_CPUTIME_ID, &long_ago));
	SAY(pthread_rwlock_timedrdlock(&l, &long_ago));
	SAY(pthread_rwlock_rdlock(&l));
	elsewhere(as_writer, &l);
	SAY(pthread_rwlock_unlock(&l));
	pthread_t writer;
	writer_tid = 0;
	pthread_create(&writer, NULL, write_it, &l);
	until_asleep(&writer_tid); /* then it matters whom the lock prefers */
	elsewhere(kind == PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP ? as_reader : as_writer, &l);
	SAY(pthread_rwlock_unlock(&l));
	pthread_join(writer, NULL);
	SAY(pthread_rwlock_wrlock(&l));
	SAY(pthread_rwlock_rdlock(&l));
	SAY(pthread_rwlock_wrlock(&l));
	SAY(pthread_rwlock_tryrdlock(&l));
	SAY(pthread_rwlock_timedwrlock(&l, in_ms(CLOCK_REALTIME, 20)));
	elsewhere(as_reader, &l);
	elsewhere(as_writer, &l);
	SAY(pthread_rwlock_unlock(&l));
	SAY(pthread_rwlock_destroy(&l));
}

/* ---- C11 ---- */

static int take_c11(void *m)
{
	printf("mtx_trylock %d, mtx_timedlock %d\n", mtx_trylock(m), mtx_timedlock(m, in_ms(CLOCK_REALTIME, 20)));
	return 11;
}

static int wait_c11(void *m)
{
	printf("mtx_lock %d\n", mtx_lock(m));
	printf("mtx_unlock %d\n", mtx_unlock(m));
	thrd_exit(12);
}

static void c11(void)
{
	mtx_t m;
	thrd_t thread;
	int result;
	for (int type = mtx_plain; type <= (mtx_recursive | mtx_timed); type++) {
		printf("-- mtx of type %d: %d\n", type, mtx_init(&m, type));
		printf("mtx_lock %d\n", mtx_lock(&m));
		if (type & mtx_recursive)
			printf("again %d %d\n", mtx_lock(&m), mtx_unlock(&m));
		thrd_create(&thread, take_c11, &m);
		printf("thrd_join %d", thrd_join(thread, &result));
		printf(": %d\n", result);
		thrd_create(&thread, wait_c11, &m);
		rest_ms(20);
		int unlocked = mtx_unlock(&m), joined = thrd_join(thread, &result);
		printf("mtx_unlock %d, thrd_join %d: %d\n", unlocked, joined, result);
		mtx_destroy(&m);
	}
}

int main(void)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	kinds();
	robust(PTHREAD_MUTEX_NORMAL, 0, PTHREAD_PRIO_NONE);
	robust(PTHREAD_MUTEX_RECURSIVE, 1, PTHREAD_PRIO_NONE);
	robust(PTHREAD_MUTEX_ERRORCHECK, 0, PTHREAD_PRIO_INHERIT);
	processes();
	sums(PTHREAD_MUTEX_NORMAL, PTHREAD_PRIO_NONE);
	sums(PTHREAD_MUTEX_ADAPTIVE_NP, PTHREAD_PRIO_NONE);
	sums(PTHREAD_MUTEX_RECURSIVE, PTHREAD_PRIO_INHERIT);
	for (int kind = PTHREAD_RWLOCK_PREFER_READER_NP; kind <= PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP; kind++)
		rwlocks(kind);
	c11();
	return 0;
}
