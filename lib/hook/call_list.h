/*
 * call_list: the calls of libc that may block, as HT_CALLS(X) with X(result, name, parameters). hook.h makes of it the
 * pointers to the real functions, real.c the table that fills them; the hooks themselves are in calls_*.c.
 *
 * Types are those of the machine, not of libc's headers: a pointer is void *, so that no prototype, transparent union
 * or fortified inline of a libc stands in the way. Fortified forms are names of their own, which compilers call.
 */
#ifndef HT_CALL_LIST_H
#define HT_CALL_LIST_H

#define HT_CALLS_SLEEP(X)                                                                          \
	X(int, nanosleep, (const void *, void *))                                                  \
	X(int, clock_nanosleep, (int, int, const void *, void *))                                  \
	X(int, thrd_sleep, (const void *, void *))                                                 \
	X(int, usleep, (unsigned))                                                                 \
	X(unsigned, sleep, (unsigned))                                                             \
	X(int, pause, (void))                                                                      \
	X(int, sigsuspend, (const void *))                                                         \
	X(int, sigwait, (const void *, int *))                                                     \
	X(int, sigwaitinfo, (const void *, void *))                                                \
	X(int, sigtimedwait, (const void *, void *, const void *))                                 \
	X(int, wait, (int *))                                                                      \
	X(int, waitpid, (int, int *, int))                                                         \
	X(int, wait3, (int *, int, void *))                                                        \
	X(int, wait4, (int, int *, int, void *))                                                   \
	X(int, waitid, (int, unsigned, void *, int))

#define HT_CALLS_POLL(X)                                                                           \
	X(int, poll, (void *, unsigned long, int))                                                 \
	X(int, __poll_chk, (void *, unsigned long, int, size_t))                                   \
	X(int, ppoll, (void *, unsigned long, const void *, const void *))                         \
	X(int, __ppoll_chk, (void *, unsigned long, const void *, const void *, size_t))           \
	X(int, select, (int, void *, void *, void *, void *))                                      \
	X(int, pselect, (int, void *, void *, void *, const void *, const void *))                 \
	X(int, epoll_wait, (int, void *, int, int))                                                \
	X(int, epoll_pwait, (int, void *, int, int, const void *))                                 \
	X(int, epoll_pwait2, (int, void *, int, const void *, const void *))

#define HT_CALLS_DATA(X)                                                                           \
	X(long, read, (int, void *, size_t))                                                       \
	X(long, __read_chk, (int, void *, size_t, size_t))                                         \
	X(long, write, (int, const void *, size_t))                                                \
	X(long, readv, (int, const void *, int))                                                   \
	X(long, writev, (int, const void *, int))                                                  \
	X(long, pread, (int, void *, size_t, long))                                                \
	X(long, pread64, (int, void *, size_t, long))                                              \
	X(long, __pread_chk, (int, void *, size_t, long, size_t))                                  \
	X(long, __pread64_chk, (int, void *, size_t, long, size_t))                                \
	X(long, pwrite, (int, const void *, size_t, long))                                         \
	X(long, pwrite64, (int, const void *, size_t, long))                                       \
	X(long, preadv, (int, const void *, int, long))                                            \
	X(long, preadv64, (int, const void *, int, long))                                          \
	X(long, preadv2, (int, const void *, int, long, int))                                      \
	X(long, preadv64v2, (int, const void *, int, long, int))                                   \
	X(long, pwritev, (int, const void *, int, long))                                           \
	X(long, pwritev64, (int, const void *, int, long))                                         \
	X(long, pwritev2, (int, const void *, int, long, int))                                     \
	X(long, pwritev64v2, (int, const void *, int, long, int))                                  \
	X(long, sendfile, (int, int, long *, size_t))                                              \
	X(long, sendfile64, (int, int, long *, size_t))

#define HT_CALLS_NET(X)                                                                            \
	X(long, recv, (int, void *, size_t, int))                                                  \
	X(long, __recv_chk, (int, void *, size_t, size_t, int))                                    \
	X(long, recvfrom, (int, void *, size_t, int, void *, void *))                              \
	X(long, __recvfrom_chk, (int, void *, size_t, size_t, int, void *, void *))                \
	X(long, recvmsg, (int, void *, int))                                                       \
	X(int, recvmmsg, (int, void *, unsigned, int, void *))                                     \
	X(long, send, (int, const void *, size_t, int))                                            \
	X(long, sendto, (int, const void *, size_t, int, const void *, unsigned))                  \
	X(long, sendmsg, (int, const void *, int))                                                 \
	X(int, sendmmsg, (int, void *, unsigned, int))                                             \
	X(int, accept, (int, void *, void *))                                                      \
	X(int, accept4, (int, void *, void *, int))                                                \
	X(int, connect, (int, const void *, unsigned))                                             \
	X(int, socketpair, (int, int, int, int *))

#define HT_CALLS_FD(X)                                                                             \
	X(int, open, (const char *, int, ...))                                                     \
	X(int, open64, (const char *, int, ...))                                                   \
	X(int, __open_2, (const char *, int))                                                      \
	X(int, __open64_2, (const char *, int))                                                    \
	X(int, openat, (int, const char *, int, ...))                                              \
	X(int, openat64, (int, const char *, int, ...))                                            \
	X(int, __openat_2, (int, const char *, int))                                               \
	X(int, __openat64_2, (int, const char *, int))                                             \
	X(int, creat, (const char *, unsigned))                                                    \
	X(int, creat64, (const char *, unsigned))                                                  \
	X(int, close, (int))                                                                       \
	X(int, dup, (int))                                                                         \
	X(int, dup2, (int, int))                                                                   \
	X(int, dup3, (int, int, int))                                                              \
	X(int, pipe, (int *))                                                                      \
	X(int, pipe2, (int *, int))                                                                \
	X(int, eventfd, (unsigned, int))                                                           \
	X(int, fsync, (int))                                                                       \
	X(int, fdatasync, (int))                                                                   \
	X(int, flock, (int, int))                                                                  \
	X(int, lockf, (int, int, long))                                                            \
	X(int, lockf64, (int, int, long))

#define HT_CALLS(X) HT_CALLS_SLEEP(X) HT_CALLS_POLL(X) HT_CALLS_DATA(X) HT_CALLS_NET(X) HT_CALLS_FD(X)

#endif
