/*
 * folded: "root;...;leaf value". Frames are function names, inlined ones included; an address without
 * a name is [module+0x...]. Stacks of equal names are one line, and lines come in the order of their
 * names, so that equal profiles make equal files.
 *
 * Names become numbers in sorted order first: comparing stacks is then comparing numbers, and no
 * stack's text is held in memory.
 */
#include "folded.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "profile_frames.h"
#include "sink.h"

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
			f->names[f->name_count] = (struct name){clean(ht_profile_address_name(p, &p->locations[i])),
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

static struct stack unfold(const struct fold *f, const struct ht_profile_sample *s)
{
	struct ht_profile_walk w = ht_profile_walk(f->profile, s);
	size_t n = 0, cap = 0;
	uint32_t *ranks = NULL;
	while (ht_profile_next(&w)) {
		if (n == cap) {
			cap = cap ? cap * 2 : 16;
			ranks = ht_xrealloc(ranks, cap, sizeof(*ranks));
		}
		ranks[n++] = f->rank[w.line ? w.line->function : f->unnamed[w.number]];
	}
	for (size_t i = 0; i < n / 2; i++) {
		uint32_t inner = ranks[i];
		ranks[i] = ranks[n - 1 - i];
		ranks[n - 1 - i] = inner;
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

static void print_stacks(const struct fold *f, const struct stack *stacks, size_t count, struct ht_sink *sink)
{
	for (size_t i = 0, next; i < count; i = next) {
		int64_t value = 0;
		for (next = i; next < count && !compare_stacks(&stacks[i], &stacks[next]); next++)
			value += stacks[next].value;
		if (value)
			print_stack(f, &stacks[i], value, &sink->text);
		ht_sink_some(sink);
	}
}

static int write_profile(const struct ht_profile *p, size_t value_index, int fd, struct ht_diag *d)
{
	struct fold f = {.profile = p, .value = value_index < p->type_count ? value_index : 0};
	rank_names(&f);
	struct stack *stacks = ht_xcalloc(p->sample_count, sizeof(*stacks));
	for (size_t i = 0; i < p->sample_count; i++)
		stacks[i] = unfold(&f, &p->samples[i]);
	qsort(stacks, p->sample_count, sizeof(*stacks), compare_stacks);
	struct ht_sink sink = {.fd = fd};
	print_stacks(&f, stacks, p->sample_count, &sink);
	for (size_t i = 0; i < p->sample_count; i++)
		free((void *)(uintptr_t)stacks[i].ranks);
	for (size_t i = 0; i < f.name_count; i++)
		free(f.names[i].text);
	free(stacks);
	free(f.names);
	free(f.rank);
	free(f.by_rank);
	free(f.unnamed);
	return ht_sink_end(&sink, d);
}

const struct ht_exporter ht_exporter_folded = {
	.name = "folded",
	.extension = ".folded",
	.summary = "one line per stack, for flame graphs",
	.write_profile = write_profile,
};
