/* procfs: see procfs.h. Small files are read in one go into a buffer on the stack. */
#include "procfs.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Bytes read, NUL-terminated; 0 when the file is not there. */
static size_t slurp(const char *path, char *to, size_t n)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	to[0] = '\0';
	if (fd < 0)
		return 0;
	int64_t got = ht_pread_all(fd, to, n - 1, 0);
	close(fd);
	to[got > 0 ? got : 0] = '\0';
	return got > 0 ? (size_t)got : 0;
}

/* Calls back for each process until the answer is true. */
static void each_process(bool (*visit)(void *ctx, pid_t pid), void *ctx)
{
	DIR *d = opendir("/proc");
	bool done = false;
	for (struct dirent *e; d && !done && (e = readdir(d));)
		if (isdigit((unsigned char)e->d_name[0]))
			done = visit(ctx, atoi(e->d_name));
	if (d)
		closedir(d);
}

/* Behind the name of /proc/PID/stat, which may hold anything: " S 1 ...". */
static const char *stat_tail(pid_t pid, char *buf, size_t n)
{
	char path[64];
	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	if (!slurp(path, buf, n))
		return NULL;
	const char *p = strrchr(buf, ')');
	return p && p[1] == ' ' && p[2] ? p + 1 : NULL;
}

pid_t ht_proc_parent(pid_t pid)
{
	char buf[1024];
	const char *p = stat_tail(pid, buf, sizeof(buf));
	return p ? atoi(p + 3) : 0;
}

bool ht_proc_alive(pid_t pid)
{
	char buf[1024];
	const char *p = stat_tail(pid, buf, sizeof(buf));
	return p && p[1] != 'Z' && p[1] != 'X';
}

bool ht_proc_exe_id(pid_t pid, uint64_t *dev, uint64_t *ino)
{
	char path[64];
	struct stat s;
	snprintf(path, sizeof(path), "/proc/%d/exe", pid);
	if (stat(path, &s))
		return false;
	*dev = s.st_dev;
	*ino = s.st_ino;
	return true;
}

size_t ht_proc_exe(pid_t pid, char *path, size_t n)
{
	static const char gone[] = " (deleted)";
	char link[64];
	snprintf(link, sizeof(link), "/proc/%d/exe", pid);
	ssize_t got = readlink(link, path, n - 1);
	if (got < 0)
		got = 0;
	size_t len = (size_t)got, tail = sizeof(gone) - 1;
	if (len > tail && !memcmp(path + len - tail, gone, tail))
		len -= tail;
	path[len] = '\0';
	return len;
}

void ht_proc_cmdline(pid_t pid, struct ht_buf *out)
{
	char path[64];
	snprintf(path, sizeof(path), "/proc/%d/cmdline", pid);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	ht_buf_reserve(out, 64 << 10);
	int64_t got = ht_pread_all(fd, out->data + out->len, 64 << 10, 0);
	close(fd);
	if (got > 0)
		out->len += (size_t)got;
}

void ht_proc_comm(pid_t pid, pid_t tid, char name[16])
{
	char path[64], buf[64];
	snprintf(path, sizeof(path), "/proc/%d/task/%d/comm", pid, tid);
	slurp(path, buf, sizeof(buf));
	buf[strcspn(buf, "\n")] = '\0';
	snprintf(name, 16, "%.15s", buf);
}

uint64_t ht_proc_rss(pid_t pid, uint32_t *threads)
{
	char path[64], buf[1024];
	*threads = 0;
	snprintf(path, sizeof(path), "/proc/%d/statm", pid);
	if (!slurp(path, buf, sizeof(buf)))
		return 0;
	char *p = strchr(buf, ' ');
	uint64_t pages = p ? strtoull(p, NULL, 10) : 0;
	const char *q = stat_tail(pid, buf, sizeof(buf));
	for (int field = 3; q && field < 20; field++) /* num_threads is the 20th */
		q = strchr(q + 1, ' ');
	*threads = q ? (uint32_t)strtoul(q, NULL, 10) : 0;
	return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

/* The innermost number in a line such as "NSpid:\t4711\t12\t3"; 0 = no such line. */
static unsigned long innermost(const char *status)
{
	const char *p = strstr(status, "\nNSpid:");
	if (!p)
		return 0;
	unsigned long n = 0;
	for (p += 7; *p && *p != '\n';) {
		char *end;
		n = strtoul(p, &end, 10);
		if (end == p)
			break;
		p = end;
	}
	return n;
}

uint32_t ht_proc_own_tid(pid_t pid, pid_t tid)
{
	char path[64], buf[4096];
	snprintf(path, sizeof(path), "/proc/%d/task/%d/status", pid, tid);
	return slurp(path, buf, sizeof(buf)) ? (uint32_t)innermost(buf) : 0;
}

pid_t ht_proc_find_tid(pid_t pid, uint32_t own_tid)
{
	char path[64];
	pid_t found = 0;
	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	DIR *d = opendir(path);
	for (struct dirent *e; d && !found && (e = readdir(d));)
		if (isdigit((unsigned char)e->d_name[0]) && ht_proc_own_tid(pid, atoi(e->d_name)) == own_tid)
			found = atoi(e->d_name);
	if (d)
		closedir(d);
	return found;
}

bool ht_proc_thread_alive(pid_t pid, pid_t tid, bool nested)
{
	char path[64];
	if (nested)
		return ht_proc_find_tid(pid, (uint32_t)tid) != 0;
	snprintf(path, sizeof(path), "/proc/%d/task/%d", pid, tid);
	return !access(path, F_OK);
}

bool ht_proc_maps_memfd(pid_t pid, uint64_t ino)
{
	char path[64], *line = NULL;
	size_t cap = 0;
	snprintf(path, sizeof(path), "/proc/%d/maps", pid);
	FILE *f = fopen(path, "re");
	bool found = false;
	while (f && !found && getline(&line, &cap, f) > 0) {
		unsigned long long at = 0;
		if (strstr(line, "/memfd:heaptide") && sscanf(line, "%*s %*s %*s %*s %llu", &at) == 1)
			found = at == ino;
	}
	free(line);
	if (f)
		fclose(f);
	return found;
}

struct nested {
	uint32_t own_pid;
	uint64_t ino;
	pid_t found;
};

static bool is_nested(void *ctx, pid_t pid)
{
	struct nested *n = ctx;
	char path[64], buf[4096];
	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	if (!slurp(path, buf, sizeof(buf)) || innermost(buf) != n->own_pid || !ht_proc_maps_memfd(pid, n->ino))
		return false;
	n->found = pid;
	return true;
}

pid_t ht_proc_find_nested(uint32_t own_pid, uint64_t ino)
{
	struct nested n = {.own_pid = own_pid, .ino = ino};
	each_process(is_nested, &n);
	return n.found;
}

static bool is_mapping(void *ctx, pid_t pid)
{
	struct nested *n = ctx;
	if (pid == getpid() || !ht_proc_maps_memfd(pid, n->ino))
		return false;
	n->found = pid;
	return true;
}

pid_t ht_proc_find_mapping(uint64_t ino)
{
	struct nested n = {.ino = ino};
	each_process(is_mapping, &n);
	return n.found;
}

#define ENVIRONMENT_MAX (256u << 10)
struct environments {
	const char *text;
	bool (*visit)(void *ctx, pid_t pid);
	void *ctx;
	char *buf;
};

static bool has_text(void *ctx, pid_t pid)
{
	struct environments *e = ctx;
	char path[64];
	snprintf(path, sizeof(path), "/proc/%d/environ", pid);
	size_t n = slurp(path, e->buf, ENVIRONMENT_MAX);
	return n && memmem(e->buf, n, e->text, strlen(e->text)) && e->visit(e->ctx, pid);
}

void ht_proc_find_environment(const char *text, bool (*visit)(void *ctx, pid_t pid), void *ctx)
{
	struct environments e = {text, visit, ctx, ht_xmalloc(ENVIRONMENT_MAX)};
	each_process(has_text, &e);
	free(e.buf);
}
