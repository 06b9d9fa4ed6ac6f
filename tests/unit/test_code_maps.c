/*
 * test_code_maps: modules from /proc/PID/maps and their files' headers: our own, named like the loader's; and files
 * that are cut, or say what cannot be.
 */
#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "code_maps.h"
#include "collect_fixture.h"

struct own {
	uint64_t bias;
	uint8_t id[HT_BUILD_ID_MAX];
	size_t id_len;
};

/* What the loader knows of the program: it is the first one that it names. */
static int look_at_program(struct dl_phdr_info *d, size_t n, void *ctx)
{
	struct own *o = ctx;
	(void)n;
	o->bias = d->dlpi_addr;
	for (unsigned i = 0; i < d->dlpi_phnum; i++) {
		const uint8_t *p = (const uint8_t *)(d->dlpi_addr + d->dlpi_phdr[i].p_vaddr), *end = p + d->dlpi_phdr[i].p_memsz;
		while (d->dlpi_phdr[i].p_type == PT_NOTE && end - p >= (ptrdiff_t)sizeof(ElfW(Nhdr))) {
			const ElfW(Nhdr) *h = (const void *)p;
			const uint8_t *desc = p + sizeof(*h) + ((h->n_namesz + 3) & ~3u);
			if (h->n_type == NT_GNU_BUILD_ID && h->n_descsz <= sizeof(o->id)) {
				o->id_len = h->n_descsz;
				memcpy(o->id, desc, h->n_descsz);
			}
			p = desc + ((h->n_descsz + 3) & ~3u);
		}
	}
	return 1;
}

static void test_own_code(void **state)
{
	(void)state;
	struct own own = {0};
	struct fixture f;
	dl_iterate_phdr(look_at_program, &own);
	fixture_open(&f);
	fixture_image(&f, getpid());
	struct producer p = producer_new(&f, (uint32_t)getpid(), (uint32_t)getpid());
	put_malloc(&p, 1, 0x1000, 10);
	ht_drain_all(&f.c);
	uint64_t ip = (uint64_t)(uintptr_t)&test_own_code;
	assert_false(ht_code_maps_describe(&f.c, f.guest, ip)); /* nobody has looked */
	ht_code_maps_note(&f.c, f.guest, ip);
	assert_null(ht_space_nearest(f.guest->space, HT_GENERATION_NEWEST, ip));
	assert_true(ht_code_maps_describe(&f.c, f.guest, ip));
	assert_false(ht_code_maps_describe(&f.c, f.guest, ip)); /* once is enough */
	const struct ht_mapping *m = ht_space_nearest(f.guest->space, HT_GENERATION_NEWEST, ip);
	assert_non_null(m);
	assert_int_equal(m->bias, own.bias);
	const struct ht_module *k = &f.c.intern.modules[m->module];
	assert_int_equal(k->build_id_len, own.id_len);
	assert_memory_equal(k->build_id, own.id, own.id_len);
	assert_true(ip - m->bias >= k->text_vaddr && ip - m->bias < k->text_vaddr + k->text_size);
	assert_true(ip - m->bias < k->size);
	assert_null(ht_space_find(f.guest->space, 0, ip)); /* stacks go on waiting for what the hook says */
	ht_code_maps_note(&f.c, f.guest, 0x1000); /* nothing there */
	assert_false(ht_code_maps_describe(&f.c, f.guest, 0x1000));
	fixture_close(&f);
	fixture_free(&f);
}

static int file_of(const void *bytes, size_t n)
{
	int fd = memfd_create("elf", MFD_CLOEXEC);
	assert_true(fd >= 0 && write(fd, bytes, n) == (ssize_t)n);
	return fd;
}

static void test_hostile_files(void **state)
{
	(void)state;
	static uint8_t whole[1 << 16];
	int self = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	ssize_t n = read(self, whole, sizeof(whole));
	close(self);
	assert_true(n > 4096);
	srand(1);
	for (unsigned round = 0; round < 3000; round++) {
		uint8_t bytes[4096];
		size_t size = round < sizeof(bytes) ? round : sizeof(bytes);
		memcpy(bytes, whole, sizeof(bytes));
		if (round % 2) {
			size = sizeof(bytes);
			for (unsigned i = 0; i < 1 + round % 8; i++)
				bytes[4 + rand() % 1000] = (uint8_t)rand();
		}
		struct ht_module m = {0};
		uint64_t low;
		int fd = file_of(bytes, size);
		if (ht_code_describe(fd, 0x400000, 0x1000, &m, &low))
			assert_true(m.build_id_len <= HT_BUILD_ID_MAX);
		close(fd);
	}
	Elf64_Ehdr e = {.e_phoff = UINT64_MAX - 8, .e_phnum = 64, .e_phentsize = sizeof(Elf64_Phdr)};
	memcpy(e.e_ident, ELFMAG "\2\1\1", 7);
	struct ht_module m = {0};
	uint64_t low;
	int fd = file_of(&e, sizeof(e));
	assert_false(ht_code_describe(fd, 0, 0, &m, &low));
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_own_code),
		cmocka_unit_test(test_hostile_files),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
