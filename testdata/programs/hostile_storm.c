/*
 * hostile_storm: 200 threads that lock, wait, post and poll at random, cancelled and started anew all the time, under
 * signals whose handlers post, write and allocate, while other threads fork. Whatever was promised holds at the end:
 * what a lock protects was never seen half done, each post was counted, each byte arrived, each child ended well.
 *
 * usage: hostile_storm MILLISECONDS [forks]. What a handler may interrupt is never inside malloc: threads allocate with
 * the signal blocked only. Says "ok", or what does not hold.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define THREADS 200
#define LOCKS 5

static struct {
	pthread_mutex_t mutex;
	pthread_cond_t cond;
	pthread_rwlock_t rwlock;
	pthread_spinlock_t spin;
	unsigned long of_mutex[2], of_rwlock[2], of_spin[2];
} objects[LOCKS];
static atomic_ulong by_mutex, by_rwlock, by_spin, handled, sent, received, broken;
static atomic_bool stop;
static sem_t tokens, from_handlers;
static int bytes[2], from_handler_bytes[2];
static sigset_t storm;

static void breaks(const char *what)
{
	if (!atomic_fetch_add(&broken, 1)) {
		(void)!write(2, what, strlen(what));
		(void)!write(2, "\n", 1);
	}
}

/* One thing in two halves, seen by nobody in between. */
static void step(unsigned long pair[2], atomic_ulong *sum, const char *what)
{
	if (pair[0] != pair[1])
		breaks(what);
	*(volatile unsigned long *)&pair[0] += 1;
	for (volatile int i = 0; i < 20; i++)
		;
	*(volatile unsigned long *)&pair[1] += 1;
	atomic_fetch_add(sum, 1);
}

static void on_signal(int sig)
{
	int e = errno, state;
	(void)sig;
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &state); /* write would be a place to end at */
	free(malloc(40 + atomic_load(&handled) % 2000));
	atomic_fetch_add(&handled, 1);
	if (sem_post(&from_handlers) != 0)
		breaks("sem_post in a handler");
	if (write(from_handler_bytes[1], "h", 1) == 1)
		atomic_fetch_add(&sent, 1);
	pthread_setcancelstate(state, NULL);
	errno = e;
}

static void unlock(void *mutex)
{
	pthread_mutex_unlock(mutex);
}
static void give_back(void *unused)
{
	(void)unused;
	sem_post(&tokens);
}
static void block(void *unused)
{
	(void)unused;
	pthread_sigmask(SIG_BLOCK, &storm, NULL);
}

static const struct timespec *soon(clockid_t clock, long ns)
{
	static _Thread_local struct timespec t;
	clock_gettime(clock, &t);
	t.tv_nsec += ns;
	if (t.tv_nsec >= 1000000000) {
		t.tv_nsec -= 1000000000;
		t.tv_sec++;
	}
	return &t;
}

static void one(unsigned r)
{
	volatile unsigned i = r / 32 % LOCKS;
	char byte = 'b';
	switch (r % 14) {
	case 0:
	case 1:
		pthread_mutex_lock(&objects[i].mutex);
		step(objects[i].of_mutex, &by_mutex, "mutex");
		pthread_mutex_unlock(&objects[i].mutex);
		break;
	case 2:
		if (pthread_mutex_timedlock(&objects[i].mutex, soon(CLOCK_REALTIME, 100000)) == 0) {
			step(objects[i].of_mutex, &by_mutex, "mutex, in time");
			pthread_mutex_unlock(&objects[i].mutex);
		}
		break;
	case 3:
		pthread_mutex_lock(&objects[i].mutex);
		pthread_cleanup_push(unlock, &objects[i].mutex);
		pthread_cond_timedwait(&objects[i].cond, &objects[i].mutex, soon(CLOCK_REALTIME, 2000000));
		step(objects[i].of_mutex, &by_mutex, "mutex, after a condition");
		pthread_cleanup_pop(1);
		break;
	case 4:
		pthread_mutex_lock(&objects[i].mutex);
		pthread_cleanup_push(unlock, &objects[i].mutex);
		if (r / 512 % 4 == 0)
			pthread_cond_wait(&objects[i].cond, &objects[i].mutex);
		step(objects[i].of_mutex, &by_mutex, "mutex, after a condition");
		pthread_cleanup_pop(1);
		break;
	case 5:
	case 6:
		if (r / 512 % 2)
			pthread_cond_signal(&objects[i].cond);
		else
			pthread_cond_broadcast(&objects[i].cond);
		break;
	case 7:
		if (sem_wait(&tokens) == 0) {
			pthread_cleanup_push(give_back, NULL);
			usleep(10);
			pthread_cleanup_pop(1);
		}
		break;
	case 8:
		pthread_rwlock_rdlock(&objects[i].rwlock);
		if (objects[i].of_rwlock[0] != objects[i].of_rwlock[1])
			breaks("read lock");
		pthread_rwlock_unlock(&objects[i].rwlock);
		break;
	case 9:
		pthread_rwlock_wrlock(&objects[i].rwlock);
		step(objects[i].of_rwlock, &by_rwlock, "write lock");
		pthread_rwlock_unlock(&objects[i].rwlock);
		break;
	case 10:
		/* on two processors, a spinner's holder must not be put aside for long */
		pthread_sigmask(SIG_BLOCK, &storm, NULL);
		pthread_spin_lock(&objects[i].spin);
		step(objects[i].of_spin, &by_spin, "spin lock");
		pthread_spin_unlock(&objects[i].spin);
		pthread_sigmask(SIG_UNBLOCK, &storm, NULL);
		break;
	case 11:
		(void)!write(bytes[1], &byte, 1);
		break;
	case 12: {
		struct pollfd p = {.fd = bytes[0], .events = POLLIN};
		if (poll(&p, 1, 1) == 1)
			(void)!read(bytes[0], &byte, 1);
		break;
	}
	default: {
		struct timespec t = {0, 50000};
		nanosleep(&t, NULL);
	}
	}
}

static void *worker(void *seed)
{
	volatile unsigned r = (unsigned)(uintptr_t)seed;
	pthread_cleanup_push(block, NULL); /* what is behind it frees */
	pthread_sigmask(SIG_UNBLOCK, &storm, NULL);
	while (!atomic_load(&stop)) {
		r = r * 1664525u + 1013904223u;
		one(r >> 8);
		pthread_testcancel();
	}
	pthread_cleanup_pop(1);
	return NULL;
}

static void *nothing(void *unused)
{
	return unused;
}

static void *childs_thread(void *mutex)
{
	pthread_mutex_lock(mutex);
	pthread_mutex_unlock(mutex);
	return mutex;
}

static _Noreturn void child(void)
{
	pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
	pthread_t thread;
	sem_t sem;
	int ends[2];
	char byte = 'c';
	void *result = NULL;
	if (sem_init(&sem, 0, 0) != 0 || pipe(ends) != 0 || pthread_mutex_lock(&mutex) != 0 ||
	    pthread_create(&thread, NULL, childs_thread, &mutex) != 0)
		_exit(2);
	usleep(300);
	pthread_mutex_unlock(&mutex);
	if (pthread_join(thread, &result) != 0 || result != &mutex || sem_post(&sem) != 0 || sem_wait(&sem) != 0 ||
	    write(ends[1], &byte, 1) != 1 || read(ends[0], &byte, 1) != 1)
		_exit(3);
	_exit(0);
}

static void *forks(void *count)
{
	while (!atomic_load(&stop)) {
		int status, pid = fork();
		if (pid == 0)
			child();
		if (pid < 0 || waitpid(pid, &status, 0) != pid || status != 0)
			breaks("a child");
		else
			atomic_fetch_add((atomic_ulong *)count, 1);
	}
	return NULL;
}

static unsigned long sum(unsigned long (*of)(int))
{
	unsigned long n = 0;
	for (int i = 0; i < LOCKS; i++)
		n += of(i);
	return n;
}
static unsigned long mutexes(int i)
{
	return objects[i].of_mutex[0];
}
static unsigned long rwlocks(int i)
{
	return objects[i].of_rwlock[0];
}
static unsigned long spins(int i)
{
	return objects[i].of_spin[0];
}

int main(int argc, char **argv)
{
	pthread_t threads[THREADS], forkers[3];
	atomic_ulong children = 0;
	int token_count = 0, from_handler_count = 0;
	bool with_forks = argc > 2;
	char byte;
	if (argc < 2 || pipe2(bytes, O_NONBLOCK) != 0 || pipe2(from_handler_bytes, O_NONBLOCK) != 0)
		return 2;
	sigemptyset(&storm);
	sigaddset(&storm, SIGUSR1);
	pthread_sigmask(SIG_BLOCK, &storm, NULL);
	struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
	sigaction(SIGUSR1, &action, NULL);
	sem_init(&tokens, 0, 20);
	sem_init(&from_handlers, 0, 0);
	for (int i = 0; i < LOCKS; i++) {
		pthread_mutex_init(&objects[i].mutex, NULL);
		pthread_cond_init(&objects[i].cond, NULL);
		pthread_rwlock_init(&objects[i].rwlock, NULL);
		pthread_spin_init(&objects[i].spin, PTHREAD_PROCESS_PRIVATE);
	}
	pthread_create(&threads[0], NULL, nothing, NULL);
	pthread_cancel(threads[0]); /* loads what cancellation needs, which allocates */
	pthread_join(threads[0], NULL);
	for (int i = 0; i < THREADS; i++)
		if (pthread_create(&threads[i], NULL, worker, (void *)(uintptr_t)(i * 7919 + 1)) != 0)
			return 2;
	for (int i = 0; with_forks && i < 3; i++)
		if (pthread_create(&forkers[i], NULL, forks, &children) != 0)
			return 2;

	struct timespec begin, now;
	clock_gettime(CLOCK_MONOTONIC, &begin);
	unsigned r = 1, rounds = 0, cancelled = 0;
	do {
		for (int i = 0; i < 4; i++) {
			r = r * 1664525u + 1013904223u;
			pthread_kill(threads[(r >> 8) % THREADS], SIGUSR1);
		}
		while (read(from_handler_bytes[0], &byte, 1) == 1)
			atomic_fetch_add(&received, 1);
		if (++rounds % 4 == 0) {
			pthread_t *t = &threads[(r >> 16) % THREADS];
			void *result;
			pthread_cancel(*t);
			for (int i = 0; i < LOCKS; i++)
				pthread_cond_broadcast(&objects[i].cond);
			pthread_join(*t, &result);
			cancelled += result == PTHREAD_CANCELED;
			if (pthread_create(t, NULL, worker, (void *)(uintptr_t)r) != 0)
				return 2;
		}
		usleep(1000);
		clock_gettime(CLOCK_MONOTONIC, &now);
	} while ((now.tv_sec - begin.tv_sec) * 1000 + (now.tv_nsec - begin.tv_nsec) / 1000000 < atol(argv[1]));

	atomic_store(&stop, true);
	for (int i = 0; i < THREADS; i++) {
		pthread_cancel(threads[i]);
		pthread_join(threads[i], NULL);
	}
	for (int i = 0; with_forks && i < 3; i++)
		pthread_join(forkers[i], NULL);
	while (read(from_handler_bytes[0], &byte, 1) == 1)
		atomic_fetch_add(&received, 1);
	sem_getvalue(&tokens, &token_count);
	sem_getvalue(&from_handlers, &from_handler_count);
	if (token_count != 20)
		breaks("tokens");
	if ((unsigned long)from_handler_count != atomic_load(&handled))
		breaks("posts of handlers");
	if (atomic_load(&sent) != atomic_load(&received))
		breaks("bytes of handlers");
	if (sum(mutexes) != atomic_load(&by_mutex) || sum(rwlocks) != atomic_load(&by_rwlock) ||
	    sum(spins) != atomic_load(&by_spin))
		breaks("what locks protect");
	if (!cancelled || !atomic_load(&handled) || (with_forks && !atomic_load(&children)))
		breaks("nothing happened");
	fprintf(stderr, "%u cancelled, %lu signals, %lu by mutexes, %lu children\n", cancelled, atomic_load(&handled),
		atomic_load(&by_mutex), atomic_load(&children));
	puts(atomic_load(&broken) ? "broken" : "ok");
	return atomic_load(&broken) != 0;
}
