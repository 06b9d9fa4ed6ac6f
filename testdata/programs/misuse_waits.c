/*
 * misuse_waits: conditions and semaphores, with cancellations, signals and jumps in the middle of waiting. See
 * misuse.h.
 */
#include "misuse.h"

#include <setjmp.h>

static const struct timespec bad_time = {0, -1};
static const struct timespec long_ago = {1, 0};

static pthread_mutex_t checked = PTHREAD_ERRORCHECK_MUTEX_INITIALIZER_NP;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
static sem_t sem;

/* ---- cancelled in the middle of it ---- */

static void unlock_checked(void *unused)
{
	(void)unused;
	SAY(pthread_mutex_unlock(&checked)); /* EPERM, if the wait had not taken it again */
}

enum waiting { COND, COND_TIMED, COND_CLOCK, SEM, SEM_TIMED, SEM_CLOCK, JOIN, JOIN_TIMED, WAITINGS };
static pthread_t sleeper;

static void *forever(void *unused)
{
	for (;;)
		pause();
	return unused;
}

static void *wait_to_be_cancelled(void *arg)
{
	enum waiting how = (enum waiting)(intptr_t)arg;
	if (how <= COND_CLOCK) {
		pthread_mutex_lock(&checked);
		pthread_cleanup_push(unlock_checked, NULL);
		for (;;)
			if (how == COND)
				pthread_cond_wait(&cond, &checked);
			else if (how == COND_TIMED)
				pthread_cond_timedwait(&cond, &checked, in_ms(CLOCK_REALTIME, 60000));
			else
				pthread_cond_clockwait(&cond, &checked, CLOCK_MONOTONIC, in_ms(CLOCK_MONOTONIC, 60000));
		pthread_cleanup_pop(0);
	}
	for (;;)
		if (how == SEM)
			sem_wait(&sem);
		else if (how == SEM_TIMED)
			sem_timedwait(&sem, in_ms(CLOCK_REALTIME, 60000));
		else if (how == SEM_CLOCK)
			sem_clockwait(&sem, CLOCK_MONOTONIC, in_ms(CLOCK_MONOTONIC, 60000));
		else if (how == JOIN)
			pthread_join(sleeper, NULL);
		else
			pthread_timedjoin_np(sleeper, NULL, in_ms(CLOCK_REALTIME, 60000));
	return NULL;
}

static void *cancel_first(void *unused)
{
	pthread_cancel(pthread_self());
	sem_wait(&sem);
	printf("not cancelled\n");
	return unused;
}

static void *lock_is_no_point(void *unused)
{
	pthread_cancel(pthread_self());
	printf("lock %d, ", pthread_mutex_lock(&checked));
	printf("unlock %d\n", pthread_mutex_unlock(&checked));
	pthread_testcancel();
	return unused;
}

static void *cancel_disabled(void *unused)
{
	int old;
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &old);
	pthread_cancel(pthread_self());
	SAY(sem_timedwait(&sem, in_ms(CLOCK_REALTIME, 20)));
	pthread_mutex_lock(&checked);
	SAY(pthread_cond_timedwait(&cond, &checked, in_ms(CLOCK_REALTIME, 20)));
	pthread_mutex_unlock(&checked);
	pthread_setcancelstate(old, NULL);
	pthread_testcancel();
	return unused;
}

static void cancellations(void)
{
	pthread_t thread;
	void *result;
	int value;
	pthread_create(&sleeper, NULL, forever, NULL);
	for (int how = COND; how < WAITINGS; how++) {
		pthread_create(&thread, NULL, wait_to_be_cancelled, (void *)(intptr_t)how);
		rest_ms(20);
		pthread_cancel(thread);
		pthread_join(thread, &result);
		printf("wait %d: cancelled %d\n", how, result == PTHREAD_CANCELED);
	}
	sem_post(&sem);
	printf("cancelled %d\n", elsewhere(cancel_first, NULL) == PTHREAD_CANCELED);
	sem_getvalue(&sem, &value);
	printf("value %d\n", value);
	SAY(sem_wait(&sem));
	pthread_mutex_lock(&checked);
	pthread_create(&thread, NULL, lock_is_no_point, NULL);
	rest_ms(20);
	pthread_mutex_unlock(&checked);
	pthread_join(thread, &result);
	printf("cancelled %d\n", result == PTHREAD_CANCELED);
	printf("cancelled %d\n", elsewhere(cancel_disabled, NULL) == PTHREAD_CANCELED);
	pthread_cancel(sleeper);
	SAY(pthread_join(sleeper, &result));
	SAY(pthread_join(pthread_self(), &result));
}

/* ---- conditions ---- */

static void conditions(clockid_t clock)
{
	pthread_cond_t c;
	pthread_condattr_t attr;
	struct timespec begin, end;
	printf("-- conditions, clock %d\n", (int)clock);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, clock);
	pthread_cond_init(&c, &attr);
	SAY(pthread_cond_wait(&c, &checked));
	SAY(pthread_mutex_lock(&checked));
	clock_gettime(CLOCK_MONOTONIC, &begin);
	SAY(pthread_cond_timedwait(&c, &checked, in_ms(clock, 30)));
	clock_gettime(CLOCK_MONOTONIC, &end);
	printf("in time %d\n", (end.tv_sec - begin.tv_sec) * 1000 + (end.tv_nsec - begin.tv_nsec) / 1000000 >= 29);
	SAY(pthread_cond_timedwait(&c, &checked, &bad_time));
	SAY(pthread_cond_timedwait(&c, &checked, &long_ago));
	SAY(pthread_cond_clockwait(&c, &checked, CLOCK_MONOTONIC, in_ms(CLOCK_MONOTONIC, 30)));
	SAY(pthread_cond_clockwait(&c, &checked, CLOCK_REALTIME, in_ms(CLOCK_REALTIME, 30)));
	SAY(pthread_cond_clockwait(&c, &checked, CLOCK_PROCESS_CPUTIME_ID, &long_ago));
	SAY(pthread_mutex_unlock(&checked));
	SAY(pthread_cond_signal(&c));
	SAY(pthread_cond_broadcast(&c));
	SAY(pthread_cond_destroy(&c));
}

#ifdef __x86_64__
/* Conditions as programs of 2002 had them. */
int old_init(void *, void *), old_wait(void *, void *), old_timedwait(void *, void *, const void *), old_signal(void *),
	old_broadcast(void *), old_destroy(void *);
__asm__(".symver old_init, pthread_cond_init@GLIBC_2.2.5\n.symver old_wait, pthread_cond_wait@GLIBC_2.2.5\n"
	".symver old_timedwait, pthread_cond_timedwait@GLIBC_2.2.5\n.symver old_signal, pthread_cond_signal@GLIBC_2.2.5\n"
	".symver old_broadcast, pthread_cond_broadcast@GLIBC_2.2.5\n.symver old_destroy, pthread_cond_destroy@GLIBC_2.2.5");
static pthread_mutex_t old_mutex = PTHREAD_MUTEX_INITIALIZER;
static void *old_cond[6] = {NULL, "guard", "guard", "guard", "guard", "guard"};
static int old_turns;

static void *old_waiter(void *unused)
{
	pthread_mutex_lock(&old_mutex);
	while (old_turns < 100) {
		old_turns++;
		old_broadcast(old_cond);
		old_wait(old_cond, &old_mutex);
	}
	old_broadcast(old_cond);
	pthread_mutex_unlock(&old_mutex);
	return unused;
}

static void old_conditions(void)
{
	pthread_t thread;
	SAY(old_init(old_cond, NULL));
	pthread_mutex_lock(&old_mutex);
	SAY(old_timedwait(old_cond, &old_mutex, in_ms(CLOCK_REALTIME, 20)));
	pthread_mutex_unlock(&old_mutex);
	pthread_create(&thread, NULL, old_waiter, NULL);
	old_waiter(NULL);
	pthread_join(thread, NULL);
	printf("turns %d, guard %s, made %d\n", old_turns, (const char *)old_cond[1], old_cond[0] != NULL);
	SAY(old_signal(old_cond));
	SAY(old_destroy(old_cond));
}
#else
static void old_conditions(void)
{
}
#endif

/* ---- semaphores and signals ---- */

static pthread_t waiter;
static volatile sig_atomic_t over, handled;
static sem_t posted;
static sigjmp_buf out;

static void just_count(int sig)
{
	(void)sig;
	handled = 1;
}

static void post_it(int sig)
{
	(void)sig;
	int e = errno;
	sem_post(&posted);
	errno = e;
}

static volatile sig_atomic_t may_jump;

static void jump_out(int sig)
{
	(void)sig;
	if (may_jump) {
		may_jump = 0;
		siglongjmp(out, 1);
	}
}

static void *keep_signalling(void *arg)
{
	while (!over) {
		rest_ms(5);
		pthread_kill(waiter, (int)(intptr_t)arg);
	}
	return NULL;
}

static void with_signals(void (*handler)(int), int flags, int (*act)(void))
{
	pthread_t thread;
	struct sigaction action = {.sa_handler = handler, .sa_flags = flags};
	sigaction(SIGUSR1, &action, NULL);
	waiter = pthread_self();
	over = 0;
	pthread_create(&thread, NULL, keep_signalling, (void *)(intptr_t)SIGUSR1);
	SAY_ERRNO(act());
	over = 1;
	pthread_join(thread, NULL);
}

static int wait_for_sem(void)
{
	return sem_wait(&sem);
}

static int wait_for_sem_60_s(void)
{
	return sem_timedwait(&sem, in_ms(CLOCK_REALTIME, 60000));
}

static int wait_for_post(void)
{
	return sem_wait(&posted);
}

static int wait_until_jump(void)
{
	may_jump = 0;
	if (sigsetjmp(out, 1) == 0) {
		may_jump = 1;
		return sem_wait(&sem);
	}
	return 3;
}

static int lock_until_jump(void)
{
	static pthread_mutex_t taken = PTHREAD_MUTEX_INITIALIZER;
	pthread_mutex_trylock(&taken);
	may_jump = 0;
	if (sigsetjmp(out, 1) == 0) {
		may_jump = 1;
		return pthread_mutex_lock(&taken);
	}
	return 4;
}

static int wait_for_cond(void)
{
	pthread_mutex_lock(&checked);
	int rc = pthread_cond_timedwait(&cond, &checked, in_ms(CLOCK_REALTIME, 60)); /* never EINTR */
	pthread_mutex_unlock(&checked);
	return rc;
}

static void semaphores(void)
{
	int value;
	SAY_ERRNO(sem_trywait(&sem));
	SAY_ERRNO(sem_timedwait(&sem, in_ms(CLOCK_REALTIME, 20)));
	SAY_ERRNO(sem_timedwait(&sem, &long_ago));
	SAY_ERRNO(sem_timedwait(&sem, &bad_time));
	SAY_ERRNO(sem_clockwait(&sem, CLOCK_MONOTONIC, in_ms(CLOCK_MONOTONIC, 20)));
	SAY_ERRNO(sem_clockwait(&sem, CLOCK_PROCESS_CPUTIME_ID, &long_ago));
	SAY_ERRNO(sem_post(&sem));
	SAY_ERRNO(sem_timedwait(&sem, &bad_time));
	SAY_ERRNO(sem_timedwait(&sem, &long_ago));
	sem_init(&posted, 0, SEM_VALUE_MAX);
	SAY_ERRNO(sem_post(&posted));
	sem_init(&posted, 0, 0);
	with_signals(just_count, 0, wait_for_sem);
	with_signals(just_count, 0, wait_for_sem_60_s);
	with_signals(just_count, SA_RESTART, wait_for_sem_60_s);
	with_signals(post_it, SA_RESTART, wait_for_post);
	with_signals(just_count, 0, wait_for_cond);
	for (int i = 0; i < 3; i++) {
		with_signals(jump_out, 0, wait_until_jump);
		with_signals(jump_out, 0, lock_until_jump);
	}
	sem_getvalue(&sem, &value);
	printf("value %d\n", value);
	SAY_ERRNO(sem_post(&sem));
	SAY_ERRNO(sem_wait(&sem));
	printf("handled %d\n", (int)handled);
}

/* A timer posts while the program does anything: each post is had, and nothing else. */
static void posts_from_a_timer(void)
{
	static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
	struct sigaction action = {.sa_handler = post_it, .sa_flags = SA_RESTART};
	struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR2};
	struct itimerspec every = {{0, 200000}, {0, 200000}};
	timer_t timer;
	int value;
	sem_init(&posted, 0, 0);
	sigaction(SIGUSR2, &action, NULL);
	timer_create(CLOCK_MONOTONIC, &event, &timer);
	timer_settime(timer, 0, &every, NULL);
	for (int i = 0; i < 500; i++) {
		while (sem_wait(&posted) != 0)
			printf("interrupted\n");
		pthread_mutex_lock(&mutex);
		free(malloc(100));
		pthread_mutex_unlock(&mutex);
	}
	timer_delete(timer);
	while (sem_trywait(&posted) == 0)
		;
	sem_getvalue(&posted, &value);
	printf("500 posts, %d left\n", value);
}

int main(void)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	sem_init(&sem, 0, 0);
	cancellations();
	conditions(CLOCK_REALTIME);
	conditions(CLOCK_MONOTONIC);
	old_conditions();
	semaphores();
	posts_from_a_timer();
	return 0;
}
