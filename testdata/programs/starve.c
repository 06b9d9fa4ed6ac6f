/*
 * starve: readers that overlap keep a writer waiting, since the lock prefers them; then the same with a lock that
 * does not.
 *
 *	starve TRUTH.json [WRITES]
 */
#include "time_truth.h"

static pthread_rwlock_t reader_first, writer_first;
static struct truth_lock *read_object[2];
static pthread_rwlock_t *lock_of[2] = {&reader_first, &writer_first};
static long writes = 20;
static bool over[2];

static void *read_it(void *of)
{
	int which = (int)(intptr_t)of;
	truth_begin(which ? "reader-fair" : "reader");
	struct timespec reading = {0, 200000}, pause = {0, 1000 + truth_me->tid % 2 * 100000}; /* now and then nobody reads */
	while (!__atomic_load_n(&over[which], __ATOMIC_RELAXED)) {
		TRUTH_LOCK(read_object[which], pthread_rwlock_tryrdlock(lock_of[which]), pthread_rwlock_rdlock(lock_of[which]));
		nanosleep(&reading, NULL);
		pthread_rwlock_unlock(lock_of[which]);
		nanosleep(&pause, NULL);
	}
	truth_end();
	return NULL;
}

static void *write_it(void *of)
{
	int which = (int)(intptr_t)of;
	truth_begin(which ? "writer-fair" : "writer");
	for (long i = 0; i < writes; i++) {
		TRUTH_LOCK(read_object[which], pthread_rwlock_trywrlock(lock_of[which]), pthread_rwlock_wrlock(lock_of[which]));
		truth_work(50000);
		pthread_rwlock_unlock(lock_of[which]);
		truth_work(100000);
	}
	__atomic_store_n(&over[which], true, __ATOMIC_RELAXED);
	truth_end();
	return NULL;
}

int main(int argc, char **argv)
{
	pthread_t thread[4];
	pthread_rwlockattr_t attr;
	if (argc < 2)
		return 2;
	writes = argc > 2 ? atol(argv[2]) : writes;
	truth_begin("main");
	pthread_rwlock_init(&reader_first, NULL);
	pthread_rwlockattr_init(&attr);
	pthread_rwlockattr_setkind_np(&attr, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
	pthread_rwlock_init(&writer_first, &attr);
	read_object[0] = truth_lock(&reader_first, TRUTH_RWLOCK);
	read_object[1] = truth_lock(&writer_first, TRUTH_RWLOCK);
	struct truth_lock *ends = truth_lock(NULL, TRUTH_JOIN);
	for (int which = 0; which < 2; which++) {
		for (int i = 0; i < 3; i++)
			pthread_create(&thread[i], NULL, i < 2 ? read_it : write_it, (void *)(intptr_t)which);
		for (int i = 0; i < 3; i++)
			TRUTH_LOCK(ends, pthread_tryjoin_np(thread[i], NULL), pthread_join(thread[i], NULL));
	}
	return truth_write(argv[1]);
}
