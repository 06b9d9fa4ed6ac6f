/* misuse_ends: barriers, once, how threads end and who waits for it; and a fork while others wait. See misuse.h. */
#include "misuse.h"

static pthread_mutex_t checked = PTHREAD_ERRORCHECK_MUTEX_INITIALIZER_NP;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
static sem_t sem;
static pthread_t sleeper;

static void *forever(void *unused)
{
	for (;;)
		pause();
	return unused;
}

static pthread_barrier_t barrier;
static long serial;

static void *meet(void *unused)
{
	for (int i = 0; i < 200; i++) {
		int rc = pthread_barrier_wait(&barrier);
		if (rc == PTHREAD_BARRIER_SERIAL_THREAD)
			__atomic_fetch_add(&serial, 1, __ATOMIC_RELAXED);
		else if (rc != 0)
			printf("barrier %d\n", rc);
	}
	return unused;
}

static pthread_once_t once = PTHREAD_ONCE_INIT, inner = PTHREAD_ONCE_INIT, broken = PTHREAD_ONCE_INIT;
static once_flag c11_once = ONCE_FLAG_INIT;
static int runs, inner_runs, broken_runs;

static void run_inner(void)
{
	inner_runs++;
}

static void run(void)
{
	pthread_once(&inner, run_inner);
	rest_ms(50);
	runs++;
}

static void run_until_cancelled(void)
{
	if (++broken_runs < 3) {
		pthread_cancel(pthread_self());
		pthread_testcancel();
	}
}

static void *call_them(void *unused)
{
	pthread_once(&once, run);
	call_once(&c11_once, run);
	if (runs < 1 || inner_runs != 1)
		printf("not run\n");
	return unused;
}

static void *call_broken(void *unused)
{
	pthread_once(&broken, run_until_cancelled);
	return unused;
}

static pthread_key_t key;

static void say_end(void *what)
{
	printf("end: %s\n", (const char *)what);
}

static void *leave(void *arg)
{
	pthread_setspecific(key, "key");
	pthread_cleanup_push(say_end, "handler");
	if (arg)
		pthread_exit(arg);
	pthread_cleanup_pop(0);
	return NULL;
}

static void together(void)
{
	pthread_t thread[5];
	pthread_barrier_init(&barrier, NULL, 5);
	for (int i = 0; i < 5; i++)
		pthread_create(&thread[i], NULL, meet, NULL);
	for (int i = 0; i < 5; i++)
		pthread_join(thread[i], NULL);
	printf("serial %ld\n", serial);
	for (int i = 0; i < 5; i++)
		pthread_create(&thread[i], NULL, call_them, NULL);
	for (int i = 0; i < 5; i++)
		pthread_join(thread[i], NULL);
	printf("runs %d %d\n", runs, inner_runs);
	for (int i = 0; i < 3; i++)
		printf("cancelled %d, ", elsewhere(call_broken, NULL) == PTHREAD_CANCELED);
	printf("runs %d\n", broken_runs);
	pthread_key_create(&key, say_end);
	printf("%s\n", (const char *)elsewhere(leave, "left"));
	printf("%d\n", elsewhere(leave, NULL) != NULL);
	pthread_create(&sleeper, NULL, forever, NULL);
	SAY(pthread_timedjoin_np(sleeper, NULL, in_ms(CLOCK_REALTIME, 20)));
	SAY(pthread_clockjoin_np(sleeper, NULL, CLOCK_MONOTONIC, in_ms(CLOCK_MONOTONIC, 20)));
	SAY(pthread_tryjoin_np(sleeper, NULL));
	pthread_cancel(sleeper);
	SAY(pthread_timedjoin_np(sleeper, NULL, NULL));
}

static void *wait_for_sem(void *unused)
{
	for (;;)
		sem_wait(&sem);
	return unused;
}

/* A fork while others wait: the child has their locks' memory, and none of the threads. */
static void forked(void)
{
	pthread_t thread;
	pthread_create(&thread, NULL, wait_for_sem, NULL);
	rest_ms(20);
	fflush(stdout);
	int pid = fork(), status;
	if (pid == 0) {
		SAY(pthread_mutex_lock(&checked));
		SAY(pthread_mutex_unlock(&checked));
		SAY(pthread_cond_signal(&cond));
		SAY_ERRNO(sem_post(&sem));
		SAY_ERRNO(sem_wait(&sem));
		printf("%s\n", (const char *)elsewhere(leave, "left"));
		fflush(stdout);
		_exit(9);
	}
	waitpid(pid, &status, 0);
	printf("child %d\n", WEXITSTATUS(status));
	pthread_cancel(thread);
	pthread_join(thread, NULL);
}

int main(void)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	sem_init(&sem, 0, 0);
	together();
	forked();
	return 0;
}
