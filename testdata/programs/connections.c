/*
 * connections: more threads than there are connections, which a semaphore counts.
 *
 *	connections TRUTH.json [THREADS [ROUNDS [CONNECTIONS]]]
 */
#include "time_truth.h"

static sem_t connections;
static struct truth_lock *the_pool;
static long rounds = 400;

static void *use(void *unused)
{
	struct timespec query = {0, 200000};
	truth_begin("client");
	for (long i = 0; i < rounds; i++) {
		TRUTH_LOCK(the_pool, sem_trywait(&connections), sem_wait(&connections));
		nanosleep(&query, NULL);
		sem_post(&connections);
		truth_work(5000);
	}
	truth_end();
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
	truth_begin("main");
	the_pool = truth_lock(&connections, TRUTH_SEM);
	struct truth_lock *ends = truth_lock(NULL, TRUTH_JOIN);
	for (long i = 0; i < threads; i++)
		pthread_create(&thread[i], NULL, use, NULL);
	for (long i = 0; i < threads; i++)
		TRUTH_LOCK(ends, pthread_tryjoin_np(thread[i], NULL), pthread_join(thread[i], NULL));
	return truth_write(argv[1]);
}
