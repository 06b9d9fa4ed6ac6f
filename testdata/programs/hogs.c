/*
 * hogs: threads that want a processor, and say themselves what they got of it: each reads its own schedstat at its
 * end, just after it has slept, so that the kernel has counted all of it.
 *
 *	hogs [-t THREADS] [-m MS]   so many threads compute for so long each, on whatever processors there are
 *	hogs -s COUNT               so many threads, one after the other, each of which does nearly nothing
 *	hogs -f                     a child computes, then becomes another hog; so does a grandchild of it
 *	hogs -p ROUNDS              two threads wake each other in turn, by a pipe each; ns per round
 *	hogs -c COUNT [-m MS]       so many threads by clone(2), of which no library knows
 *	hogs -a PAGES [-r]          touches so many fresh pages; -r: once it has said "ready" and was sent a line
 *
 * It prints {"threads":[{"tid","name","running_ns","runnable_ns","slices","at_ns"}],...}, at_ns by CLOCK_MONOTONIC.
 */
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

struct hog {
	pthread_t thread;
	char name[16];
	pid_t tid;
	unsigned long long running, runnable, slices, at;
};

static unsigned ms = 300;

static uint64_t now(clockid_t clock)
{
	struct timespec t;
	clock_gettime(clock, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void look(struct hog *h)
{
	char text[128];
	h->tid = (pid_t)syscall(SYS_gettid);
	usleep(1000); /* a running thread's time is counted at ticks only */
	snprintf(text, sizeof(text), "/proc/self/task/%d/schedstat", (int)h->tid);
	now(CLOCK_THREAD_CPUTIME_ID); /* which counts what it ran since it came back */
	h->at = now(CLOCK_MONOTONIC);
	int fd = open(text, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? 0 : read(fd, text, sizeof(text) - 1);
	close(fd);
	text[n > 0 ? n : 0] = '\0';
	if (sscanf(text, "%llu %llu %llu", &h->running, &h->runnable, &h->slices) != 3)
		exit(9);
}

static volatile uint64_t sink;

static void compute(uint64_t ns)
{
	uint64_t end = now(CLOCK_THREAD_CPUTIME_ID) + ns;
	while (now(CLOCK_THREAD_CPUTIME_ID) < end)
		for (unsigned i = 0; i < 10000; i++)
			sink += i;
}

static void *hog(void *p)
{
	struct hog *h = p;
	pthread_setname_np(pthread_self(), h->name);
	void *block = malloc(100);
	compute(ms * 1000000ull);
	free(block);
	look(h);
	return NULL;
}

static void print(const struct hog *h, unsigned count)
{
	printf("{\"pid\":%d,\"threads\":[", (int)getpid());
	for (unsigned i = 0; i < count; i++)
		printf("%s{\"tid\":%d,\"name\":\"%s\",\"running_ns\":%llu,\"runnable_ns\":%llu,\"slices\":%llu,"
		       "\"at_ns\":%llu}", i ? "," : "", (int)h[i].tid, h[i].name, h[i].running, h[i].runnable,
		       h[i].slices, h[i].at);
}

static void run_threads(unsigned count)
{
	struct hog *h = calloc(count, sizeof(*h));
	for (unsigned i = 0; i < count; i++) {
		snprintf(h[i].name, sizeof(h[i].name), "hog-%u", i);
		pthread_create(&h[i].thread, NULL, hog, &h[i]);
	}
	for (unsigned i = 0; i < count; i++)
		pthread_join(h[i].thread, NULL);
	print(h, count);
	printf("]}\n");
	free(h);
}

static void *short_lived(void *p)
{
	struct hog *h = p;
	free(malloc(64));
	look(h);
	return NULL;
}

static void run_short(unsigned count)
{
	struct hog *h = calloc(count, sizeof(*h));
	for (unsigned i = 0; i < count; i++) {
		pthread_create(&h[i].thread, NULL, short_lived, &h[i]);
		pthread_join(h[i].thread, NULL);
	}
	print(h, count);
	printf("]}\n");
	free(h);
}

/* --- threads that nobody knows ------------------------------------------------------------ */

static struct hog raw[16];
static int raw_alive[16];

/* Runs on a bare stack without thread-local storage of its own: nothing here may touch errno in earnest. */
static int raw_hog(void *p)
{
	struct hog *h = p;
	uint64_t end = now(CLOCK_MONOTONIC) + ms * 1000000ull;
	h->tid = (pid_t)syscall(SYS_gettid);
	while (now(CLOCK_MONOTONIC) < end)
		for (unsigned i = 0; i < 10000; i++)
			sink += i;
	return 0;
}

static void run_raw(unsigned count)
{
	int flags = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM | CLONE_CHILD_CLEARTID;
	for (unsigned i = 0; i < count && i < 16; i++) {
		char *stack = mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		raw_alive[i] = 1;
		if (clone(raw_hog, stack + 65536, flags, &raw[i], NULL, NULL, &raw_alive[i]) < 0)
			exit(8);
	}
	for (unsigned i = 0; i < count && i < 16; i++)
		while (__atomic_load_n(&raw_alive[i], __ATOMIC_ACQUIRE))
			usleep(1000);
	print(raw, count < 16 ? count : 16);
	printf("]}\n");
}

/* --- processes ---------------------------------------------------------------------------- */

static void run_alone(void)
{
	struct hog h = {.name = "hogs"};
	free(malloc(64));
	compute(ms * 1000000ull);
	look(&h);
	print(&h, 1);
	printf("]}\n");
	fflush(stdout);
}

static void run_family(char *self)
{
	pid_t child = fork();
	if (child == 0) {
		run_alone(); /* the same number will be two images: the kernel goes on counting */
		execl(self, self, "-x", (char *)NULL);
		_exit(127);
	}
	waitpid(child, NULL, 0);
	run_alone();
}

/* --- waking each other -------------------------------------------------------------------- */

static int there[2], back[2];
static unsigned rounds;

static void *answer(void *p)
{
	char byte;
	for (unsigned i = 0; i < rounds; i++)
		if (read(there[0], &byte, 1) != 1 || write(back[1], &byte, 1) != 1)
			exit(7);
	return p;
}

static void run_pipes(void)
{
	pthread_t t;
	char byte = 'x';
	if (pipe2(there, O_CLOEXEC) || pipe2(back, O_CLOEXEC))
		exit(7);
	pthread_create(&t, NULL, answer, NULL);
	uint64_t begin = now(CLOCK_MONOTONIC), cpu = now(CLOCK_PROCESS_CPUTIME_ID);
	for (unsigned i = 0; i < rounds; i++)
		if (write(there[1], &byte, 1) != 1 || read(back[0], &byte, 1) != 1)
			exit(7);
	uint64_t end = now(CLOCK_MONOTONIC), cpu_end = now(CLOCK_PROCESS_CPUTIME_ID);
	pthread_join(t, NULL);
	printf("{\"rounds\":%u,\"ns_per_round\":%.1f,\"cpu_ns_per_round\":%.1f}\n", rounds,
	       (double)(end - begin) / rounds, (double)(cpu_end - cpu) / rounds);
}

static void touch(size_t pages, int asks)
{
	char line[8];
	free(malloc(64));
	if (asks && (puts("ready") < 0 || fflush(stdout) || read(STDIN_FILENO, line, sizeof(line)) < 1))
		exit(6);
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	volatile char *at = mmap(NULL, pages * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	madvise((void *)(uintptr_t)at, pages * page, MADV_NOHUGEPAGE);
	uint64_t begin = now(CLOCK_MONOTONIC);
	for (size_t i = 0; i < pages; i++)
		at[i * page] = 1;
	printf("{\"address\":\"%#zx\",\"bytes\":%zu,\"ns\":%llu}\n", (size_t)at, pages * page,
	       (unsigned long long)(now(CLOCK_MONOTONIC) - begin));
}

int main(int argc, char **argv)
{
	unsigned threads = 4, one_by_one = 0, unknown = 0;
	size_t pages = 0;
	int c, asks = 0;
	while ((c = getopt(argc, argv, "t:m:s:fp:xc:a:r")) > 0)
		switch (c) {
		case 't':
			threads = (unsigned)atoi(optarg);
			break;
		case 'm':
			ms = (unsigned)atoi(optarg);
			break;
		case 's':
			one_by_one = (unsigned)atoi(optarg);
			break;
		case 'c':
			unknown = (unsigned)atoi(optarg);
			break;
		case 'a':
			pages = (size_t)atol(optarg);
			break;
		case 'r':
			asks = 1;
			break;
		case 'f':
			run_family(argv[0]);
			return 0;
		case 'x':
			run_alone();
			return 0;
		case 'p':
			rounds = (unsigned)atoi(optarg);
			run_pipes();
			return 0;
		default:
			return 2;
		}
	if (pages)
		touch(pages, asks);
	else if (unknown)
		run_raw(unknown);
	else if (one_by_one)
		run_short(one_by_one);
	else
		run_threads(threads);
	return 0;
}
