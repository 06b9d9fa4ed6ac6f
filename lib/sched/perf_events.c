/* perf_events: see perf_events.h. */
#include "perf_events.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "rt.h"

#define BUFFERS_MAX (8u << 20) /* all of them: the usual RLIMIT_MEMLOCK, beside what perf_event_mlock_kb lets a user have */
#define BUFFER_MAX (1u << 20)  /* 40,000 switches in and out: a collector may be starved of its processor for 100 ms */
#define BUFFER_MIN (16u << 10)
#define CPU_NUMBER_MAX 1024u

enum { SWITCHES, FAULTS, KINDS };

struct buffer {
	struct ht_perf_buffer b;
	int fd; /* the event that holds it */
	unsigned cpu;
	int kind;
	size_t mapped;
};
struct ht_perf {
	struct ht_perf_wishes wishes;
	struct buffer buffers[HT_PERF_CPUS_MAX * KINDS];
	unsigned count;
	int *followers; /* one for each buffer and process */
	size_t follower_count;
};

/* --- the events --------------------------------------------------------------------------- */

static struct perf_event_attr plain(void)
{
	struct perf_event_attr a = {
		.type = PERF_TYPE_SOFTWARE,
		.size = sizeof(a),
		.config = PERF_COUNT_SW_DUMMY,
		.sample_type = HT_PERF_SAMPLE_ID,
		.sample_id_all = 1,
		.exclude_kernel = 1, /* at paranoid 2 nothing else is allowed */
		.exclude_hv = 1,
		.use_clockid = 1,
		.clockid = CLOCK_MONOTONIC,
	};
	return a;
}

/* A descriptor, or -1 and errno. */
static int open_event(struct perf_event_attr *a, pid_t pid, unsigned cpu)
{
	return (int)syscall(SYS_perf_event_open, a, pid, cpu, -1, PERF_FLAG_FD_CLOEXEC);
}

static int open_holder(unsigned cpu, uint32_t wake_at)
{
	struct perf_event_attr a = plain();
	a.disabled = 1;
	a.watermark = 1;
	a.wakeup_watermark = wake_at;
	return open_event(&a, 0, cpu);
}

static int open_follower(const struct ht_perf_wishes *wishes, int kind, pid_t pid, unsigned cpu)
{
	struct perf_event_attr a = plain();
	a.inherit = 1;
	if (kind == FAULTS) {
		a.config = PERF_COUNT_SW_PAGE_FAULTS;
		a.sample_type = HT_PERF_SAMPLE_FAULT;
		a.sample_period = 1;
	} else {
		a.context_switch = wishes->switches;
		a.task = 1; /* FORK and EXIT */
		a.comm = 1; /* for the sake of exec */
		a.comm_exec = 1;
	}
	a.read_format = PERF_FORMAT_LOST;
	int fd = open_event(&a, pid, cpu);
	if (fd < 0 && errno == EINVAL) { /* before 6.0 */
		a.read_format = 0;
		fd = open_event(&a, pid, cpu);
	}
	return fd;
}

/* --- buffers ------------------------------------------------------------------------------ */

enum { MAPPED = 0, TOO_MUCH = 1, REFUSED = -1 }; /* the latter two with errno */

static int map_buffer(struct buffer *b, size_t size)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	b->fd = open_holder(b->cpu, (uint32_t)(size / 4));
	if (b->fd < 0)
		return REFUSED;
	void *at = mmap(NULL, page + size, PROT_READ | PROT_WRITE, MAP_SHARED, b->fd, 0);
	if (at == MAP_FAILED) {
		int e = errno;
		close(b->fd);
		errno = e;
		return e == EPERM || e == ENOMEM ? TOO_MUCH : REFUSED;
	}
	b->mapped = page + size;
	ht_perf_buffer_init(&b->b, at, (uint8_t *)at + page, size, b->cpu);
	return MAPPED;
}

static void unmap_buffer(struct buffer *b)
{
	munmap(b->b.page, b->mapped);
	close(b->fd);
}

static void drop_buffers(struct ht_perf *p)
{
	int e = errno;
	while (p->count)
		unmap_buffer(&p->buffers[--p->count]);
	errno = e;
}

/* One for every processor and kind, all of them of this size, or none. */
static int add_buffers(struct ht_perf *p, const unsigned *cpus, unsigned count, size_t size)
{
	for (unsigned i = 0; i < count * (p->wishes.faults ? KINDS : 1); i++) {
		struct buffer b = {.cpu = cpus[i % count], .kind = i < count ? SWITCHES : FAULTS};
		int r = map_buffer(&b, size);
		if (r == REFUSED && errno == ENODEV) /* a processor that went away just now */
			continue;
		if (r != MAPPED) {
			drop_buffers(p);
			return r;
		}
		p->buffers[p->count++] = b;
	}
	return p->count ? MAPPED : REFUSED;
}

/* As large as the limits on locked memory allow: no processor shall go short because another one came first. */
static int add_largest(struct ht_perf *p, const unsigned *cpus, unsigned count)
{
	size_t size = BUFFER_MAX;
	int r;
	while (size * count * (p->wishes.faults ? KINDS : 1) > BUFFERS_MAX)
		size /= 2;
	while ((r = add_buffers(p, cpus, count, size)) == TOO_MUCH && size > BUFFER_MIN)
		size /= 2;
	return r;
}

/* --- the whole ---------------------------------------------------------------------------- */

/* The numbers in a list such as "0-3,6"; how many there are, of which at most `most` are stored. */
static unsigned online_processors(unsigned *cpus, unsigned most)
{
	char text[4096] = "0";
	int fd = open("/sys/devices/system/cpu/online", O_RDONLY | O_CLOEXEC);
	if (fd >= 0) {
		int64_t n = ht_pread_all(fd, text, sizeof(text) - 1, 0);
		close(fd);
		text[n > 0 ? n : 0] = '\0';
	}
	unsigned count = 0;
	for (const char *p = text; *p >= '0' && *p <= '9';) {
		char *end;
		unsigned long first = strtoul(p, &end, 10), last = first;
		if (*end == '-')
			last = strtoul(end + 1, &end, 10);
		for (unsigned long i = first; i <= last && i < CPU_NUMBER_MAX; i++, count++)
			if (count < most)
				cpus[count] = (unsigned)i;
		p = end + (*end == ',');
	}
	return count;
}

const char *ht_perf_reason(int e)
{
	switch (e) {
	case EACCES:
	case EPERM:
		return "permission denied";
	case ENOSYS:
	case ENOENT:
	case EOPNOTSUPP:
		return "not in this kernel";
	default:
		return strerror(e);
	}
}

static void say_why(char why[80], int e)
{
	snprintf(why, 80, "%s", ht_perf_reason(e));
}

struct ht_perf *ht_perf_new(const struct ht_perf_wishes *wishes, char why[80])
{
	unsigned cpus[HT_PERF_CPUS_MAX];
	unsigned most = wishes->cpus_max < HT_PERF_CPUS_MAX ? wishes->cpus_max : HT_PERF_CPUS_MAX;
	unsigned count = online_processors(cpus, HT_PERF_CPUS_MAX);
	why[0] = '\0';
	if (count > most) {
		snprintf(why, 80, "%u processors, more than %u", count, most);
		return NULL;
	}
	struct ht_perf *p = ht_xcalloc(1, sizeof(*p));
	p->wishes = *wishes;
	int r = add_largest(p, cpus, count);
	if (r)
		say_why(why, errno);
	if (r && p->wishes.faults) {
		p->wishes.faults = false;
		r = add_largest(p, cpus, count);
	}
	if (r) {
		ht_perf_free(p);
		return NULL;
	}
	return p;
}

void ht_perf_free(struct ht_perf *p)
{
	if (!p)
		return;
	for (size_t i = 0; i < p->follower_count; i++)
		close(p->followers[i]);
	drop_buffers(p);
	free(p->followers);
	free(p);
}

bool ht_perf_has_faults(const struct ht_perf *p)
{
	return p->wishes.faults;
}

static int follow_on(struct ht_perf *p, const struct buffer *b, pid_t pid)
{
	int fd = open_follower(&p->wishes, b->kind, pid, b->cpu);
	if (fd < 0)
		return errno;
	if (ioctl(fd, PERF_EVENT_IOC_SET_OUTPUT, b->fd)) {
		int e = errno;
		close(fd);
		return e;
	}
	p->followers[p->follower_count++] = fd;
	return 0;
}

int ht_perf_follow(struct ht_perf *p, pid_t pid)
{
	size_t before = p->follower_count;
	p->followers = ht_xrealloc(p->followers, before + p->count, sizeof(*p->followers));
	int e = 0;
	for (unsigned i = 0; !e && i < p->count; i++) {
		e = follow_on(p, &p->buffers[i], pid);
		if (e == ENODEV)
			e = 0;
	}
	while (e && p->follower_count > before)
		close(p->followers[--p->follower_count]);
	return e;
}

unsigned ht_perf_buffers(const struct ht_perf *p)
{
	return p->count;
}

int ht_perf_descriptor(const struct ht_perf *p, unsigned buffer)
{
	return p->buffers[buffer].fd;
}

bool ht_perf_pending(const struct ht_perf *p)
{
	for (unsigned i = 0; i < p->count; i++)
		if (HT_LOAD_RELAXED(&p->buffers[i].b.page->data_head) != p->buffers[i].b.head)
			return true;
	return false;
}

void ht_perf_look(struct ht_perf *p)
{
	for (unsigned i = 0; i < p->count; i++)
		ht_perf_buffer_look(&p->buffers[i].b);
}

bool ht_perf_next(struct ht_perf *p, uint64_t before, struct ht_perf_record *r)
{
	struct ht_perf_buffer *first = NULL;
	for (unsigned i = 0; i < p->count; i++) {
		const struct ht_perf_record *next = ht_perf_buffer_peek(&p->buffers[i].b);
		if (next && next->time < before && (!first || next->time < first->next.time))
			first = &p->buffers[i].b;
	}
	if (!first)
		return false;
	*r = first->next;
	ht_perf_buffer_take(first);
	return true;
}

void ht_perf_done(struct ht_perf *p)
{
	for (unsigned i = 0; i < p->count; i++)
		ht_perf_buffer_publish(&p->buffers[i].b);
}

uint64_t ht_perf_lost(const struct ht_perf *p)
{
	uint64_t lost = 0, words[2]; /* value, lost */
	for (size_t i = 0; i < p->follower_count; i++)
		if (read(p->followers[i], words, sizeof(words)) == (ssize_t)sizeof(words))
			lost += words[1];
	return lost;
}

bool ht_perf_allowed(char why[80])
{
	struct ht_perf_wishes wishes = {.switches = true, .cpus_max = HT_PERF_CPUS_MAX};
	struct ht_perf *p = ht_perf_new(&wishes, why);
	int e = p ? ht_perf_follow(p, getpid()) : 0;
	if (e)
		say_why(why, e);
	bool allowed = p && !e;
	ht_perf_free(p);
	return allowed;
}
