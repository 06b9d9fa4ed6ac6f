/* progress: see progress.h. */
#include "progress.h"

#include <stdbool.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

enum { WAIT_MS = 1000, EVERY_MS = 100 };
static bool shown;

static uint64_t now_ms(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

void ht_progress(void *ctx, const char *phase, uint64_t done, uint64_t total)
{
	static uint64_t first, last;
	uint64_t now = now_ms();
	(void)ctx;
	if (!first)
		first = now;
	if (now - first < WAIT_MS || now - last < EVERY_MS || !total || !isatty(STDERR_FILENO))
		return;
	last = now;
	shown = true;
	fprintf(stderr, "\rheaptide: reading %s: %3.0f %%\033[K", phase,
		(double)done / (double)total * 100);
}

void ht_progress_end(void)
{
	if (shown)
		fprintf(stderr, "\r\033[K");
	shown = false;
}
