/* fault_places: which block, mapping or module a page fault was for, against a plain search through all blocks. */
#include <stdlib.h>
#include <string.h>

#include "analyze_fixture.h"
#include "fault_places.h"

static struct ht_fault faults[4096];
static size_t fault_count;

static void fault(uint32_t thread, uint64_t at, uint64_t address)
{
	faults[fault_count++] = (struct ht_fault){thread, 0, at, address};
}

static struct ht_fault_places find(struct fixture *f)
{
	const struct ht_latency l = {.trace = f->trace, .to_ns = UINT64_MAX, .faults = faults, .fault_count = fault_count};
	struct ht_fault_places p;
	ht_fault_places_find(&p, &l, NULL, NULL);
	return p;
}

static void is(const struct ht_fault_places *p, size_t i, unsigned where, uint32_t what)
{
	assert_int_equal(p->items[i].where, where);
	if (where == HT_FAULT_BLOCK || where == HT_FAULT_MAPPING || where == HT_FAULT_MODULE)
		assert_int_equal(p->items[i].what, what);
}

static void mapping(struct fixture *f, uint32_t thread, unsigned op, uint64_t at, uint64_t address, uint64_t size,
		    uint32_t stack)
{
	struct ht_event e = {
		.op = (uint8_t)op, .thread = thread, .stack = stack, .time = at, .stamped = true, .address = address, .size = size};
	f->now = at + 1000;
	ht_trace_writer_event(f->writer, &e);
}

static void places(void **state)
{
	struct fixture f;
	(void)state;
	fault_count = 0;
	fixture_begin(&f);
	uint32_t image = fixture_image(&f, 7, 0, 0);
	uint32_t a = fixture_thread(&f, image, 7, "a"), b = fixture_thread(&f, image, 8, "b");
	uint32_t m = fixture_module(&f, "/bin/faults", "");
	uint32_t x = fixture_node(&f, 0, m + 1, 0x100), y = fixture_node(&f, 0, m + 1, 0x200);
	uint32_t z = fixture_node(&f, 0, m + 1, 0x300);
	f.now = 100000;
	uint64_t first = fixture_birth_at(&f, a, x, 0x3000, 0x10010, false); /* 100 us */
	fault(a, 99500, 0x10018);   /* 0: in the call that made it */
	fault(a, 99600, 0x13018);   /* 1: the head of what is left behind it, in that call */
	fault(b, 99500, 0x10018);   /* 2: another thread, before */
	fault(b, 120000, 0x12000);  /* 3: in it */
	fault(b, 120000, 0x13010);  /* 4: just behind it */
	f.now = 200000;
	fixture_death(&f, a, 0, first);
	fault(a, 190000, 0x12000);  /* 5: still live */
	fault(a, 250000, 0x12000);  /* 6: dead */
	f.now = 300000;
	fixture_birth_at(&f, b, y, 0x100, 0x11ff0, false); /* 300 us: over the same address */
	fault(a, 320000, 0x12000);  /* 7: the new one */
	mapping(&f, a, HT_OP_MMAP, 400000, 0x20000, 0x4000, z);
	fault(a, 450000, 0x21000);  /* 8: the mapping */
	mapping(&f, a, HT_OP_MUNMAP, 500000, 0x20000, 0x2000, 0);
	fault(a, 550000, 0x21000);  /* 9: no more */
	fault(a, 550000, 0x23000);  /* 10: the rest is */
	fault(a, 600000, 0x555555001000); /* 11: the module's */
	fault(a, 600000, 0x7ffeffff1000); /* 12: the stack */
	f.now = 700000;
	/* A block that moved: its old place is dead, unless the call failed. */
	fixture_event(&f, HT_OP_REALLOC_FREE, b, 0, 1);
	fixture_event(&f, HT_OP_REALLOC_UNDO, b, 0, 0);
	fault(a, 800000, 0x12000);  /* 13: live again */
	fixture_image_end(&f, image, a);
	fixture_open(&f);
	struct ht_fault_places p = find(&f);
	assert_false(p.no_addresses);
	is(&p, 0, HT_FAULT_BLOCK, x);
	is(&p, 1, HT_FAULT_BLOCK, x);
	is(&p, 2, HT_FAULT_UNKNOWN, 0);
	is(&p, 3, HT_FAULT_BLOCK, x);
	is(&p, 4, HT_FAULT_UNKNOWN, 0);
	is(&p, 5, HT_FAULT_BLOCK, x);
	is(&p, 6, HT_FAULT_UNKNOWN, 0);
	is(&p, 7, HT_FAULT_BLOCK, y);
	is(&p, 8, HT_FAULT_MAPPING, z);
	is(&p, 9, HT_FAULT_UNKNOWN, 0);
	is(&p, 10, HT_FAULT_MAPPING, z);
	is(&p, 11, HT_FAULT_MODULE, m);
	is(&p, 12, HT_FAULT_STACK, 0);
	is(&p, 13, HT_FAULT_BLOCK, y);
	ht_fault_places_release(&p);
	fixture_end(&f);
}

/* A child writes to what it inherited: the blocks of its parent at the fork, less what it freed itself. */
static void forks(void **state)
{
	struct fixture f;
	(void)state;
	fault_count = 0;
	fixture_begin(&f);
	uint32_t parent = fixture_image(&f, 7, 0, 0), a = fixture_thread(&f, parent, 7, "a");
	uint32_t m = fixture_module(&f, "/bin/faults", "") + 1;
	uint32_t x = fixture_node(&f, 0, m, 0x100), y = fixture_node(&f, 0, m, 0x200);
	f.now = 100000;
	uint64_t one = fixture_birth_at(&f, a, x, 0x1000, 0x10000, false);
	fixture_birth_at(&f, a, x, 0x1000, 0x20000, false);
	f.now = 200000;
	fixture_event(&f, HT_OP_FORK, a, 0, 1);
	uint32_t child = fixture_image(&f, 9, parent + 1, 1), c = fixture_thread(&f, child, 9, "c");
	f.now = 300000;
	fixture_death(&f, a, 0, one); /* the parent's own */
	f.now = 310000;
	fixture_birth_at(&f, a, y, 0x1000, 0x10000, false);
	f.now = 400000;
	fixture_event(&f, HT_OP_FREE_UNKNOWN, c, 0, 0x20000);
	fault(a, 250000, 0x10800); /* 0 */
	fault(a, 350000, 0x10800); /* 1: the parent has another block there */
	fault(c, 350000, 0x10800); /* 2: the child still the old one */
	fault(c, 390000, 0x20800); /* 3 */
	fault(c, 450000, 0x20800); /* 4: freed */
	fault(a, 450000, 0x20800); /* 5: not by the parent */
	f.now = 500000;
	fixture_image_end(&f, child, c);
	fixture_image_end(&f, parent, a);
	fixture_open(&f);
	struct ht_fault_places p = find(&f);
	is(&p, 0, HT_FAULT_BLOCK, x);
	is(&p, 1, HT_FAULT_BLOCK, y);
	is(&p, 2, HT_FAULT_BLOCK, x);
	is(&p, 3, HT_FAULT_BLOCK, x);
	is(&p, 4, HT_FAULT_UNKNOWN, 0);
	is(&p, 5, HT_FAULT_BLOCK, x);
	ht_fault_places_release(&p);
	fixture_end(&f);
}

struct known {
	uint64_t address, size, born, died;
	uint32_t stack, thread;
};

/* Random births and deaths on a small heap, stamped each; random faults; every one as a plain search says. */
static void as_plain_search(void **state)
{
	enum { BLOCKS = 3000, SLOTS = 40, SLOT = 0x4000, STACKS = 16 };
	static struct known known[BLOCKS];
	struct fixture f;
	uint32_t stacks[STACKS];
	int32_t live[SLOTS];
	unsigned random = 12345;
	size_t count = 0;
	(void)state;
	fault_count = 0;
	memset(live, -1, sizeof(live));
	fixture_begin(&f);
	uint32_t image = fixture_image(&f, 7, 0, 0), threads[2];
	threads[0] = fixture_thread(&f, image, 7, "a");
	threads[1] = fixture_thread(&f, image, 8, "b");
	uint32_t m = fixture_module(&f, "/bin/faults", "") + 1;
	for (unsigned i = 0; i < STACKS; i++)
		stacks[i] = fixture_node(&f, 0, m, 0x100 + 16 * i);
	while (count < BLOCKS) {
		random = random * 1664525 + 1013904223;
		unsigned slot = (random >> 8) % SLOTS;
		uint32_t thread = threads[random >> 30 & 1];
		if (live[slot] >= 0) {
			known[live[slot]].died = f.now;
			fixture_death(&f, thread, 0, (uint64_t)live[slot]);
			live[slot] = -1;
			continue;
		}
		known[count] = (struct known){0x100000 + slot * SLOT + (random >> 16 & 0xff0), 1 + (random >> 4) % 0x3000, f.now,
					      UINT64_MAX, stacks[random >> 20 & 15], thread};
		live[slot] = (int32_t)count;
		fixture_birth_at(&f, thread, known[count].stack, known[count].size, known[count].address, false);
		count++;
		if (count % 64 == 0)
			fixture_cut(&f);
	}
	for (size_t i = 0; i < 3000; i++) {
		random = random * 1664525 + 1013904223;
		uint64_t address = 0x100000 + (random >> 3) % (SLOTS * SLOT);
		random = random * 1664525 + 1013904223;
		/* Half a step after an event, by a thread that never allocates: in nobody's call. */
		fault(2, 1000 + (random >> 3) % (f.now / 1000) * 1000 + 500, i & 1 ? address & ~UINT64_C(4095) : address);
	}
	fixture_thread(&f, image, 9, "toucher");
	fixture_image_end(&f, image, threads[0]);
	fixture_open(&f);
	struct ht_fault_places p = find(&f);
	size_t blocks = 0;
	for (size_t i = 0; i < fault_count; i++) {
		const struct known *k = NULL;
		for (size_t n = 0; n < count; n++)
			if (faults[i].address - known[n].address < known[n].size && faults[i].time_ns >= known[n].born &&
			    faults[i].time_ns <= known[n].died)
				k = &known[n];
		is(&p, i, k ? HT_FAULT_BLOCK : HT_FAULT_UNKNOWN, k ? k->stack : 0);
		blocks += k != NULL;
	}
	assert_true(blocks > 300);
	ht_fault_places_release(&p);
	fixture_end(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(places), cmocka_unit_test(forks), cmocka_unit_test(as_plain_search)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
