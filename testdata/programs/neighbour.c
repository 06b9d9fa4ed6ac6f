/*
 * neighbour: a library that is preloaded beside the hook, and counts, as a debugging aid would, the calls that a
 * program makes of a few functions: not of whole families, as no neighbour owes us that. Prints the counts at the end.
 */
#include <dlfcn.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { LOCK, UNLOCK, RDLOCK, SEM_WAIT, COND_WAIT, COND_SIGNAL, READ, WRITE, KINDS };
static unsigned long counts[KINDS];

#define PASS_ON(kind, result, name, params, args)                                  \
	__attribute__((visibility("default"))) result name params                  \
	{                                                                          \
		static result(*next) params;                                       \
		if (!next)                                                         \
			next = (result(*) params)dlsym(RTLD_NEXT, #name);          \
		__atomic_fetch_add(&counts[kind], 1, __ATOMIC_RELAXED);            \
		return next args;                                                  \
	}
PASS_ON(LOCK, int, pthread_mutex_lock, (pthread_mutex_t * m), (m))
PASS_ON(UNLOCK, int, pthread_mutex_unlock, (pthread_mutex_t * m), (m))
PASS_ON(RDLOCK, int, pthread_rwlock_rdlock, (pthread_rwlock_t * l), (l))
PASS_ON(SEM_WAIT, int, sem_wait, (sem_t * s), (s))
PASS_ON(COND_WAIT, int, pthread_cond_wait, (pthread_cond_t * c, pthread_mutex_t *m), (c, m))
PASS_ON(COND_SIGNAL, int, pthread_cond_signal, (pthread_cond_t * c), (c))
PASS_ON(READ, ssize_t, read, (int fd, void *to, size_t n), (fd, to, n))
PASS_ON(WRITE, ssize_t, write, (int fd, const void *data, size_t n), (fd, data, n))

static __attribute__((destructor)) void tell(void)
{
	if (!getenv("NEIGHBOUR_TELLS"))
		return;
	fprintf(stderr, "lock %lu unlock %lu rdlock %lu sem_wait %lu cond_wait %lu cond_signal %lu read %lu write %lu\n",
		counts[LOCK], counts[UNLOCK], counts[RDLOCK], counts[SEM_WAIT], counts[COND_WAIT], counts[COND_SIGNAL],
		counts[READ], counts[WRITE]);
}
