/*
 * fault_storm: touches large blocks page by page, and knows by the kernel's count which function met how many page
 * faults.
 *
 *	fault_storm TRUTH.json [BLOCKS]
 *
 * Each block is over malloc's threshold, so it is mapped afresh, and each first touch of a page is a fault. What else
 * faults in the measured functions (a stack, a block's header) is within the count, as it is in whatever a recorder
 * counts there.
 */
#include "time_truth.h"

#include <malloc.h>
#include <sys/resource.h>

#define KEEP __attribute__((noinline, noclone))

static unsigned long faults(void)
{
	struct rusage u;
	getrusage(RUSAGE_THREAD, &u);
	return (unsigned long)u.ru_minflt;
}

KEEP static void touch_all(volatile char *p, size_t size)
{
	for (size_t i = 0; i < size; i += 4096)
		p[i] = 1;
}

KEEP static void touch_every_other(volatile char *p, size_t size)
{
	for (size_t i = 0; i < size; i += 8192)
		p[i] = 2;
}

KEEP static void touch_again(volatile char *p, size_t size)
{
	for (size_t i = 0; i < size; i += 4096)
		p[i] = 3;
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		void (*touch)(volatile char *, size_t);
	} sites[] = {{"touch_all", touch_all}, {"touch_every_other", touch_every_other}};
	unsigned long counts[2] = {0, 0}, again = 0, before;
	long blocks = argc > 2 ? atol(argv[2]) : 40;
	if (argc < 2)
		return 2;
	truth_begin("faults");
	mallopt(M_MMAP_THRESHOLD, 256 << 10);
	for (long i = 0; i < blocks; i++) {
		size_t size = (size_t)(1 + i % 4) << 20;
		volatile char *p = malloc(size);
		if (!p)
			return 1;
		before = faults();
		sites[i & 1].touch(p, size);
		counts[i & 1] += faults() - before;
		if (!(i & 1)) {
			before = faults();
			touch_again(p, size);
			again += faults() - before;
		}
		free((void *)p);
	}
	for (int k = 0; k < 2; k++)
		truth_faulted(sites[k].name, counts[k]);
	truth_faulted("touch_again", again);
	return truth_write(argv[1]);
}
