/* sym_demangle: see sym_demangle.h. libiberty's callback forms are used: they need no heap, and a
 * name that unfolds without end is left by longjmp as soon as it has printed 16 KiB. */
#include "sym_demangle.h"

#include "sym_map.h"

#include <libiberty/demangle.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LONGEST_MANGLED 8192
#define LONGEST_PLAIN	16384
#define LONGEST_LIST	48
#define KEPT_OF_LIST	24
#define MARK_LENGTH	10 /* "..#123456>": with what is kept still shorter than the list */

struct plain {
	char text[LONGEST_PLAIN + 1];
	size_t len;
	jmp_buf over;
};

static void take_piece(const char *piece, size_t n, void *opaque)
{
	struct plain *p = opaque;
	if (n > LONGEST_PLAIN - p->len)
		longjmp(p->over, 1);
	memcpy(p->text + p->len, piece, n);
	p->len += n;
}

static bool run_demangler(struct plain *p, const char *name, int options)
{
	if (setjmp(p->over))
		return false;
	/* Rust's older names are C++ names with a hash at the end: Rust goes first. */
	if (rust_demangle_callback(name, options, take_piece, p))
		return true;
	p->len = 0;
	return cplus_demangle_v3_callback(name, options, take_piece, p) != 0;
}

char *sym_demangle(const char *name, enum ht_demangle how)
{
	if (how == HT_DEMANGLE_NONE || (strncmp(name, "_Z", 2) != 0 && strncmp(name, "_R", 2) != 0 &&
					strncmp(name, "__Z", 3) != 0))
		return NULL;
	if (strlen(name) > LONGEST_MANGLED)
		return NULL;
	struct plain *p = ht_xmalloc(sizeof(*p));
	p->len = 0;
	int options = how == HT_DEMANGLE_FULL ? DMGL_PARAMS | DMGL_ANSI : DMGL_ANSI | DMGL_RET_DROP;
	char *out = NULL;
	if (run_demangler(p, name, options) && p->len) {
		p->text[p->len] = '\0';
		out = ht_xstrdup(p->text);
		if (how == HT_DEMANGLE_SHORT)
			sym_shorten(out);
	}
	free(p);
	return out;
}

/* Is the '<' or '>' at i part of an operator's name ("operator<<", "operator->") or an arrow? */
static bool is_operator(const char *s, size_t i)
{
	size_t start = i;
	while (start > 0 && strchr("<>=-", s[start - 1]) && i - start < 3)
		start--;
	return (start >= 8 && !memcmp(s + start - 8, "operator", 8)) || (i > 0 && s[i - 1] == '-');
}

/* The index behind the '>' that closes the list which opens at i; 0 if nothing does. */
static size_t list_end(const char *s, size_t i)
{
	size_t depth = 0;
	for (; s[i]; i++) {
		if (s[i] == '<' && !is_operator(s, i))
			depth++;
		else if (s[i] == '>' && !is_operator(s, i) && --depth == 0)
			return i + 1;
	}
	return 0;
}

/* How much of the list [open, end) stays: whole arguments, as many as fit; at least the '<'. */
static size_t kept(const char *s, size_t open, size_t end)
{
	size_t keep = 1;
	int depth = 0;
	for (size_t i = open + 1; i < end && i - open <= KEPT_OF_LIST; i++) {
		if (strchr("<([{", s[i]))
			depth++;
		else if (strchr(">)]}", s[i]))
			depth--;
		else if (s[i] == ',' && depth == 0)
			keep = i - open + 2; /* with ", " */
	}
	return keep < end - open ? keep : 1;
}

void sym_shorten(char *name)
{
	char *from = ht_xstrdup(name);
	size_t out = 0, in = 0;
	bool open_ended = false; /* a list without end was seen: do not search again for each '<' */
	while (from[in]) {
		size_t end = 0;
		if (from[in] == '<' && !open_ended && !is_operator(from, in)) {
			end = list_end(from, in);
			open_ended = !end;
		}
		if (!end || end - in <= LONGEST_LIST) {
			size_t n = end ? end - in : 1;
			memcpy(name + out, from + in, n);
			out += n;
			in += n;
			continue;
		}
		size_t keep = kept(from, in, end);
		uint64_t h = sym_hash(from + in, end - in);
		memcpy(name + out, from + in, keep);
		out += keep;
		out += (size_t)snprintf(name + out, MARK_LENGTH + 1, "..#%06x>", (unsigned)((h ^ h >> 32) & 0xffffff));
		in = end;
	}
	name[out] = '\0';
	free(from);
}
