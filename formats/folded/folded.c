/*
 * folded: "root;...;leaf value". Frames are function names, inlined ones included; an address without
 * a name is [module+0x...]. Stacks of equal names are one line, and lines come in the order of their
 * names, so that equal profiles make equal files.
 *
 * Names become numbers in sorted order first: comparing stacks is then comparing numbers, and no
 * stack's text is held in memory.
 */
#include "folded.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

struct name {
	char *text;
	uint32_t number; /* of the frame that it belongs to, before sorting */
};

struct fold {
	const struct ht_profile *profile;
	size_t value;
	struct name *names; /* sorted */
	size_t name_count;
	uint32_t *rank;	      /* per frame number: equal names, equal ranks */
	const char **by_rank;
	uint32_t *unnamed;    /* per location: its frame number when it has no lines */
};

struct stack {
	const uint32_t *ranks; /* root first */
	size_t count;
	int64_t value;
};

/* ';' ends a frame and a line break the stack: names must not. */
static char *clean(char *s)
{
	for (char *c = s; *c; c++)
		if (*c == ';')
			*c = ':';
		else if ((unsigned char)*c < ' ' || *c == 0x7f)
			*c = ' ';
	return s;
}

static char *address_name(const struct ht_profile *p, const struct ht_profile_location *l)
{
	const char *file = l->mapping ? p->mappings[l->mapping - 1].file : "";
	const char *slash = strrchr(file, '/');
	const char *base = slash ? slash + 1 : file;
	if (!*base)
		return ht_xasprintf("[0x%" PRIx64 "]", l->address);
	return ht_xasprintf("[%s+0x%" PRIx64 "]", base, l->address);
}

static int compare_names(const void *pa, const void *pb)
{
	return strcmp(((const struct name *)pa)->text, ((const struct name *)pb)->text);
}

/* Frames are numbered: functions first, then locations without lines. */
static void rank_names(struct fold *f)
{
	const struct ht_profile *p = f->profile;
	f->names = ht_xcalloc(p->function_count + p->location_count, sizeof(*f->names));
	f->unnamed = ht_xcalloc(p->location_count, sizeof(*f->unnamed));
	for (size_t i = 0; i < p->function_count; i++)
		f->names[f->name_count++] = (struct name){clean(ht_xstrdup(p->functions[i].name)), (uint32_t)i};
	for (size_t i = 0; i < p->location_count; i++)
		if (!p->locations[i].line_count) {
			f->unnamed[i] = (uint32_t)f->name_count;
			f->names[f->name_count] = (struct name){clean(address_name(p, &p->locations[i])),
								(uint32_t)f->name_count};
			f->name_count++;
		}
	qsort(f->names, f->name_count, sizeof(*f->names), compare_names);
	f->rank = ht_xcalloc(f->name_count, sizeof(*f->rank));
	f->by_rank = ht_xcalloc(f->name_count, sizeof(*f->by_rank));
	uint32_t rank = 0;
	for (size_t i = 0; i < f->name_count; i++) {
		rank += i && strcmp(f->names[i].text, f->names[i - 1].text);
		f->rank[f->names[i].number] = rank;
		f->by_rank[rank] = f->names[i].text;
	}
}

static size_t frames_of(const struct ht_profile *p, const struct ht_profile_sample *s)
{
	size_t n = 0;
	for (size_t i = 0; i < s->location_count; i++) {
		size_t lines = p->locations[s->locations[i]].line_count;
		n += lines ? lines : 1;
	}
	return n;
}

static struct stack unfold(const struct fold *f, const struct ht_profile_sample *s)
{
	const struct ht_profile *p = f->profile;
	size_t n = frames_of(p, s), at = n;
	uint32_t *ranks = ht_xcalloc(n, sizeof(*ranks));
	for (size_t i = 0; i < s->location_count; i++) {
		const struct ht_profile_location *l = &p->locations[s->locations[i]];
		for (size_t k = 0; k < l->line_count; k++)
			ranks[--at] = f->rank[l->lines[k].function];
		if (!l->line_count)
			ranks[--at] = f->rank[f->unnamed[s->locations[i]]];
	}
	return (struct stack){ranks, n, s->values[f->value]};
}

static int compare_stacks(const void *pa, const void *pb)
{
	const struct stack *a = pa, *b = pb;
	for (size_t i = 0; i < a->count && i < b->count; i++)
		if (a->ranks[i] != b->ranks[i])
			return a->ranks[i] < b->ranks[i] ? -1 : 1;
	return a->count < b->count ? -1 : a->count > b->count;
}

static void print_stack(const struct fold *f, const struct stack *s, int64_t value, struct ht_buf *out)
{
	for (size_t i = 0; i < s->count; i++) {
		const char *name = f->by_rank[s->ranks[i]];
		if (i)
			ht_buf_byte(out, ';');
		ht_buf_append(out, name, strlen(name));
	}
	if (!s->count)
		ht_buf_printf(out, "[no stack]");
	ht_buf_printf(out, " %" PRId64 "\n", value);
}

static int print_stacks(const struct fold *f, const struct stack *stacks, size_t count, int fd)
{
	struct ht_buf out = {0};
	int code = 0;
	for (size_t i = 0, next; i < count && !code; i = next) {
		int64_t value = 0;
		for (next = i; next < count && !compare_stacks(&stacks[i], &stacks[next]); next++)
			value += stacks[next].value;
		if (value)
			print_stack(f, &stacks[i], value, &out);
		if (out.len >= 65536 || next == count) {
			code = ht_write_all(fd, out.data, out.len);
			out.len = 0;
		}
	}
	ht_buf_release(&out);
	return code;
}

static int write_profile(const struct ht_profile *p, size_t value_index, int fd, struct ht_diag *d)
{
	struct fold f = {.profile = p, .value = value_index < p->type_count ? value_index : 0};
	rank_names(&f);
	struct stack *stacks = ht_xcalloc(p->sample_count, sizeof(*stacks));
	for (size_t i = 0; i < p->sample_count; i++)
		stacks[i] = unfold(&f, &p->samples[i]);
	qsort(stacks, p->sample_count, sizeof(*stacks), compare_stacks);
	int code = print_stacks(&f, stacks, p->sample_count, fd), error = errno;
	for (size_t i = 0; i < p->sample_count; i++)
		free((void *)(uintptr_t)stacks[i].ranks);
	for (size_t i = 0; i < f.name_count; i++)
		free(f.names[i].text);
	free(stacks);
	free(f.names);
	free(f.rank);
	free(f.by_rank);
	free(f.unnamed);
	return code < 0 ? ht_fail(d, HT_ERR_SYSTEM, "write: %s", strerror(error)) : 0;
}

const struct ht_exporter ht_exporter_folded = {
	.name = "folded",
	.extension = ".folded",
	.summary = "one line per stack, for flame graphs",
	.one_profile = true,
	.write_profile = write_profile,
};
