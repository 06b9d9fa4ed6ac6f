/*
 * pool: more threads than there are connections, which a semaphore counts.
 *
 *	pool TRUTH.json [THREADS [ROUNDS [CONNECTIONS]]]
 */
#include "lock_truth.h"

static sem_t connections;
static struct lock_object *the_pool;
static long rounds = 400;

static void *use(void *unused)
{
	struct timespec query = {0, 200000};
	lock_begin("client");
	for (long i = 0; i < rounds; i++) {
		LOCK_TRUTH(the_pool, sem_trywait(&connections), sem_wait(&connections));
		nanosleep(&query, NULL);
		sem_post(&connections);
		lock_work(5000);
	}
	return unused;
}

int main(int argc, char **argv)
{
	pthread_t thread[32];
	if (argc < 2)
		return 2;
	long threads = argc > 2 ? atol(argv[2]) : 8;
	rounds = argc > 3 ? atol(argv[3]) : rounds;
	sem_init(&connections, 0, argc > 4 ? (unsigned)atol(argv[4]) : 3);
	lock_begin("main");
	the_pool = lock_object(&connections, LOCK_SEM);
	struct lock_object *ends = lock_object(NULL, LOCK_JOIN);
	for (long i = 0; i < threads; i++)
		pthread_create(&thread[i], NULL, use, NULL);
	for (long i = 0; i < threads; i++)
		LOCK_TRUTH(ends, pthread_tryjoin_np(thread[i], NULL), pthread_join(thread[i], NULL));
	return lock_write(argv[1]);
}
