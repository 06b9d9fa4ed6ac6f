/*
 * calls_answer: what calls answer that do not block, or not for long: results, errors, modes, bytes, processes, and
 * what fortified forms do about a buffer that is too small.
 */
#include "calls_table.h"

#include <spawn.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <linux/filter.h>
#include <linux/seccomp.h>

extern char **environ;
static char room[64];
static struct iovec parts[2] = {{room, 3}, {room + 8, 5}};
static void *volatile nowhere = (void *)8; /* no memory is there */
static volatile int closed = 900;
static volatile size_t some = 16;

static void errors(void)
{
	struct timespec bad = {0, 2000000000}, no_time = {0, 0};
	struct epoll_event e;
	SHOW(read(closed, room, 1));
	SHOW(write(closed, room, 1));
	SHOW(readv(closed, parts, 2));
	SHOW(writev(closed, parts, 2));
	SHOW(pread(closed, room, 1, 0));
	SHOW(pwrite(closed, room, 1, 0));
	SHOW(preadv(closed, parts, 2, 0));
	SHOW(pwritev(closed, parts, 2, 0));
	SHOW(preadv2(closed, parts, 2, 0, 0));
	SHOW(pwritev2(closed, parts, 2, 0, 0));
	SHOW(recv(closed, room, 1, 0));
	SHOW(send(closed, room, 1, 0));
	SHOW(accept(closed, NULL, NULL));
	SHOW(accept4(closed, NULL, NULL, 0));
	SHOW(connect(closed, (struct sockaddr *)room, sizeof room));
	SHOW(fsync(closed));
	SHOW(fdatasync(closed));
	SHOW(flock(closed, LOCK_SH));
	SHOW(lockf(closed, F_LOCK, 0));
	SHOW(close(closed));
	SHOW(dup(closed));
	SHOW(dup2(closed, 1));
	SHOW(dup3(1, 1, 0));
	SHOW(sendfile(closed, 0, NULL, 1));
	SHOW(epoll_wait(closed, &e, 1, 0));
	SHOW(epoll_wait(0, &e, 0, 0));
	SHOW(select(-1, NULL, NULL, NULL, NULL));
	SHOW(poll(nowhere, 1, 10));
	SHOW(ppoll(nowhere, 1, &no_time, NULL));
	SHOW(read(place.full[0], nowhere, 1));
	SHOW(write(place.pair[0], nowhere, 1));
	SHOW(open(nowhere, O_RDONLY));
	SHOW(nanosleep(nowhere, NULL));
	SHOW(nanosleep(&bad, NULL));
	SHOW(clock_nanosleep(CLOCK_MONOTONIC, 0, &bad, NULL));
	SHOW(clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, nowhere, NULL));
	SHOW(clock_nanosleep(77, 0, &no_time, NULL));
	SHOW(thrd_sleep(&bad, NULL) < -1);
	SHOW(sigtimedwait(nowhere, NULL, &no_time));
	SHOW(pipe(nowhere));
	SHOW(pipe2(nowhere, 0));
	SHOW(pipe2((int *)room, 1));
	SHOW(socketpair(AF_UNIX, SOCK_STREAM, 0, nowhere));
	SHOW(socketpair(AF_INET, SOCK_STREAM, 0, (int *)room));
	SHOW(waitpid(place.child + 30000, NULL, WNOHANG));
	SHOW(waitpid(place.child, NULL, 0x40000000 | 0x100));
	SHOW(waitid(P_PID, (id_t)place.child, NULL, 0));
	SHOW(open("nowhere/at/all", O_RDONLY));
	SHOW(openat(closed, "x", O_RDONLY));
	SHOW(creat("/", 0600));
}

static void again(void)
{
	struct timespec ms = {0, 1000000};
	struct timeval tv = {0, 1000};
	struct pollfd p = {.fd = place.empty[0], .events = POLLIN};
	struct epoll_event e;
	struct mmsghdr m = {.msg_hdr = {.msg_iov = parts, .msg_iovlen = 1}};
	sigset_t usr2;
	fd_set set;
	sigemptyset(&usr2);
	sigaddset(&usr2, SIGUSR2);
	fcntl(place.empty[0], F_SETFL, O_NONBLOCK);
	fcntl(place.full[1], F_SETFL, O_WRONLY | O_NONBLOCK);
	fcntl(place.listener, F_SETFL, O_NONBLOCK);
	SHOW(read(place.empty[0], room, 1));
	SHOW(readv(place.empty[0], parts, 1));
	SHOW(write(place.full[1], room, 1));
	SHOW(writev(place.full[1], parts, 1));
	SHOW(accept(place.listener, NULL, NULL));
	SHOW(recv(place.pair[0], room, 1, MSG_DONTWAIT));
	SHOW(recvfrom(place.pair[0], room, 1, MSG_DONTWAIT, NULL, NULL));
	SHOW(recvmmsg(place.pair[0], &m, 1, MSG_DONTWAIT, NULL));
	SHOW(send(place.stuffed[0], room, sizeof room, MSG_DONTWAIT));
	SHOW(sendmmsg(place.stuffed[0], &m, 1, MSG_DONTWAIT));
	SHOW(flock(place.lock, LOCK_EX | LOCK_NB));
	SHOW(lockf(place.lock, F_TLOCK, 0));
	SHOW(lockf(place.lock, F_TEST, 0));
	SHOW(open(place.fifo, O_WRONLY | O_NONBLOCK));
	SHOW(waitpid(place.child, NULL, WNOHANG));
	SHOW(poll(&p, 1, 0));
	SHOW(poll(&p, 1, 3));
	SHOW(ppoll(&p, 1, &ms, NULL));
	FD_ZERO(&set);
	FD_SET(place.empty[0], &set);
	SHOW(select(place.empty[0] + 1, &set, NULL, NULL, &tv));
	SHOW(FD_ISSET(place.empty[0], &set) || tv.tv_sec || tv.tv_usec);
	SHOW(pselect(0, NULL, NULL, NULL, &ms, NULL));
	SHOW(epoll_wait(place.epoll, &e, 1, 0));
	SHOW(epoll_wait(place.epoll, &e, 1, 2));
	SHOW(epoll_pwait2(place.epoll, &e, 1, &ms, NULL));
	SHOW(sigtimedwait(&usr2, NULL, &ms));
	setsockopt(place.pair[0], SOL_SOCKET, SO_RCVTIMEO, &(struct timeval){0, 3000}, sizeof(struct timeval));
	SHOW(recv(place.pair[0], room, 1, 0));
	SHOW(read(place.pair[0], room, 1));
	SHOW(nanosleep(&ms, &ms));
	SHOW(clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ms, NULL));
	SHOW(usleep(100));
	SHOW(sleep(0));
}

static void bytes(void)
{
	struct msghdr m = {.msg_iov = parts, .msg_iovlen = 2};
	struct mmsghdr two[2] = {{.msg_hdr = {.msg_iov = parts, .msg_iovlen = 2}},
				 {.msg_hdr = {.msg_iov = parts, .msg_iovlen = 1}}};
	int ends[2], file = open("bytes", O_CREAT | O_RDWR, 0600), packets[2];
	off_t at = 2;
	struct pollfd p[2] = {{.fd = place.full[0], .events = POLLIN}, {.fd = place.empty[0], .events = POLLIN}};
	SHOW(pipe(ends));
	SHOW(write(ends[1], "abcdefghij", 10));
	SHOW(read(ends[0], room, 4));
	SHOW(readv(ends[0], parts, 2));
	SHOW(memcmp(room, "efg", 3) || memcmp(room + 8, "hij", 3));
	SHOW(poll(p, 2, -1));
	SHOW(p[0].revents << 8 | p[1].revents);
	SHOW(pwrite(file, "0123456789", 10, 0));
	SHOW(pread(file, room, some, 7));
	SHOW(pwritev(file, parts, 2, 4));
	SHOW(preadv(file, parts, 2, 1));
	SHOW(preadv2(file, parts, 2, -1, 0));
	SHOW(pwritev2(file, parts, 1, -1, RWF_DSYNC));
	SHOW(sendfile(ends[1], file, &at, 4));
	SHOW(at);
	SHOW(fsync(file));
	SHOW(fdatasync(file));
	SHOW(fsync(ends[0]));
	SHOW(close(ends[1]));
	SHOW(read(ends[0], room, some));
	SHOW(read(ends[0], room, some));
	SHOW(close(ends[0]));
	SHOW(close(ends[0]));
	SHOW(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, packets));
	SHOW(sendmsg(packets[0], &m, 0));
	SHOW(sendmmsg(packets[0], two, 2, 0));
	SHOW(two[0].msg_len << 8 | two[1].msg_len);
	SHOW(recv(packets[1], room, 4, MSG_TRUNC));
	SHOW(recvmmsg(packets[1], two, 2, 0, NULL));
	SHOW(fcntl(packets[0], F_GETFD));
	SHOW(dup2(packets[0], 30));
	SHOW(dup2(30, 30));
	SHOW(dup3(packets[0], 31, O_CLOEXEC));
	SHOW(fcntl(30, F_GETFD) << 4 | fcntl(31, F_GETFD));
	SHOW(dup(30));
	SHOW(send(30, "x", 1, 0));
	SHOW(write(31, "yz", 2));
	SHOW(recv(packets[1], room, some, 0));
	SHOW(recv(packets[1], room, some, 0));
	close(packets[1]);
	SHOW(write(31, "no", 2));
	SHOW(pipe2(ends, O_NONBLOCK | O_CLOEXEC));
	SHOW(fcntl(ends[0], F_GETFL) & O_NONBLOCK ? 1 : 0);
	close(ends[0]);
	SHOW(write(ends[1], "no", 2));
	SHOW(close(ends[1]));
	unlink("bytes");
}

static void show_mode(const char *name, int fd)
{
	struct stat st = {0};
	fstat(fd, &st);
	printf("%-60s %05o\n", name, (unsigned)st.st_mode & 07777);
	close(fd);
}

static void modes(void)
{
	umask(027);
	show_mode("open", open("m1", O_CREAT | O_EXCL | O_WRONLY, 0666));
	show_mode("open, which exists", open("m1", O_CREAT | O_WRONLY, 0777));
	show_mode("open64", open64("m2", O_CREAT | O_RDWR, 0751));
	show_mode("openat", openat(AT_FDCWD, "m3", O_CREAT | O_RDWR, 0640));
	show_mode("openat64", openat64(AT_FDCWD, "m4", O_CREAT | O_RDWR, 0604));
	show_mode("creat", creat("m5", 0666));
	show_mode("creat64", creat64("m6", 0400));
	show_mode("O_TMPFILE", open(".", O_TMPFILE | O_RDWR, 0644));
	show_mode("openat O_TMPFILE", openat(AT_FDCWD, ".", O_TMPFILE | O_RDWR, 0606));
	SHOW(open("m1", O_CREAT | O_EXCL, 0600));
	umask(022);
	for (char name[] = "m1"; name[1] <= '6'; name[1]++)
		unlink(name);
}

/* ---- processes ---- */

static void leave_with_7(void)
{
	_exit(7);
}

static void write_to_nobody(void)
{
	int ends[2];
	signal(SIGPIPE, SIG_DFL);
	if (pipe(ends) == 0 && close(ends[0]) == 0 && write(ends[1], "x", 1) < 0)
		_exit(3);
}

static void read_too_much(void)
{
	char little[8];
	int fd = open("/dev/zero", O_RDONLY), quiet = open("/dev/null", O_WRONLY);
	dup2(quiet, 2);
	setenv("LIBC_FATAL_STDERR_", "1", 1);
	if (read(fd, little, some - 8) != 8)
		_exit(1);
#ifdef FORTIFIED
	if (read(fd, little, some) > 8)
		_exit(2);
#endif
}

/* A filter that ends whoever looks at descriptors, asks who he is, or reads clocks by system calls. */
static void behind_a_filter(void)
{
	const unsigned forbidden[] = {SYS_fstat,  SYS_newfstatat,    SYS_statx, SYS_getpid,
				      SYS_gettid, SYS_clock_gettime, SYS_fcntl};
	const unsigned n = sizeof forbidden / sizeof *forbidden;
	struct sock_filter code[16] = {BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0)};
	struct sock_fprog program = {.len = (unsigned short)(n + 3), .filter = code};
	struct timespec ms = {0, 1000000};
	int pair[2], ends[2];
	for (unsigned i = 0; i < n; i++)
		code[1 + i] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, forbidden[i], (unsigned char)(n - i), 0);
	code[n + 1] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	code[n + 2] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS);
	if (pipe(ends) || socketpair(AF_UNIX, SOCK_STREAM, 0, pair))
		_exit(9);
	free(malloc(10));
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program))
		_exit(8);
	for (int i = 0; i < 100; i++) {
		struct pollfd p = {.fd = ends[0], .events = POLLIN};
		if (write(ends[1], "12345", 5) != 5 || poll(&p, 1, -1) != 1 || read(ends[0], room, some) != 5 ||
		    send(pair[0], "12", 2, 0) != 2 || recv(pair[1], room, some, 0) != 2)
			_exit(6);
	}
	clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ms, NULL);
	if (nanosleep(&ms, NULL) || usleep(1000) || poll(NULL, 0, 1) || close(ends[0]))
		_exit(5);
	_exit(4);
}

static void processes(void)
{
	siginfo_t info = {0};
	int status = 0, ends[2];
	char *const argv[] = {"sh", "-c", "echo from a shell; exit 5", NULL};
	posix_spawn_file_actions_t actions;
	pid_t pid;
	in_child("exit 7", leave_with_7);
	in_child("SIGPIPE", write_to_nobody);
	in_child("a buffer's end", read_too_much);
	in_child("behind a filter", behind_a_filter);
	SHOW(waitpid(-1, NULL, 0)); /* place.child is no more, here */

	if (pipe(ends))
		abort();
	pid = vfork();
	if (pid == 0) { /* in our memory: dup2 and close are of the child's own descriptors */
		dup2(ends[1], 1);
		close(ends[0]);
		close(ends[1]);
		execv("/bin/sh", argv);
		_exit(1);
	}
	SHOW(close(ends[1]));
	SHOW(read(ends[0], room, some + 16));
	SHOW(waitpid(pid, &status, 0) == pid);
	SHOW(WEXITSTATUS(status));
	SHOW(close(ends[0]));

	if (pipe(ends))
		abort();
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, ends[1], 1);
	SHOW(posix_spawn(&pid, "/bin/sh", &actions, NULL, argv, environ));
	posix_spawn_file_actions_destroy(&actions);
	close(ends[1]);
	SHOW(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT));
	SHOW(info.si_status << 8 | info.si_code);
	SHOW(wait4(pid, &status, 0, NULL) == pid);
	SHOW(WEXITSTATUS(status));
	SHOW(read(ends[0], room, some));
	SHOW(read(ends[0], room, some));
	SHOW(read(ends[0], room, some));
	close(ends[0]);
	SHOW(wait(NULL));
	SHOW(wait3(NULL, 0, NULL));
	SHOW(wait4(-1, NULL, WNOHANG, NULL));
	SHOW(waitid(P_ALL, 0, NULL, WEXITED));
}

/* ---- little stacks ---- */

static void *waits(void *unused)
{
	char byte;
	struct pollfd p = {.fd = place.empty[0], .events = POLLIN};
	(void)unused;
	poll(&p, 1, 2);
	usleep(100);
	return (void *)(intptr_t)read(place.pair[0], &byte, 1);
}

static volatile int slept;
static void on_little_stack(int sig)
{
	(void)sig;
	slept = usleep(100) == 0 && write(place.empty[1], "s", 1) == 1;
}

static void stacks(void)
{
	static char little[16384] __attribute__((aligned(64)));
	pthread_attr_t a;
	pthread_t t;
	void *result = NULL;
	struct sigaction act = {.sa_handler = on_little_stack, .sa_flags = SA_ONSTACK};
	stack_t s = {.ss_sp = little, .ss_size = sizeof little};
	pthread_attr_init(&a);
	pthread_attr_setstacksize(&a, 16384);
	SHOW(pthread_create(&t, &a, waits, NULL));
	usleep(5000);
	SHOW(write(place.pair[1], "x", 1));
	pthread_join(t, &result);
	SHOW((intptr_t)result);
	sigaltstack(&s, NULL);
	sigaction(SIGALRM, &act, NULL);
	raise(SIGALRM);
	SHOW(slept);
	SHOW(read(place.empty[0], room, some));
	s.ss_flags = SS_DISABLE;
	sigaltstack(&s, NULL);
}

void answers(void)
{
	place_make(&place);
	errors();
	again();
	place_clear(&place);
	place_make(&place);
	bytes();
	modes();
	stacks();
	place_clear(&place);
	processes();
	fflush(stdout);
}
