/*
 * hostile_ends: where waits meet the ends of things. Children of vfork, which work in our memory, and threads' own
 * destructors, which run when a thread is all but gone, call what is hooked; a function of libc is one of the program's
 * own; a second libc is loaded beside the first. Says the same with and without a hook.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static sem_t sem;
static int ends[2], wakes[2];

/* The program's own, as some bring one: the libraries call it, too. */
static int own_usleeps;
int usleep(useconds_t us)
{
	struct timespec t = {us / 1000000, us % 1000000 * 1000};
	own_usleeps++;
	return nanosleep(&t, NULL);
}

static void rest(void *how_often)
{
	char byte = 'd';
	pthread_mutex_lock(&mutex);
	free(malloc(77));
	(void)!write(ends[1], &byte, 1);
	pthread_mutex_unlock(&mutex);
	sem_post(&sem);
	usleep(200);
	(void)!read(ends[0], &byte, 1);
	free(how_often);
}

static pthread_key_t key;
static void *has_rest(void *unused)
{
	pthread_setspecific(key, malloc(11));
	return unused;
}

static __attribute__((noinline)) int vforked(int i)
{
	int status = -1, pid = vfork();
	if (pid == 0) { /* everything it calls, it calls in our memory; what it does to descriptors is its own */
		char byte = 'v';
		int null = open("/dev/null", O_WRONLY);
		struct pollfd p = {.fd = ends[0], .events = POLLIN};
		dup2(null, ends[1]);
		close(null);
		(void)!write(ends[1], &byte, 1);
		poll(&p, 1, 1);
		usleep(500);
		pthread_mutex_lock(&mutex);
		pthread_mutex_unlock(&mutex);
		if (i % 2) {
			execl("/bin/sh", "sh", "-c", "exit 7", (char *)NULL);
			_exit(1);
		}
		_exit(9);
	}
	return waitpid(pid, &status, 0) == pid && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void *reads(void *count)
{
	char byte;
	while (read(wakes[0], &byte, 1) == 1)
		++*(int *)count;
	return count;
}

static int events;
static void *counts_down(void *unused)
{
	uint64_t one;
	for (int i = 0; i < 50; i++)
		(void)!read(events, &one, sizeof(one));
	return unused;
}

int main(void)
{
	char byte = 'x';
	int n = 0, bytes = 0, posts = 0;
	pthread_t thread;
	if (pipe(ends) != 0 || pipe(wakes) != 0 || sem_init(&sem, 0, 0) != 0 || pthread_key_create(&key, rest) != 0)
		return 2;
	for (int i = 0; i < 50; i++) {
		if (pthread_create(&thread, NULL, has_rest, NULL) != 0 || pthread_join(thread, NULL) != 0)
			return 2;
		n += sem_trywait(&sem) == 0;
	}
	printf("%d threads left in order, %d naps\n", n, own_usleeps);
	n = 0;
	for (int i = 0; i < 20; i++)
		n += vforked(i);
	sem_getvalue(&sem, &posts);
	struct pollfd p = {.fd = ends[0], .events = POLLIN};
	printf("children: %d, %d naps, %d posts, %d bytes\n", n, own_usleeps, posts, poll(&p, 1, 0));
	/* what a child did to its descriptors does not change ours */
	if (write(ends[1], &byte, 1) != 1 || read(ends[0], &byte, 1) != 1 ||
	    pthread_create(&thread, NULL, reads, &bytes) != 0)
		return 2;
	for (int i = 0; i < 100; i++) {
		usleep(1000);
		if (write(wakes[1], &byte, 1) != 1)
			return 2;
	}
	close(wakes[1]);
	pthread_join(thread, NULL);
	printf("%d bytes\n", bytes);
	/* a number of which only libc knows that it was given back, and for what it was given out anew */
	int file = open("/dev/null", O_WRONLY);
	FILE *f = write(file, &byte, 1) == 1 ? fdopen(file, "w") : NULL;
	if (!f || fclose(f) != 0 || (events = eventfd(0, EFD_SEMAPHORE)) != file ||
	    pthread_create(&thread, NULL, counts_down, NULL) != 0)
		return 2;
	for (int i = 0; i < 50; i++) {
		uint64_t one = 1;
		usleep(1000);
		if (write(events, &one, sizeof(one)) != sizeof(one))
			return 2;
	}
	pthread_join(thread, NULL);
	void *other = dlmopen(LM_ID_NEWLM, "libpthread.so.0", RTLD_NOW);
	if (!other)
		other = dlmopen(LM_ID_NEWLM, "libc.so.6", RTLD_NOW);
	int (*lock)(pthread_mutex_t *) = other ? (int (*)(pthread_mutex_t *))dlsym(other, "pthread_mutex_lock") : NULL;
	int (*unlock)(pthread_mutex_t *) = other ? (int (*)(pthread_mutex_t *))dlsym(other, "pthread_mutex_unlock") : NULL;
	if (lock && unlock) { /* two libcs, one mutex: their words are the same */
		int locked = lock(&mutex), busy = pthread_mutex_trylock(&mutex);
		printf("the other libc: %d %s %d\n", locked, strerror(busy), unlock(&mutex));
	}
	return 0;
}
