/* tickclock: see tickclock.h. A reading is the tightest of a few (ticks, ns, ticks) sandwiches. */
#include "tickclock.h"

#include <fcntl.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "rt.h"

uint64_t ht_monotonic_ns(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

bool ht_tickclock_trusted(void)
{
	char name[32] = "";
	int fd = open("/sys/devices/system/clocksource/clocksource0/current_clocksource", O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	ssize_t n = read(fd, name, sizeof(name) - 1);
	close(fd);
	if (n <= 0)
		return false;
	name[strcspn(name, "\n")] = '\0';
	return !strcmp(name, "tsc") || !strcmp(name, "arch_sys_counter");
}

static void take(uint64_t *ticks, uint64_t *ns)
{
	uint64_t best = UINT64_MAX;
	for (int i = 0; i < 5; i++) {
		uint64_t a = ht_clock_ticks(), t = ht_monotonic_ns(), b = ht_clock_ticks();
		if (b - a < best) {
			best = b - a;
			*ticks = a + best / 2;
			*ns = t;
		}
	}
}

void ht_tickclock_init(struct ht_tickclock *c, bool tsc)
{
	*c = (struct ht_tickclock){.tsc = tsc};
	if (tsc) {
		take(&c->start_ticks, &c->start_mono);
	} else {
		c->start_mono = c->start_ticks = ht_monotonic_ns();
		c->mult = 1ull << 32;
	}
	c->base_ticks = c->start_ticks;
}

void ht_tickclock_refine(struct ht_tickclock *c)
{
	if (!c->tsc)
		return;
	uint64_t ticks, mono;
	take(&ticks, &mono);
	while (!c->mult && mono - c->start_mono < 1000000) /* 1 ms gives 50 ppm, enough to begin */
		take(&ticks, &mono);
	if (ticks <= c->start_ticks || mono <= c->start_mono)
		return;
	double rate = (double)(mono - c->start_mono) / (double)(ticks - c->start_ticks);
	int64_t truth = (int64_t)(mono - c->start_mono);
	int64_t said = c->mult ? (int64_t)ht_tickclock_ns(c, ticks) : truth;
	double ahead = (double)(truth - said) / 1e9; /* to be made up within a second */
	if (ahead > 0.001)
		ahead = 0.001;
	if (ahead < -0.001)
		ahead = -0.001;
	c->base_ticks = ticks;
	c->base_ns = said;
	c->mult = (uint64_t)(rate * (1 + ahead) * 4294967296.0 + 0.5);
}

uint64_t ht_tickclock_now(const struct ht_tickclock *c)
{
	return c->tsc ? ht_clock_ticks() : ht_monotonic_ns();
}
