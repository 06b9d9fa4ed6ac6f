/*
 * neighbourly: makes a known number of calls of the functions that neighbour.c counts, with a thread beside it, so that
 * mutexes are shared ones. Nothing here depends on timing.
 */
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <unistd.h>

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
static pthread_rwlock_t rwlock = PTHREAD_RWLOCK_INITIALIZER;
static int stage;

static void *partner(void *unused)
{
	pthread_mutex_lock(&mutex);
	while (!stage)
		pthread_cond_wait(&cond, &mutex);
	pthread_mutex_unlock(&mutex);
	return unused;
}

int main(void)
{
	int ends[2];
	sem_t sem;
	pthread_t thread;
	char byte = 'x';
	if (pipe(ends) != 0 || sem_init(&sem, 0, 0) != 0 || pthread_create(&thread, NULL, partner, NULL) != 0)
		return 2;
	usleep(50000);
	for (int i = 0; i < 1000; i++) {
		pthread_mutex_lock(&mutex);
		pthread_mutex_unlock(&mutex);
		pthread_rwlock_rdlock(&rwlock);
		pthread_rwlock_unlock(&rwlock);
		sem_post(&sem);
		sem_wait(&sem);
		if (write(ends[1], &byte, 1) != 1 || read(ends[0], &byte, 1) != 1)
			return 2;
	}
	pthread_mutex_lock(&mutex);
	stage = 1;
	pthread_cond_signal(&cond);
	pthread_mutex_unlock(&mutex);
	pthread_join(thread, NULL);
	puts("done");
	return 0;
}
