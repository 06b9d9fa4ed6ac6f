/* fuzz_trace_memory: traces that stand in memory alone; see fuzz_trace_walk.h. */
#include "fuzz_trace_walk.h"

#include <stdlib.h>
#include <sys/mman.h>

int fuzz_trace_memory(void)
{
	int fd = memfd_create("trace", MFD_CLOEXEC);
	if (fd < 0)
		abort();
	return fd;
}

int fuzz_trace_open(struct ht_trace **t, const uint8_t *data, size_t size, struct ht_diag *d)
{
	int fd = fuzz_trace_memory();
	if (ht_write_all(fd, data, size))
		abort();
	return ht_trace_open_fd(t, fd, "fuzz.tide", d);
}
