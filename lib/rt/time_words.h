/*
 * time_words: what a wait can be, as numbers that hook, trace and readers share. Numbers are never reused.
 */
#ifndef HT_TIME_WORDS_H
#define HT_TIME_WORDS_H

/* What a thread waits for. The names of ht_wait_kind_names, in JSON too. */
enum ht_wait_kind {
	HT_WAIT_NONE = 0,
	HT_WAIT_MUTEX,
	HT_WAIT_RWLOCK,
	HT_WAIT_SPIN,	 /* it ran all the while */
	HT_WAIT_COND,	 /* with the mutex that it takes again */
	HT_WAIT_BARRIER,
	HT_WAIT_SEM,
	HT_WAIT_JOIN,	 /* object = pthread_t */
	HT_WAIT_ONCE,
	HT_WAIT_SLEEP,
	HT_WAIT_POLL,	 /* poll, select, epoll */
	HT_WAIT_NET,	 /* sockets */
	HT_WAIT_PIPE,	 /* pipes and FIFOs */
	HT_WAIT_DISK,	 /* regular files, directories, block devices */
	HT_WAIT_OTHER,	 /* terminals, eventfd, signals, what fstat does not tell */
	HT_WAIT_KINDS,
};

/* The function that waited or woke. The names of ht_wait_call_names. */
enum ht_wait_call {
	HT_CALL_NONE = 0,
	HT_CALL_MUTEX_LOCK, HT_CALL_MUTEX_TIMEDLOCK, HT_CALL_MUTEX_UNLOCK,
	HT_CALL_RWLOCK_RDLOCK, HT_CALL_RWLOCK_WRLOCK, HT_CALL_RWLOCK_UNLOCK,
	HT_CALL_SPIN_LOCK, HT_CALL_SPIN_UNLOCK,
	HT_CALL_COND_WAIT, HT_CALL_COND_TIMEDWAIT, HT_CALL_COND_SIGNAL, HT_CALL_COND_BROADCAST,
	HT_CALL_BARRIER_WAIT,
	HT_CALL_SEM_WAIT, HT_CALL_SEM_TIMEDWAIT, HT_CALL_SEM_POST,
	HT_CALL_JOIN, HT_CALL_EXIT, HT_CALL_ONCE,
	HT_CALL_NANOSLEEP, HT_CALL_CLOCK_NANOSLEEP, HT_CALL_USLEEP, HT_CALL_SLEEP, HT_CALL_PAUSE, HT_CALL_SIGWAIT,
	HT_CALL_POLL, HT_CALL_SELECT, HT_CALL_EPOLL_WAIT,
	HT_CALL_READ, HT_CALL_WRITE, HT_CALL_READV, HT_CALL_WRITEV, HT_CALL_PREAD, HT_CALL_PWRITE, HT_CALL_PREADV,
	HT_CALL_PWRITEV, HT_CALL_RECV, HT_CALL_SEND, HT_CALL_RECVFROM, HT_CALL_SENDTO, HT_CALL_RECVMSG, HT_CALL_SENDMSG,
	HT_CALL_ACCEPT, HT_CALL_CONNECT, HT_CALL_FSYNC, HT_CALL_FDATASYNC, HT_CALL_OPEN, HT_CALL_CLOSE,
	HT_CALL_SENDFILE, HT_CALL_WAITPID, HT_CALL_FLOCK,
	HT_CALL_COUNT,
};

enum ht_wait_outcome {
	HT_OUTCOME_OK = 0,
	HT_OUTCOME_TIMEOUT,
	HT_OUTCOME_INTERRUPTED, /* EINTR */
	HT_OUTCOME_FAILED,	/* any other error */
	HT_OUTCOME_OWNER_DEAD,	/* got it, from an owner that died: EOWNERDEAD */
	HT_OUTCOME_UNKNOWN,	/* the call was left by cancellation or a jump */
	HT_OUTCOMES,
};

enum ht_wait_flag {
	HT_WAITED_SHARED = 1, /* a reader of a rwlock; a wake: the reader's unlock */
	HT_WAITED_ALL = 2,    /* a wake: of everybody who waits (broadcast, barrier, exit) */
};

#endif
