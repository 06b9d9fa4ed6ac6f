/*
 * attach: the constructor. Finds the collector (or starts one), maps the segment, opens the gates. Every
 * step may fail; then the hook is off for good, and forwards.
 *
 * Linked initfirst: it runs before every other constructor, with environ still NULL, so settings come from
 * the envp argument. Only raw system calls, bounded in time; nothing stays open.
 */
#include "sync.h"
#include "hook_new.h"

#include <linux/wait.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>

#define ROW_BITS 16
#define ATTACH_WAIT_US 200000
#define LAUNCH_WAIT_US 3000000

static const char *find_env(char **envp, const char *name)
{
	size_t n = ht_strlen(name);
	for (; *envp; envp++)
		if (ht_starts_with(*envp, name) && (*envp)[n] == '=')
			return *envp + n + 1;
	return NULL;
}

static void set_timeout(int fd, long us)
{
	struct {
		long sec, usec;
	} t = {us / 1000000, us % 1000000};
	HT_SYSCALL6(SYS_setsockopt, fd, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof(t), 0);
	HT_SYSCALL6(SYS_setsockopt, fd, SOL_SOCKET, SO_SNDTIMEO, &t, sizeof(t), 0);
}

/* One hello, one welcome. Returns the segment's fd or < 0. */
static int handshake(int sock, const char *token, uint64_t *map_bytes)
{
	struct ht_hello hello = {.magic = HT_SEG_MAGIC, .pid = (uint32_t)HT_SYSCALL0(SYS_getpid)};
	for (unsigned i = 0; token && token[i] && i < sizeof(hello.token) - 1; i++)
		hello.token[i] = token[i];
	if (HT_SYSCALL6(SYS_sendto, sock, &hello, sizeof(hello), MSG_NOSIGNAL, 0, 0) != sizeof(hello))
		return -1;
	struct ht_welcome welcome = {0, 0};
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(int))];
	} control;
	struct iovec iov = {&welcome, sizeof(welcome)};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)};
	long n = HT_SYSCALL3(SYS_recvmsg, sock, &msg, MSG_CMSG_CLOEXEC);
	if (n != sizeof(welcome) || welcome.magic != HT_SEG_MAGIC || msg.msg_controllen < sizeof(struct cmsghdr) ||
	    control.header.cmsg_type != SCM_RIGHTS)
		return -1;
	int fd;
	ht_copy(&fd, CMSG_DATA(&control.header), sizeof(fd));
	if (!welcome.map_bytes) {
		HT_SYSCALL1(SYS_close, fd);
		return -1;
	}
	*map_bytes = welcome.map_bytes;
	return fd;
}

static int try_address(const struct sockaddr_un *addr, size_t len, const char *token, uint64_t *map_bytes)
{
	long sock = HT_SYSCALL3(SYS_socket, AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (sock < 0)
		return -1;
	set_timeout((int)sock, ATTACH_WAIT_US);
	int fd = -1;
	if (HT_SYSCALL3(SYS_connect, sock, addr, len) == 0)
		fd = handshake((int)sock, token, map_bytes);
	HT_SYSCALL1(SYS_close, sock);
	return fd;
}

/* HEAPTIDE_ATTACH=NAME,PATH,TOKEN */
static int attach_running(const char *setting, uint64_t *map_bytes)
{
	const char *parts[3] = {setting, "", ""};
	size_t lens[3] = {0};
	for (unsigned i = 0; i < 3; i++) {
		const char *s = parts[i];
		while (s[lens[i]] && (s[lens[i]] != ',' || i == 2))
			lens[i]++;
		if (i < 2)
			parts[i + 1] = s[lens[i]] ? s + lens[i] + 1 : s + lens[i];
	}
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	if (lens[0] && lens[0] < sizeof(addr.sun_path) - 1) {
		ht_copy(addr.sun_path + 1, parts[0], lens[0]);
		int fd = try_address(&addr, offsetof(struct sockaddr_un, sun_path) + 1 + lens[0], parts[2], map_bytes);
		if (fd >= 0)
			return fd;
	}
	if (lens[1] && lens[1] < sizeof(addr.sun_path)) {
		ht_copy(addr.sun_path, parts[1], lens[1]);
		addr.sun_path[lens[1]] = '\0';
		return try_address(&addr, sizeof(addr), parts[2], map_bytes);
	}
	return -1;
}

/* ---- plain LD_PRELOAD: our own collector ---- */

static void number(char *to, unsigned v)
{
	char digits[12];
	unsigned n = 0;
	do
		digits[n++] = (char)('0' + v % 10);
	while (v /= 10);
	while (n)
		*to++ = digits[--n];
	*to = '\0';
}

/* In the grandchild: the program's environment without what would attach the collector to itself. */
static void become_collector(const char *path, int sock, char **envp)
{
	size_t n = 0;
	while (envp[n])
		n++;
	long mem = HT_SYSCALL6(SYS_mmap, 0, (n + 1) * sizeof(char *), PROT_READ | PROT_WRITE,
			       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (mem < 0 && mem > -4096)
		return;
	char **env = (char **)mem, **to = env;
	for (size_t i = 0; i < n; i++)
		if (!ht_starts_with(envp[i], "LD_PRELOAD=") && !ht_starts_with(envp[i], "HEAPTIDE_ATTACH="))
			*to++ = envp[i];
	char fd_text[12];
	number(fd_text, (unsigned)sock);
	HT_SYSCALL3(SYS_fcntl, sock, 2 /* F_SETFD */, 0);
	const char *argv[] = {path, "--fd", fd_text, NULL};
	HT_SYSCALL3(SYS_execve, path, argv, env);
}

/* clone with exit signal 0, twice: the program sees no SIGCHLD and no zombie. */
static int launch_collector(const char *hook_path, char **envp, uint64_t *map_bytes)
{
	char path[4096];
	static const char name[] = "heaptide-collect";
	size_t slash = 0, n = ht_strlen(hook_path);
	for (size_t i = 0; i < n; i++)
		if (hook_path[i] == '/')
			slash = i + 1;
	if (!slash || slash + sizeof(name) > sizeof(path))
		return -1;
	ht_copy(path, hook_path, slash);
	ht_copy(path + slash, name, sizeof(name));
	int pair[2];
	if (HT_SYSCALL4(SYS_socketpair, AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0)
		return -1;
	int fd = -1;
	long child = HT_SYSCALL6(SYS_clone, 0, 0, 0, 0, 0, 0);
	if (child == 0) {
		if (HT_SYSCALL6(SYS_clone, 0, 0, 0, 0, 0, 0) == 0)
			become_collector(path, pair[1], envp);
		HT_SYSCALL1(SYS_exit_group, 0);
	}
	HT_SYSCALL1(SYS_close, pair[1]);
	if (child > 0) {
		HT_SYSCALL4(SYS_wait4, child, 0, __WALL, 0);
		set_timeout(pair[0], LAUNCH_WAIT_US);
		fd = handshake(pair[0], NULL, map_bytes);
	}
	HT_SYSCALL1(SYS_close, pair[0]);
	return fd;
}

/* ---- taking over ---- */

static bool map_segment(int fd, uint64_t bytes)
{
	if (bytes < sizeof(struct ht_segment) || bytes > 1ull << 40)
		return false;
	long at = HT_SYSCALL6(SYS_mmap, 0, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (at < 0 && at > -4096)
		return false;
	struct ht_segment *seg = (struct ht_segment *)at;
	if (seg->magic != HT_SEG_MAGIC || seg->map_bytes != bytes || seg->slot_count > 65536 ||
	    seg->slots_offset + (uint64_t)seg->slot_count * sizeof(struct ht_slot) > bytes) {
		HT_SYSCALL2(SYS_munmap, at, bytes);
		return false;
	}
	HT_SYSCALL3(SYS_madvise, at, bytes, MADV_DONTDUMP);
	ht_process.seg = seg;
	ht_process.options = seg->options | (seg->sample_bytes ? HT_OPT_SAMPLED : 0);
	ht_process.call_ticks = seg->call_ticks;
	ht_process.stall_ticks = seg->stall_ticks;
	ht_process.stack_depth = seg->stack_depth && seg->stack_depth < HT_DEPTH_MAX ? seg->stack_depth : HT_DEPTH_MAX;
	return true;
}

static void find_stacks(void)
{
	struct rlimit lim = {0, 0};
	HT_SYSCALL4(SYS_prlimit64, 0, RLIMIT_STACK, 0, &lim);
	uint64_t size = lim.rlim_cur == RLIM_INFINITY || lim.rlim_cur > 64u << 20 ? 64u << 20 : lim.rlim_cur;
	uint64_t *end = ht_symbol("__libc_stack_end", false);
	if (end && *end) {
		ht_process.main_hi = *end + 8;
		ht_process.main_lo = *end - size;
	}
	/* what pthread_create takes without an attribute; glibc's 2 MiB where there is no limit */
	ht_process.default_stack_kib = lim.rlim_cur == RLIM_INFINITY ? 2048 : (uint32_t)(size >> 10);
}

static bool begin_unwinding(const struct ht_cfi_module *me)
{
	long rows = HT_SYSCALL6(SYS_mmap, 0, 8ul << ROW_BITS, PROT_READ | PROT_WRITE,
				MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (rows < 0 && rows > -4096)
		return false;
	struct ht_unwind_config c = {
		.rows = (uint64_t *)rows, .row_bits = ROW_BITS, .hook = {{me->start, me->end}, {0, 0}},
		.on_module = ht_note_module,
	};
	ht_unwind_init(&c);
	return true;
}

static const char *base_name(const char *path)
{
	const char *base = path;
	for (; *path; path++)
		if (*path == '/')
			base = path + 1;
	return base;
}

/* Who else stands between the program and us: said in the trace, for the reports to print. */
static void look_around(const struct ht_cfi_module *me)
{
	struct ht_segment *seg = ht_process.seg;
	struct ht_cfi_module m;
	void *first = ht_symbol("malloc", false);
	if (first && ht_cfi_module_of((uintptr_t)first, &m) && m.start != me->start) {
		size_t n = ht_strlen(m.name);
		if (n >= sizeof(seg->shadowed_by))
			n = sizeof(seg->shadowed_by) - 1;
		if (n)
			ht_copy(seg->shadowed_by, m.name, n);
		else
			ht_copy(seg->shadowed_by, "the executable", 15);
	}
	void *op_new = ht_symbol("_Znwm", false);
	if (op_new && ht_cfi_module_of((uintptr_t)op_new, &m)) {
		const char *name = base_name(m.name);
		if (ht_starts_with(name, "libheaptide-hook-new"))
			__atomic_fetch_or(&seg->flags, HT_FLAG_NEW_HOOKED, __ATOMIC_RELAXED);
		/* in the executable itself it is most often libstdc++, linked statically, which does call malloc */
		else if (*name && !ht_starts_with(name, "libstdc++") && !ht_starts_with(name, "libc++"))
			__atomic_fetch_or(&seg->flags, HT_FLAG_NEW_BYPASSES, __ATOMIC_RELAXED);
	}
}

/* --follow without exec: programs that this one starts are not to be hooked. In place, as the strings are ours to
 * shorten: our entries are taken out of LD_PRELOAD, others stay. */
static void leave_environment(char **envp)
{
	char *list = (char *)(uintptr_t)find_env(envp, "LD_PRELOAD"), *to = list;
	for (char *s = list; s && *s;) {
		size_t n = 0;
		while (s[n] && s[n] != ':' && s[n] != ' ')
			n++;
		char *end = s + n, kept = *end;
		*end = '\0';
		bool ours = ht_starts_with(base_name(s), "libheaptide-hook");
		*end = kept;
		if (!ours && n) {
			if (to != list)
				*to++ = ':';
			ht_copy(to, s, n);
			to += n;
		}
		s = kept ? end + 1 : end;
	}
	if (to)
		*to = '\0';
}

static bool attach(char **envp, struct ht_cfi_module *me)
{
	ht_cfi_init(ht_symbol("_dl_find_object", false));
	ht_cfi_snapshot(); /* used where the loader has no _dl_find_object */
	if (!ht_cfi_module_of((uintptr_t)attach, me))
		return false;
	uint64_t bytes = 0;
	const char *setting = find_env(envp, "HEAPTIDE_ATTACH");
	int fd = setting ? attach_running(setting, &bytes) : launch_collector(me->name, envp, &bytes);
	if (fd < 0)
		return false;
	bool mapped = map_segment(fd, bytes);
	HT_SYSCALL1(SYS_close, fd);
	return mapped;
}

__attribute__((constructor)) static void begin(int argc, char **argv, char **envp)
{
	(void)argc, (void)argv;
	struct ht_cfi_module me;
	if (!ht_real_resolve() || !envp || !attach(envp, &me) || !begin_unwinding(&me)) {
		ht_turn_off(HT_OFF_FAULT);
		return;
	}
	find_stacks();
	HT_SYSCALL3(SYS_readlink, "/proc/self/exe", ht_process.exe, sizeof(ht_process.exe) - 1);
	look_around(&me);
	if (ht_process.options & HT_OPT_NO_TSC)
		ht_process.clock_gettime = (int (*)(int, void *))ht_symbol("clock_gettime", false);
	if (!(ht_process.options & HT_OPT_FOLLOW_EXEC))
		leave_environment(envp);
	struct ht_thread *t = ht_claim(false);
	if (!t) {
		ht_turn_off(HT_OFF_FAULT);
		return;
	}
	t->gate = (uint64_t)__builtin_frame_address(0);
	uint32_t options = ht_process.options;
	if (options & HT_OPT_ALLOC)
		ht_early_flush(t);
	ht_leave(t);
	HT_STORE_RELAXED(&ht_state, options & HT_OPT_STALL ? HT_CLOCKED
				  : !(options & HT_OPT_ALLOC) ? HT_APART
				  : options & HT_OPT_SAMPLED ? HT_SAMPLING : HT_READY);
	HT_STORE_RELAXED(&ht_timed, options & HT_OPT_IO ? HT_TIMED_ON : HT_TIMED_OFF);
	ht_sync_decide(); /* here, since the first to ask may be a signal handler */
}
