/* sym_die: see sym_die.h. */
#include "sym_die.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Forms newer than, or extensions of, what libdwarf's header names on every version. */
#define FORM_STRP_SUP	  0x1d
#define FORM_REF_SUP4	  0x1c
#define FORM_REF_SUP8	  0x24
#define FORM_GNU_REF_ALT  0x1f20
#define FORM_GNU_STRP_ALT 0x1f21

/* Everything that names, lines and ranges need. Locations, macros and types' hashes stay on disk. */
static const char *const wanted_sections[] = {
	".debug_info",	 ".debug_abbrev",   ".debug_line",  ".debug_line_str",	  ".debug_str",	    ".debug_ranges",
	".debug_rnglists", ".debug_addr", ".debug_aranges", ".debug_str_offsets",
};

static int section_info(void *obj, Dwarf_Half index, Dwarf_Obj_Access_Section *out, int *error)
{
	struct sym_debug *g = obj;
	(void)error;
	memset(out, 0, sizeof(*out));
	out->name = "";
	if (index == 0)
		return DW_DLV_OK;
	if (index > g->section_count)
		return DW_DLV_NO_ENTRY;
	const struct sym_section *s = g->sections[index - 1];
	out->name = s->name;
	out->type = SHT_PROGBITS;
	out->size = s->size;
	return DW_DLV_OK;
}

static Dwarf_Endianness byte_order(void *obj)
{
	return ((struct sym_debug *)obj)->elf->big_endian ? DW_OBJECT_MSB : DW_OBJECT_LSB;
}

/* DWARF's own offsets are 4 bytes unless a unit says otherwise, which libdwarf sees by itself. */
static Dwarf_Small length_size(void *obj)
{
	(void)obj;
	return 4;
}

static Dwarf_Small pointer_size(void *obj)
{
	return ((struct sym_debug *)obj)->elf->is64 ? 8 : 4;
}

static Dwarf_Unsigned section_count(void *obj)
{
	return ((struct sym_debug *)obj)->section_count + 1;
}

static void note_error(struct sym_debug *g, const char *text)
{
	if (!g->errors++)
		snprintf(g->first_error, sizeof(g->first_error), "%.*s", (int)sizeof(g->first_error) - 1, text);
}

static int load_section(void *obj, Dwarf_Half index, Dwarf_Small **data, int *error)
{
	struct sym_debug *g = obj;
	struct ht_diag d;
	if (index == 0 || index > g->section_count)
		return DW_DLV_NO_ENTRY;
	if (sym_elf_load(g->elf, g->sections[index - 1], &d)) {
		note_error(g, d.text);
		*error = DW_DLE_SECTION_ERROR;
		return DW_DLV_ERROR;
	}
	*data = g->sections[index - 1]->data;
	return DW_DLV_OK;
}

static const Dwarf_Obj_Access_Methods methods = {
	.get_section_info = section_info,
	.get_byte_order = byte_order,
	.get_length_size = length_size,
	.get_pointer_size = pointer_size,
	.get_section_count = section_count,
	.load_section = load_section,
};

/* libdwarf has two dozen names for it: DW_DLE_LINE_ALLOC, DW_DLE_DEBUG_RANGES_OUT_OF_MEM... */
static bool is_memory(Dwarf_Error err)
{
	const char *text = dwarf_errmsg(err);
	size_t n = strcspn(text, ": (");
	const char *alloc = strstr(text, "ALLOC"), *memory = strstr(text, "OUT_OF_MEM");
	return (alloc && alloc < text + n) || (memory && memory < text + n);
}

int sym_debug_open(struct sym_debug *g, struct sym_elf *e, struct ht_diag *d)
{
	*g = (struct sym_debug){ .elf = e, .access = { g, &methods } };
	if (!sym_elf_find(e, ".debug_info"))
		return HT_ABSENT;
	g->sections = ht_xcalloc(HT_ARRAY_SIZE(wanted_sections), sizeof(*g->sections));
	for (size_t i = 0; i < HT_ARRAY_SIZE(wanted_sections); i++) {
		struct sym_section *s = sym_elf_find(e, wanted_sections[i]);
		if (s)
			g->sections[g->section_count++] = s;
	}
	for (size_t i = 0; i < g->section_count && i < 2; i++) {
		/* What would make every unit unreadable is better said once and clearly. */
		int rc = sym_elf_load(e, g->sections[i], d);
		if (rc)
			return rc;
	}
	/* We free what we hold; libdwarf's list of everything it ever gave out costs time and memory. */
	dwarf_set_de_alloc_flag(0);
	Dwarf_Error err = NULL;
	int rc = dwarf_object_init_b(&g->access, NULL, NULL, DW_GROUPNUMBER_ANY, &g->dbg, &err);
	if (rc == DW_DLV_ERROR && is_memory(err))
		return ht_fail(d, HT_ERR_LIMIT, "debug information needs more memory than allowed");
	if (rc == DW_DLV_ERROR)
		return ht_fail(d, HT_ERR_DAMAGED, "debug information: %s", dwarf_errmsg(err));
	return rc == DW_DLV_OK ? 0 : HT_ABSENT;
}

void sym_debug_tie(struct sym_debug *g, struct sym_debug *alternate)
{
	Dwarf_Error err = NULL;
	if (!sym_debug_ok(g, dwarf_set_tied_dbg(g->dbg, alternate->dbg, &err), &err))
		return;
	g->alternate = alternate;
	alternate->is_alternate = true;
}

bool sym_debug_ok(struct sym_debug *g, int rc, Dwarf_Error *err)
{
	if (rc != DW_DLV_ERROR)
		return rc == DW_DLV_OK;
	if (is_memory(*err))
		_exit(3); /* as ht_xmalloc does: the parent reads it as the memory limit */
	/* "DW_DLE_NAME: words", and pointers among the words: the name is what stays the same. */
	const char *text = dwarf_errmsg(*err);
	char name[64];
	text += strspn(text, " ");
	snprintf(name, sizeof(name), "%.*s", (int)strcspn(text, ": ("), text);
	note_error(g, name);
	dwarf_dealloc_error(g->dbg, *err);
	*err = NULL;
	return false;
}

/* Opens an attribute and its form; false when it is not there. */
static bool open_attr(struct sym_debug *g, Dwarf_Die die, Dwarf_Half attr, Dwarf_Attribute *a, Dwarf_Half *form)
{
	Dwarf_Error err = NULL;
	if (!sym_debug_ok(g, dwarf_attr(die, attr, a, &err), &err))
		return false;
	if (sym_debug_ok(g, dwarf_whatform(*a, form, &err), &err))
		return true;
	dwarf_dealloc_attribute(*a);
	return false;
}

bool sym_die_has(struct sym_debug *g, Dwarf_Die die, Dwarf_Half attr)
{
	Dwarf_Bool has = 0;
	Dwarf_Error err = NULL;
	return sym_debug_ok(g, dwarf_hasattr(die, attr, &has, &err), &err) && has;
}

bool sym_die_uint(struct sym_debug *g, Dwarf_Die die, Dwarf_Half attr, uint64_t *value)
{
	Dwarf_Attribute a;
	Dwarf_Half form;
	if (!open_attr(g, die, attr, &a, &form))
		return false;
	Dwarf_Error err = NULL;
	Dwarf_Unsigned v = 0;
	bool ok;
	if (form == DW_FORM_sdata || form == DW_FORM_implicit_const) {
		Dwarf_Signed sv = 0;
		ok = sym_debug_ok(g, dwarf_formsdata(a, &sv, &err), &err) && sv >= 0;
		v = (Dwarf_Unsigned)sv;
	} else {
		ok = sym_debug_ok(g, dwarf_formudata(a, &v, &err), &err);
	}
	dwarf_dealloc_attribute(a);
	if (ok)
		*value = v;
	return ok;
}

/* libdwarf answers some failures with a text about them ("<DW_FORM_...-no-tied-file>"). */
static bool is_placeholder(const char *s)
{
	return !strncmp(s, "<DW_FORM", 8) || !strncmp(s, "<Error: ", 8) || !strncmp(s, "<.debug_", 8) ||
	       !strncmp(s, "<:No ", 5);
}

const char *sym_die_string(struct sym_debug *g, Dwarf_Die die, Dwarf_Half attr)
{
	Dwarf_Attribute a;
	Dwarf_Half form;
	if (!open_attr(g, die, attr, &a, &form))
		return NULL;
	Dwarf_Error err = NULL;
	char *s = NULL;
	bool elsewhere = form == FORM_GNU_STRP_ALT || form == FORM_STRP_SUP;
	bool ok = (!elsewhere || g->alternate) && sym_debug_ok(g, dwarf_formstring(a, &s, &err), &err);
	dwarf_dealloc_attribute(a);
	return ok && s && *s && !is_placeholder(s) ? s : NULL;
}

struct sym_ref sym_die_ref(struct sym_debug *g, Dwarf_Die die, Dwarf_Half attr)
{
	struct sym_ref ref = { NULL, 0 };
	Dwarf_Attribute a;
	Dwarf_Half form;
	if (!open_attr(g, die, attr, &a, &form))
		return ref;
	Dwarf_Error err = NULL;
	bool elsewhere = form == FORM_GNU_REF_ALT || form == FORM_REF_SUP4 || form == FORM_REF_SUP8;
	/* A type signature leads to a type unit: no function is defined there. */
	if (form != DW_FORM_ref_sig8 && sym_debug_ok(g, dwarf_global_formref(a, &ref.offset, &err), &err))
		ref.in = elsewhere ? g->alternate : g;
	dwarf_dealloc_attribute(a);
	return ref;
}

Dwarf_Half sym_die_tag(Dwarf_Die die)
{
	Dwarf_Half tag = 0;
	Dwarf_Error err = NULL; /* libdwarf aborts on an error that nobody takes */
	return dwarf_tag(die, &tag, &err) == DW_DLV_OK ? tag : 0;
}

Dwarf_Off sym_die_offset(Dwarf_Die die)
{
	Dwarf_Off off = 0;
	Dwarf_Error err = NULL;
	return dwarf_dieoffset(die, &off, &err) == DW_DLV_OK ? off : 0;
}

bool sym_die_next(struct sym_debug *g, Dwarf_Die *die)
{
	Dwarf_Die next = NULL;
	Dwarf_Error err = NULL;
	Dwarf_Off here = *die ? sym_die_offset(*die) : 0;
	bool ok = sym_debug_ok(g, dwarf_siblingof_b(g->dbg, *die, 1, &next, &err), &err);
	if (*die)
		dwarf_dealloc_die(*die);
	*die = NULL;
	if (!ok)
		return false;
	if (here && sym_die_offset(next) <= here) {
		note_error(g, "a sibling reference leads back");
		dwarf_dealloc_die(next);
		return false;
	}
	*die = next;
	return true;
}

bool sym_die_child(struct sym_debug *g, Dwarf_Die die, Dwarf_Die *child)
{
	Dwarf_Error err = NULL;
	return sym_debug_ok(g, dwarf_child(die, child, &err), &err);
}
