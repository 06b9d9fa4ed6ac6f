/* test_symbolize_cache: answers kept by build-id: the same from the cache, whatever is done to its files. */
#include "test_symbolize_common.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static char folder[] = "/tmp/ht_symcache_XXXXXX", kept[200];
static uint8_t id[64];
static size_t id_len;
static struct functions all;

static struct ht_symbolizer *ask_through_cache(const char *path, uint64_t step)
{
	struct ht_symbolize_options o = { .cache = true };
	struct ht_symbolizer *s = ht_symbolizer_new(&o);
	ht_symbolizer_module(s, 0, path, id, id_len);
	for (size_t i = 0; i < all.count; i++)
		for (uint64_t a = 0; a < all.list[i].size; a += step)
			ht_symbolizer_want(s, 0, all.list[i].address + a);
	ht_symbolizer_resolve(s, NULL, NULL);
	return s;
}

static unsigned files_kept(char *first, size_t size)
{
	unsigned n = 0;
	DIR *d = opendir(kept);
	for (struct dirent *e; d && (e = readdir(d));)
		if (e->d_name[0] != '.' && ++n == 1 && first)
			snprintf(first, size, "%s/%s", kept, e->d_name);
	if (d)
		closedir(d);
	return n;
}

static int prepare(void **state)
{
	(void)state;
	assert_non_null(mkdtemp(folder));
	setenv("XDG_CACHE_HOME", folder, 1);
	snprintf(kept, sizeof(kept), "%s/heaptide/symbols-1", folder);
	id_len = build_id(fixture("gcc-O2-5"), id);
	all = functions_of(fixture("gcc-O2-5"));
	return 0;
}

static int clean(void **state)
{
	(void)state;
	char command[300];
	snprintf(command, sizeof(command), "rm -rf %s", folder);
	free(all.list);
	return system(command);
}

static void answers_come_back(void **state)
{
	(void)state;
	/* In two goes, the second of which adds to the first. */
	struct ht_symbolizer *part = ask_through_cache(fixture("gcc-O2-5"), 7);
	assert_int_equal(files_kept(NULL, 0), 1);
	ht_symbolizer_free(part);
	struct ht_symbolizer *first = ask_through_cache(fixture("gcc-O2-5"), 1);
	assert_int_equal(files_kept(NULL, 0), 1);
	/* Without the program: only the cache knows. */
	struct ht_symbolizer *again = ask_through_cache("/nonexistent/program", 1);
	const char *reason;
	assert_int_equal(ht_symbolizer_kind(again, 0, &reason), HT_SYMBOLS_DWARF);
	assert_string_equal(reason, "");
	assert_same(first, again, &all);
	ht_symbolizer_free(first);
	ht_symbolizer_free(again);
	/* Another manner of asking is another file. */
	struct ht_symbolize_options o = { .cache = true, .no_inline = true };
	struct ht_symbolizer *s = ht_symbolizer_new(&o);
	ht_symbolizer_module(s, 0, "/nonexistent/program", id, id_len);
	ht_symbolizer_want(s, 0, all.list[0].address);
	ht_symbolizer_resolve(s, NULL, NULL);
	assert_int_equal(ht_symbolizer_kind(s, 0, NULL), HT_SYMBOLS_MISSING);
	ht_symbolizer_free(s);
}

static void what_is_incomplete_is_not_kept(void **state)
{
	(void)state;
	unsigned before = files_kept(NULL, 0);
	id_len = build_id(fixture("symtab-only"), id);
	ht_symbolizer_free(ask_through_cache(fixture("symtab-only"), 9));
	assert_int_equal(files_kept(NULL, 0), before);
	ht_symbolizer_free(ask_through_cache("/nonexistent/program", 9));
	assert_int_equal(files_kept(NULL, 0), before);
	id_len = build_id(fixture("gcc-O2-5"), id);
}

static void damaged_files_are_none(void **state)
{
	(void)state;
	char path[600];
	struct ht_symbolizer *good = ask_through_cache(fixture("gcc-O2-5"), 1);
	assert_int_equal(files_kept(path, sizeof(path)), 1);
	struct stat st;
	assert_int_equal(stat(path, &st), 0);
	srand(3);
	for (int i = 0; i < 30; i++) {
		int fd = open(path, O_RDWR);
		uint8_t byte = 0;
		off_t at = rand() % st.st_size;
		assert_true(fd >= 0 && pread(fd, &byte, 1, at) == 1);
		byte ^= (uint8_t)(1 + rand() % 255);
		assert_int_equal(pwrite(fd, &byte, 1, at), 1);
		if (i % 3 == 0)
			assert_int_equal(ftruncate(fd, at), 0);
		close(fd);
		struct ht_symbolizer *s = ask_through_cache(fixture("gcc-O2-5"), 1);
		assert_same(good, s, &all);
		ht_symbolizer_free(s); /* and the file is whole again */
		s = ask_through_cache("/nonexistent/program", 1);
		assert_same(good, s, &all);
		ht_symbolizer_free(s);
	}
	ht_symbolizer_free(good);
}

/* Eight processes write and read at once; the one file is whole at every moment. */
static void at_the_same_time(void **state)
{
	(void)state;
	struct ht_symbolizer *good = ask_through_cache(fixture("gcc-O2-5"), 1);
	for (int i = 0; i < 8; i++)
		if (fork() == 0) {
			for (int k = 0; k < 20; k++) {
				struct ht_symbolizer *s = ask_through_cache(fixture("gcc-O2-5"), (uint64_t)(1 + (i + k) % 5));
				if (ht_symbolizer_kind(s, 0, NULL) != HT_SYMBOLS_DWARF)
					_exit(1);
				ht_symbolizer_free(s);
				if (k % 7 == i % 7) {
					char path[600];
					if (files_kept(path, sizeof(path)))
						unlink(path);
				}
			}
			_exit(0);
		}
	for (int i = 0, status; i < 8; i++) {
		assert_true(wait(&status) > 0);
		assert_int_equal(status, 0);
	}
	struct ht_symbolizer *s = ask_through_cache(fixture("gcc-O2-5"), 1);
	assert_same(good, s, &all);
	ht_symbolizer_free(s);
	ht_symbolizer_free(good);
}

/* Files of others in the folder count, and the longest unused go until it is within its bound. */
static void the_folder_is_bounded(void **state)
{
	(void)state;
	char path[600];
	for (int i = 0; i < 12; i++) {
		snprintf(path, sizeof(path), "%s/%02x.00", kept, i);
		int fd = open(path, O_WRONLY | O_CREAT, 0600);
		assert_true(fd >= 0 && ftruncate(fd, 60 << 20) == 0);
		struct timespec times[2] = { { 1000 + i, 0 }, { 1000 + i, 0 } };
		assert_int_equal(futimens(fd, times), 0);
		close(fd);
	}
	snprintf(path, sizeof(path), "%s/new.1.1", kept); /* left behind by a writer that died */
	int fd = open(path, O_WRONLY | O_CREAT, 0600);
	struct timespec old[2] = { { 1000, 0 }, { 1000, 0 } };
	assert_true(fd >= 0 && futimens(fd, old) == 0);
	close(fd);
	/* The module anew, so that it is written and the folder looked through. */
	size_t n = (size_t)snprintf(path, sizeof(path), "%s/", kept);
	for (size_t i = 0; i < id_len; i++)
		n += (size_t)snprintf(path + n, sizeof(path) - n, "%02x", id[i]);
	snprintf(path + n, sizeof(path) - n, ".00");
	assert_int_equal(unlink(path), 0);
	ht_symbolizer_free(ask_through_cache(fixture("gcc-O2-5"), 1));
	assert_int_equal(access(path, R_OK), 0);
	snprintf(path, sizeof(path), "%s/00.00", kept);
	assert_int_not_equal(access(path, R_OK), 0);
	snprintf(path, sizeof(path), "%s/0a.00", kept);
	assert_int_equal(access(path, R_OK), 0);
	snprintf(path, sizeof(path), "%s/new.1.1", kept);
	assert_int_not_equal(access(path, R_OK), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(answers_come_back), cmocka_unit_test(what_is_incomplete_is_not_kept),
		cmocka_unit_test(damaged_files_are_none), cmocka_unit_test(at_the_same_time),
		cmocka_unit_test(the_folder_is_bounded),
	};
	return cmocka_run_group_tests_name("symbolize cache", tests, prepare, clean);
}
