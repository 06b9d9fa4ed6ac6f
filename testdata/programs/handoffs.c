/*
 * handoffs: three threads in a ring pass a token on, by a mutex, a condition or a semaphore in turns. Each waits for
 * the one before it, who lets go only when it sees the other waiting: so every wait is one, and it is known who ended
 * it.
 *
 *	handoffs TRUTH.json [TOTAL]
 *
 * It is seen in glibc's objects: a mutex's word is 2 when somebody waits for it, a semaphore counts its waiters in
 * its high half. Nothing else here waits: what is only to be synchronized is tried until it is had.
 */
#include "time_truth.h"

#define THREADS 3
#define KINDS 3
static const enum truth_kind kinds[KINDS] = {TRUTH_MUTEX, TRUTH_COND, TRUTH_SEM};

/* The end of a thread at which the token arrives. */
static struct inbox {
	pthread_mutex_t gate;	 /* held by the thread before, who lets go of it */
	pthread_mutex_t mutex;	 /* of cond */
	pthread_cond_t cond;
	bool waiting, arrived;	 /* under mutex */
	sem_t sem;
	bool gate_held;
	struct truth_lock *object[KINDS];
	int tid;
	unsigned long received[KINDS];
} inboxes[THREADS];
static long total = 120000;

static void have(pthread_mutex_t *m)
{
	while (pthread_mutex_trylock(m) != 0)
		sched_yield();
}

static void shut_gate(struct inbox *to)
{
	have(&to->gate);
	__atomic_store_n(&to->gate_held, true, __ATOMIC_RELEASE);
}

static void receive(struct inbox *me, int how)
{
	if (how == 0) {
		while (!__atomic_load_n(&me->gate_held, __ATOMIC_ACQUIRE))
			sched_yield();
		TRUTH_LOCK(me->object[how], 1, pthread_mutex_lock(&me->gate));
		__atomic_store_n(&me->gate_held, false, __ATOMIC_RELEASE);
		pthread_mutex_unlock(&me->gate);
	} else if (how == 1) {
		have(&me->mutex);
		me->waiting = true;
		while (!me->arrived)
			TRUTH_LOCK(me->object[how], 1, pthread_cond_wait(&me->cond, &me->mutex));
		me->waiting = me->arrived = false;
		pthread_mutex_unlock(&me->mutex);
	} else {
		TRUTH_LOCK(me->object[how], 1, sem_wait(&me->sem));
	}
	me->received[how]++;
}

static void pass(struct inbox *to, int how)
{
	if (how == 0) {
		while (__atomic_load_n(&to->gate.__data.__lock, __ATOMIC_RELAXED) != 2)
			sched_yield();
		pthread_mutex_unlock(&to->gate);
		while (__atomic_load_n(&to->gate_held, __ATOMIC_ACQUIRE)) /* until the other has had it */
			sched_yield();
		shut_gate(to);
	} else if (how == 1) {
		for (have(&to->mutex); !to->waiting; have(&to->mutex)) {
			pthread_mutex_unlock(&to->mutex);
			sched_yield();
		}
		to->arrived = true;
		pthread_cond_signal(&to->cond);
		pthread_mutex_unlock(&to->mutex);
	} else {
		while (!(__atomic_load_n((uint64_t *)&to->sem, __ATOMIC_RELAXED) >> 32))
			sched_yield();
		sem_post(&to->sem);
	}
}

/* Number n of the handoffs: from thread n % THREADS to the next one. */
static int how_of(long n)
{
	return (int)((n + n / 7) % KINDS);
}

static void *run(void *of)
{
	long me = (long)(intptr_t)of;
	struct inbox *mine = &inboxes[me], *next = &inboxes[(me + 1) % THREADS];
	char name[16];
	snprintf(name, sizeof name, "ring-%ld", me);
	__atomic_store_n(&mine->tid, truth_begin(name), __ATOMIC_RELAXED);
	shut_gate(next);
	for (long n = 0; n < total; n++) {
		if (n % THREADS == me)
			pass(next, how_of(n));
		else if ((n + 1) % THREADS == me)
			receive(mine, how_of(n));
	}
	truth_end();
	return NULL;
}

int main(int argc, char **argv)
{
	pthread_t thread[THREADS];
	if (argc < 2)
		return 2;
	total = argc > 2 ? atol(argv[2]) : total;
	truth_begin("main");
	for (int i = 0; i < THREADS; i++) {
		struct inbox *b = &inboxes[i];
		pthread_mutex_init(&b->gate, NULL);
		pthread_mutex_init(&b->mutex, NULL);
		pthread_cond_init(&b->cond, NULL);
		sem_init(&b->sem, 0, 0);
		b->object[0] = truth_lock(&b->gate, TRUTH_MUTEX);
		b->object[1] = truth_lock(&b->cond, TRUTH_COND);
		b->object[2] = truth_lock(&b->sem, TRUTH_SEM);
	}
	struct truth_lock *ends = truth_lock(NULL, TRUTH_JOIN);
	for (int i = 0; i < THREADS; i++)
		pthread_create(&thread[i], NULL, run, (void *)(intptr_t)i);
	for (int i = 0; i < THREADS; i++)
		TRUTH_LOCK(ends, pthread_tryjoin_np(thread[i], NULL), pthread_join(thread[i], NULL));
	for (int i = 0; i < THREADS; i++)
		for (int k = 0; k < KINDS; k++)
			truth_handoff(inboxes[(i + THREADS - 1) % THREADS].tid, inboxes[i].tid, kinds[k], inboxes[i].received[k]);
	return truth_write(argv[1]);
}
