/* sym_cache: see sym_cache.h. */
#include "sym_cache.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define MAGIC	    "HTSYMS1\n"
#define FOLDER	    "symbols-1"
#define HEADER_SIZE 24
#define FILE_MAX    (UINT64_C(64) << 20)
#define FOLDER_MAX  (UINT64_C(512) << 20)
#define FILES_MAX   65536
/* A writer that died leaves its unfinished file behind for the next one to remove. */
#define STALE_SECONDS 3600

/* --- the folder --------------------------------------------------------------------------- */

/* Opens the folder, making it first if asked to; -1 when there is none or it is another user's. */
static int open_folder(bool make)
{
	const char *base = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
	struct stat st;
	char *path;
	if (base && base[0] == '/')
		path = ht_xasprintf("%s/heaptide/" FOLDER, base);
	else if (home && home[0] == '/')
		path = ht_xasprintf("%s/.cache/heaptide/" FOLDER, home);
	else
		return -1;
	for (char *slash = path + 1; make && (slash = strchr(slash, '/')); slash++) {
		*slash = '\0';
		(void)!mkdir(path, 0700);
		*slash = '/';
	}
	if (make)
		(void)!mkdir(path, 0700);
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	free(path);
	if (fd >= 0 && (fstat(fd, &st) || st.st_uid != geteuid())) {
		close(fd);
		return -1;
	}
	return fd;
}

/* False without a build-id to name the file after. */
static bool file_name(const struct sym_cache_key *k, char name[160])
{
	size_t at = 0;
	if (!k->build_id_len || k->build_id_len > 64)
		return false;
	for (size_t i = 0; i < k->build_id_len; i++)
		at += (size_t)sprintf(name + at, "%02x", k->build_id[i]);
	sprintf(name + at, ".%u%u", (unsigned)k->demangle, (unsigned)k->no_inline);
	return true;
}

struct kept {
	char *name;
	uint64_t size;
	struct timespec used;
};

static int by_use(const void *a, const void *b)
{
	const struct kept *x = a, *y = b;
	if (x->used.tv_sec != y->used.tv_sec)
		return x->used.tv_sec < y->used.tv_sec ? -1 : 1;
	return (x->used.tv_nsec > y->used.tv_nsec) - (x->used.tv_nsec < y->used.tv_nsec);
}

/* Removes the longest unused until the folder is within its bound. */
static void trim(int folder)
{
	struct kept *list = NULL;
	size_t n = 0, cap = 0;
	uint64_t all = 0;
	int fd = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	if (!d) {
		if (fd >= 0)
			close(fd);
		return;
	}
	for (struct dirent *e; n < FILES_MAX && (e = readdir(d));) {
		struct stat st;
		if (fstatat(folder, e->d_name, &st, AT_SYMLINK_NOFOLLOW) || !S_ISREG(st.st_mode))
			continue;
		if (!strncmp(e->d_name, "new.", 4)) {
			if (st.st_mtime < time(NULL) - STALE_SECONDS)
				unlinkat(folder, e->d_name, 0);
			continue;
		}
		list = sym_grow(list, n, &cap, sizeof(*list));
		list[n++] = (struct kept){ ht_xstrdup(e->d_name), (uint64_t)st.st_size, st.st_mtim };
		all += (uint64_t)st.st_size;
	}
	closedir(d);
	if (n)
		qsort(list, n, sizeof(*list), by_use);
	for (size_t i = 0; i < n; i++) {
		if (all > FOLDER_MAX && unlinkat(folder, list[i].name, 0) == 0)
			all -= list[i].size;
		free(list[i].name);
	}
	free(list);
}

/* --- reading ------------------------------------------------------------------------------ */

/* All of a regular file of ours; false when it is none. */
static bool read_file(int folder, const char *name, struct ht_buf *b)
{
	struct stat st;
	int fd = openat(folder, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0)
		return false;
	bool ok = fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_uid == geteuid() && st.st_size > HEADER_SIZE &&
		  (uint64_t)st.st_size <= FILE_MAX;
	if (ok) {
		ht_buf_reserve(b, (size_t)st.st_size);
		b->len = (size_t)st.st_size;
		ok = ht_pread_all(fd, b->data, b->len, 0) == (int64_t)b->len;
		/* Its time is that of its last use. */
		(void)!futimens(fd, NULL);
	}
	close(fd);
	return ok;
}

static int no_file(void *ctx, const struct sym_question *q, char *path, size_t size)
{
	(void)ctx, (void)q, (void)path, (void)size;
	return -1;
}

static bool unpack(const struct ht_buf *b, struct sym_arena *arena, struct sym_cached *out)
{
	struct ht_cursor c = { b->data, b->data + b->len, false };
	const uint8_t *magic = ht_cursor_bytes(&c, 8);
	uint64_t length = ht_cursor_u64(&c), hash = ht_cursor_u64(&c);
	if (c.bad || memcmp(magic, MAGIC, 8) != 0 || length != ht_cursor_left(&c) ||
	    hash != sym_hash((const char *)c.at, length))
		return false;
	uint32_t count = ht_cursor_u32(&c);
	if (c.bad || count > ht_cursor_left(&c) / 8)
		return false;
	out->answers = ht_xcalloc(count, sizeof(*out->answers));
	out->count = count;
	for (uint32_t i = 0; i < count; i++) {
		out->answers[i].address = ht_cursor_u64(&c);
		if (i && out->answers[i].address <= out->answers[i - 1].address)
			return false;
	}
	struct sym_reply r = { .arena = arena, .answers = out->answers, .answer_count = count, .open_file = no_file, .socket = -1 };
	bool ok = !sym_reply_feed(&r, c.at, ht_cursor_left(&c)) && r.done;
	sym_reply_release(&r);
	return ok;
}

static struct sym_cached load_from(int folder, const char *name, struct sym_arena *arena)
{
	struct sym_cached c = { NULL, 0 };
	struct ht_buf b = { 0 };
	if (!read_file(folder, name, &b) || !unpack(&b, arena, &c)) {
		free(c.answers);
		c = (struct sym_cached){ NULL, 0 };
	}
	ht_buf_release(&b);
	return c;
}

struct sym_cached sym_cache_load(const struct sym_cache_key *k, struct sym_arena *arena)
{
	char name[160];
	struct sym_cached c = { NULL, 0 };
	int folder = file_name(k, name) ? open_folder(false) : -1;
	if (folder < 0)
		return c;
	c = load_from(folder, name, arena);
	close(folder);
	return c;
}

/* --- writing ------------------------------------------------------------------------------ */

static void put(struct ht_buf *b, uint64_t v, size_t n)
{
	for (size_t i = 0; i < n; i++)
		ht_buf_byte(b, (uint8_t)(v >> 8 * i));
}

static void pack_answer(struct sym_out *o, uint32_t index, const struct sym_answer *a)
{
	struct sym_wire_frame frames[SYM_FRAMES_MAX];
	for (uint32_t i = 0; i < a->count; i++) {
		const struct ht_symbol_frame *f = &a->frames[i];
		frames[i] = (struct sym_wire_frame){
			sym_out_string(o, f->function), sym_out_string(o, f->linkage),
			*f->suffix ? sym_out_string(o, f->suffix) : 0, sym_out_string(o, f->file),
			f->line, f->start_line, f->inlined,
		};
	}
	if (a->count)
		sym_out_answer(o, index, frames, a->count);
}

static struct ht_buf pack(const struct sym_answer *answers, size_t count)
{
	struct ht_buf b = { 0 };
	struct sym_out o = { .fd = -1, .hold = true };
	for (size_t i = 0; i < count; i++)
		pack_answer(&o, (uint32_t)i, &answers[i]);
	sym_out_done(&o);
	ht_buf_append(&b, MAGIC, 8);
	put(&b, 4 + 8 * (uint64_t)count + o.buf.len, 8);
	put(&b, 0, 8);
	put(&b, count, 4);
	for (size_t i = 0; i < count; i++)
		put(&b, answers[i].address, 8);
	ht_buf_append(&b, o.buf.data, o.buf.len);
	uint64_t hash = sym_hash((const char *)b.data + HEADER_SIZE, b.len - HEADER_SIZE);
	for (size_t i = 0; i < 8; i++)
		b.data[16 + i] = (uint8_t)(hash >> 8 * i);
	ht_buf_release(&o.buf);
	sym_strings_release(&o.strings);
	return b;
}

static void write_file(int folder, const char *name, const struct ht_buf *b)
{
	char temporary[64];
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	snprintf(temporary, sizeof(temporary), "new.%d.%lx", getpid(), (unsigned long)now.tv_nsec);
	int fd = openat(folder, temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return;
	int rc = ht_write_all(fd, b->data, b->len);
	if (close(fd) || rc || renameat(folder, temporary, folder, name))
		unlinkat(folder, temporary, 0);
}

/* Both lists, ascending; where both know an address, the new one. */
static struct sym_answer *unite(const struct sym_cached *old, const struct sym_answer *new, size_t count, size_t *all)
{
	struct sym_answer *out = ht_xcalloc(old->count + count, sizeof(*out));
	size_t n = 0, i = 0, k = 0;
	while (i < old->count || k < count) {
		if (k == count || (i < old->count && old->answers[i].address < new[k].address)) {
			out[n++] = old->answers[i++];
			continue;
		}
		i += i < old->count && old->answers[i].address == new[k].address;
		out[n++] = new[k++];
	}
	*all = n;
	return out;
}

void sym_cache_store(const struct sym_cache_key *k, const struct sym_answer *answers, size_t count,
		     struct sym_arena *arena)
{
	char name[160];
	int folder = file_name(k, name) ? open_folder(true) : -1;
	if (folder < 0)
		return;
	struct sym_cached old = load_from(folder, name, arena);
	size_t all;
	struct sym_answer *united = unite(&old, answers, count, &all);
	struct ht_buf b = pack(united, all);
	if (b.len > FILE_MAX) {
		ht_buf_release(&b);
		b = pack(answers, count);
	}
	if (b.len <= FILE_MAX) {
		write_file(folder, name, &b);
		trim(folder);
	}
	ht_buf_release(&b);
	free(united);
	free(old.answers);
	close(folder);
}
