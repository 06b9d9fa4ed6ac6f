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
#define LONGEST_D	2048
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

/* libiberty has no callback form for D; the name's bounded length bounds what it makes of it. */
static bool demangle_d(struct plain *p, const char *name)
{
	char *plain = strlen(name) <= LONGEST_D ? dlang_demangle(name, DMGL_PARAMS) : NULL;
	bool ok = plain && strlen(plain) <= LONGEST_PLAIN;
	if (ok)
		take_piece(plain, strlen(plain), p);
	free(plain);
	return ok;
}

/* D's demangler always writes parameters: "a.b!(int).c(char)" to "a.b!(int).c". */
static void drop_d_parameters(char *name)
{
	size_t n = strlen(name), depth = 0;
	while (n && name[n - 1] != ')')
		n--;
	for (size_t i = n; i-- > 0;) {
		depth += name[i] == ')';
		depth -= name[i] == '(' && depth;
		if (!depth) {
			if (i && name[i - 1] != '!')
				name[i] = '\0';
			return;
		}
	}
}

static bool run_demangler(struct plain *p, const char *name, int options)
{
	if (setjmp(p->over))
		return false;
	if (!strncmp(name, "_D", 2))
		return demangle_d(p, name);
	/* Rust's older names are C++ names with a hash at the end: Rust goes first. */
	if (rust_demangle_callback(name, options, take_piece, p))
		return true;
	p->len = 0;
	return cplus_demangle_v3_callback(name, options, take_piece, p) != 0;
}

char *sym_demangle(const char *name, enum ht_demangle how)
{
	static const char *const starts[] = { "_Z", "_R", "_D", "__Z" };
	bool mangled = false;
	for (size_t i = 0; i < HT_ARRAY_SIZE(starts); i++)
		mangled |= !strncmp(name, starts[i], strlen(starts[i]));
	if (how == HT_DEMANGLE_NONE || !mangled)
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
		if (how == HT_DEMANGLE_SHORT && !strncmp(name, "_D", 2))
			drop_d_parameters(out);
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

/* The index behind what closes the list of template arguments that opens at i, "<" or D's "!("; 0 if nothing does. */
static size_t list_end(const char *s, size_t i)
{
	size_t depth = 0;
	if (s[i] == '!') {
		for (i++; s[i]; i++) {
			depth += s[i] == '(';
			if (s[i] == ')' && --depth == 0)
				return i + 1;
		}
		return 0;
	}
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
		bool opens = (from[in] == '<' && !is_operator(from, in)) || (from[in] == '!' && from[in + 1] == '(');
		if (opens && !open_ended) {
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
		size_t keep = from[in] == '!' ? 2 : kept(from, in, end);
		uint64_t h = sym_hash(from + in, end - in);
		memcpy(name + out, from + in, keep);
		out += keep;
		out += (size_t)snprintf(name + out, MARK_LENGTH + 1, "..#%06x%c", (unsigned)((h ^ h >> 32) & 0xffffff),
					from[end - 1]);
		in = end;
	}
	name[out] = '\0';
	free(from);
}
