/* sym_sandbox: see sym_sandbox.h. Runs between fork and the first byte of the file. */
#include "sym_sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined(__SANITIZE_ADDRESS__)
#define UNDER_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define UNDER_ASAN 1
#endif
#endif
#ifndef UNDER_ASAN
#define UNDER_ASAN 0
#endif

#define FILE_ALLOWANCE (UINT64_C(8) << 30)

/* The handlers of the program are not for the child; ASan's stay, they print the report. */
static void default_signals(void)
{
	sigset_t none;
	for (int i = 1; i < NSIG && !UNDER_ASAN; i++)
		signal(i, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

static void keep_two(int parent, int module)
{
	/* Up, out of the way of the targets, then down to them. */
	int p = fcntl(parent, F_DUPFD, 16), m = module < 0 ? -1 : fcntl(module, F_DUPFD, 16);
	if (p < 0 || dup2(p, SYM_FD_PARENT) < 0)
		_exit(1);
	if (m >= 0)
		dup2(m, SYM_FD_MODULE);
	unsigned first = m >= 0 ? SYM_FD_MODULE + 1 : SYM_FD_PARENT + 1;
	if (syscall(SYS_close_range, first, ~0u, 0)) {
		struct rlimit files;
		rlim_t top = getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur < 65536 ? files.rlim_cur : 65536;
		for (rlim_t fd = first; fd < top; fd++)
			close((int)fd);
	}
	/* Standard output belongs to the report; standard error is kept for the sanitizer alone. */
	close(0);
	close(1);
	if (!UNDER_ASAN)
		close(2);
}

/* Called with standard descriptors still closed: the kernel reuses the lowest number. */
static uint64_t mapped_bytes(void)
{
	char text[64];
	int fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	if (fd >= 0)
		close(fd);
	if (n <= 0)
		return 0;
	text[n] = '\0';
	return strtoull(text, NULL, 10) * (uint64_t)sysconf(_SC_PAGESIZE);
}

static void limit(int what, uint64_t value, uint64_t hard)
{
	struct rlimit old, now = { value, hard };
	if (getrlimit(what, &old) == 0 && old.rlim_max < hard)
		now = (struct rlimit){ old.rlim_max < value ? old.rlim_max : value, old.rlim_max };
	setrlimit(what, &now);
}

static void limit_resources(const struct sym_limits *l)
{
	struct stat st;
	limit(RLIMIT_CORE, 0, 0);
	limit(RLIMIT_FSIZE, 0, 0);
	limit(RLIMIT_CPU, l->cpu_seconds, l->cpu_seconds + 1);
	if (UNDER_ASAN) /* its shadow alone maps 16 TiB */
		return;
	uint64_t file = fstat(SYM_FD_MODULE, &st) == 0 ? (uint64_t)st.st_size : 0;
	uint64_t all = mapped_bytes() + l->memory + (file < FILE_ALLOWANCE ? file : FILE_ALLOWANCE);
	/* The parent raises it for each further file; the child itself may not. */
	limit(RLIMIT_AS, all, all + 8 * FILE_ALLOWANCE);
}

#if defined(__x86_64__)
#define OUR_ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define OUR_ARCH AUDIT_ARCH_AARCH64
#endif

#ifdef OUR_ARCH
#define ALLOW(name) \
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_##name, 0, 1), BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)

static void filter_calls(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, OUR_ARCH, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		ALLOW(read),	    ALLOW(pread64),	  ALLOW(lseek),	      ALLOW(write),	   ALLOW(writev),
		ALLOW(close),	    ALLOW(fstat),	  ALLOW(newfstatat),  ALLOW(fcntl),	   ALLOW(recvmsg),
		ALLOW(sendmsg),	    ALLOW(brk),		  ALLOW(mmap),	      ALLOW(munmap),	   ALLOW(mremap),
		ALLOW(mprotect),    ALLOW(madvise),	  ALLOW(futex),	      ALLOW(getrandom),	   ALLOW(clock_gettime),
		ALLOW(getpid),	    ALLOW(gettid),	  ALLOW(tgkill),      ALLOW(rt_sigprocmask), ALLOW(rt_sigreturn),
		ALLOW(rt_sigaction), ALLOW(exit),	  ALLOW(exit_group),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
	};
	struct sock_fprog program = { HT_ARRAY_SIZE(code), code };
	prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}
#else
static void filter_calls(void)
{
}
#endif

void sym_sandbox_enter(int parent, int module, const struct sym_limits *limits)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	prctl(PR_SET_DUMPABLE, 0);
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	default_signals();
	keep_two(parent, module);
	limit_resources(limits);
	if (!UNDER_ASAN)
		filter_calls();
}
