/*
 * calls: hooks of calls that may block (calls_*.c), and what they share.
 *
 * An exported entry is one test and a jump to the real function, without a frame and without touching an argument: what
 * is not recorded passes as if we were not there, cancellation and signals included. While calls are recorded the entry
 * jumps to NAME_timed, which stamps, calls, stamps, and notes a WAIT if that took longer than call_ticks. The real call
 * is made once, with what the program gave; nothing of ours is held while it runs, so that a cancellation or a jump may
 * leave it. What it left behind is then not recorded.
 *
 * A call that gave others something to wake up for (data into a pipe) notes a WAKE first, with the stamp of before it.
 */
#ifndef HT_CALLS_H
#define HT_CALLS_H

#include "hook.h"
#include "time_words.h"

#pragma GCC visibility push(hidden)

/* Defines the hook of `name`; the timed form's body follows. */
#define HT_HOOK(result, name, params, args)                                    \
	static __attribute__((noinline)) result name##_timed params;           \
	HT_EXPORT result name params;                                          \
	HT_EXPORT result name params                                           \
	{                                                                      \
		return HT_LIKELY(!ht_timed) ? ht_real.name args : name##_timed args; \
	}                                                                      \
	static __attribute__((noinline)) result name##_timed params

/* A call that is over. */
struct ht_span {
	uint64_t begin, end; /* ticks */
	unsigned call, kind; /* enum ht_wait_call, ht_wait_kind */
	int fd;		     /* -1: none */
	int error;	     /* an errno, 0 = it succeeded */
	uint64_t object, detail;
};

/* calls.c. Each leaves errno as it was. */
void ht_span_note(const struct ht_span *s, const struct ht_unwind_state *from);
/* A call on s->fd: kind and object are found here, unless it is gone (then s->kind holds, if it is one). */
void ht_span_note_fd(struct ht_span *s, const struct ht_unwind_state *from);
/* When the first hook is called before the constructor. 0. */
uint64_t ht_call_unready(void);
int ht_errno(void);

/* 0: not to be recorded. */
HT_INLINE uint64_t ht_call_begin(void)
{
	return HT_LIKELY(ht_timed == HT_TIMED_ON) ? ht_clock_now() : ht_call_unready();
}

/* For hooks that stamp nothing. */
HT_INLINE void ht_call_ready(void)
{
	if (HT_UNLIKELY(ht_timed == HT_TIMED_START))
		ht_call_unready();
}

/* Did it take long enough? Then s has both times, and the rest is the caller's to fill. */
HT_INLINE bool ht_call_waited(struct ht_span *s, uint64_t begin)
{
	s->begin = begin;
	if (!begin)
		return false;
	s->end = ht_clock_now();
	return HT_UNLIKELY(s->end - begin > ht_process.call_ticks);
}

/* The body of a hook on a descriptor whose result r is < 0 for an error, else (with `moves`) the bytes that it
 * moved. */
#define HT_TIMED_IO(type, real_call, which, on_fd, moves)                                       \
	do {                                                                                    \
		struct ht_unwind_state from_ = HT_CALLER_STATE();                               \
		uint64_t begin_ = ht_call_begin();                                              \
		type r_ = (real_call);                                                          \
		struct ht_span span_;                                                           \
		if (ht_call_waited(&span_, begin_))                                             \
			ht_io_note(&span_, (which), (on_fd), r_, (moves) && r_ > 0 ? (uint64_t)r_ : 0, &from_); \
		return r_;                                                                      \
	} while (0)
/* The same for a call that may wake whoever waits at the descriptor's other end. */
#define HT_TIMED_OUT(type, real_call, which, on_fd, moved)                                      \
	do {                                                                                    \
		struct ht_unwind_state from_ = HT_CALLER_STATE();                               \
		uint64_t head_ = ht_ring_head(), begin_ = ht_call_begin();                      \
		type r_ = (real_call);                                                          \
		struct ht_span span_;                                                           \
		bool waited_ = ht_call_waited(&span_, begin_);                                  \
		if (begin_ && r_ > 0 && ht_fd_may_wake(on_fd))                                  \
			ht_wake_note((which), (on_fd), &span_, head_, &from_);                  \
		if (waited_)                                                                    \
			ht_io_note(&span_, (which), (on_fd), r_, r_ > 0 ? (uint64_t)(moved) : 0, &from_); \
		return r_;                                                                      \
	} while (0)
void ht_io_note(struct ht_span *s, unsigned call, int fd, long result, uint64_t detail,
		const struct ht_unwind_state *from);

/* calls_wake.c: what descriptors are, by number. A class, and whether kind and object are known, too. */
enum ht_fd_class {
	HT_FD_UNKNOWN = 0,
	HT_FD_QUIET = 1, /* nobody waits for it, or its waiters cannot be named */
	HT_FD_WAKES = 2, /* a pipe, an eventfd, one of two connected sockets of this process */
	HT_FD_CLASS = 3,
	HT_FD_KNOWN = 4,
};
#define HT_FDS 4096 /* beyond: no wakes */
extern uint8_t ht_fd_classes[HT_FDS];
HT_INLINE bool ht_fd_may_wake(int fd)
{
	return (unsigned)fd < HT_FDS && HT_UNLIKELY((ht_fd_classes[fd] & HT_FD_CLASS) != HT_FD_QUIET);
}
/* Who waits for what fd sends is woken: at s->begin, if nothing was noted since the ring's head was `head`; s NULL:
 * now. */
void ht_wake_note(unsigned call, int fd, const struct ht_span *s, uint64_t head, const struct ht_unwind_state *from);
void ht_fd_is(int fd, enum ht_fd_class c);
void ht_fd_copied(int from, int to);
void ht_fd_pair(const int pair[2]);
void ht_fd_linked(int a, uint64_t object_a, int b, uint64_t object_b); /* two ends of one thing */
void ht_fd_connected(int fd); /* calls_peer.c: by connect or accept */

/* Of this thread's ring; UINT64_MAX while it has none. */
HT_INLINE uint64_t ht_ring_head(void)
{
	const struct ht_thread *t = ht_self.thread;
	return t && t->magic == HT_THREAD_MAGIC ? t->w.head : UINT64_MAX;
}

/* What fstat says of a descriptor. False: it is closed, or no system call may be made. */
struct ht_fd_facts {
	unsigned kind; /* enum ht_wait_kind */
	uint64_t object;
	bool anonymous; /* an eventfd, or another without a type */
};
bool ht_fd_look(int fd, struct ht_fd_facts *out);
/* The same, as it is remembered (calls_wake.c). */
bool ht_fd_know(int fd, struct ht_fd_facts *out);

#pragma GCC visibility pop
#endif
