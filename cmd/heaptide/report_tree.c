/*
 * report_tree: the views "tree" (top-down: who calls towards the allocations) and "callers"
 * (bottom-up: who is behind them). Rows stand in preorder; in JSON each names its parent row.
 */
#include <stdio.h>
#include <stdlib.h>

#include "options.h"
#include "report.h"
#include "text.h"

/* Text leaves out branches below this share of the whole; JSON and CSV keep them. */
static const double smallest_share = 0.005;
enum { MAX_INDENT = 30 };

static const struct ht_column tree_columns[] = {
    {.key = "total", .flags = HT_COLUMN_TEXT_ONLY, .heading = "total"},
    {.key = "spread", .flags = HT_COLUMN_TEXT_ONLY | HT_COLUMN_ESTIMATE, .heading = "±"},
    {.key = "share", .flags = HT_COLUMN_TEXT_ONLY, .heading = "%"},
    {.key = "self", .flags = HT_COLUMN_TEXT_ONLY, .heading = "self"},
    {.key = "companion", .flags = HT_COLUMN_TEXT_ONLY, .heading = "blocks"},
    {.key = "name",
     .flags = HT_COLUMN_TEXT_ONLY | HT_COLUMN_LEFT | HT_COLUMN_FLEX,
     .heading = "function"},
    {.key = "site",
     .flags = HT_COLUMN_TEXT_ONLY | HT_COLUMN_LEFT | HT_COLUMN_KEEP_END,
     .heading = "site",
     .widest = 24},
    {.key = "row", .flags = HT_COLUMN_DATA_ONLY},
    {.key = "parent", .flags = HT_COLUMN_DATA_ONLY},
    {.key = "depth", .flags = HT_COLUMN_DATA_ONLY},
    {.key = "function", .flags = HT_COLUMN_DATA_ONLY},
    {.key = "file", .flags = HT_COLUMN_DATA_ONLY},
    {.key = "line", .flags = HT_COLUMN_DATA_ONLY},
    {.key = "module", .flags = HT_COLUMN_DATA_ONLY},
    {.key = "inlined", .flags = HT_COLUMN_DATA_ONLY},
    {.key = "build_id", .flags = HT_COLUMN_DATA_ONLY},
    {.key = "address", .flags = HT_COLUMN_DATA_ONLY},
    {.key = "unresolved", .flags = HT_COLUMN_DATA_ONLY},
    {.key = "recursive", .flags = HT_COLUMN_DATA_ONLY},
    HT_COUNTER_COLUMNS(""),
    HT_COUNTER_COLUMNS("self."),
    HT_COUNTER_COLUMNS("total."),
    {0}};

/* What a row of a tree is called depends on what was grouped. */
static char *node_name(const struct ht_report *r, const struct ht_tree_node *n, uint32_t indent)
{
	const struct ht_frame *f = n->frame;
	char *name;
	if (r->by == HT_BY_FILE)
		name = ht_report_site(f->file, 0, f->module);
	else if (r->by == HT_BY_MODULE)
		name = ht_report_site(NULL, 0, f->module);
	else
		name = ht_report_frame_name(f);
	char *shown = ht_xasprintf("%*s%s%s%s", indent < MAX_INDENT ? (int)indent : MAX_INDENT, "",
				   name, f->inlined && r->by <= HT_BY_FUNCTION ? " (inlined)" : "",
				   n->recursive ? " ↻" : "");
	free(name);
	return shown;
}

static char *node_site(const struct ht_report *r, const struct ht_frame *f)
{
	if (r->by == HT_BY_FILE || r->by == HT_BY_MODULE)
		return ht_xstrdup("");
	return ht_report_site(f->file, r->by == HT_BY_FUNCTION ? 0 : f->line, f->module);
}

static void node_cells(const struct ht_report *r, const struct ht_tree_node *n, uint64_t row,
		       uint64_t parent_row, uint32_t indent)
{
	struct ht_emitter *e = r->e;
	char id[2 * HT_BUILD_ID_MAX + 1];
	struct ht_emit_frame f = ht_report_emit_frame(r->a, n->frame, id);
	bool by_frame = r->by != HT_BY_FILE && r->by != HT_BY_MODULE;
	bool unresolved = by_frame && !f.function;
	char *name = node_name(r, n, indent), *site = node_site(r, n->frame);
	ht_emit_cell(e, ht_report_metric(&n->total, r->metric));
	ht_emit_cell(e, ht_report_spread(&n->total, r->metric));
	ht_emit_cell(e, ht_share((double)ht_counters_metric(&n->total, r->metric),
				 (double)ht_counters_metric(&r->a->totals.c, r->metric)));
	ht_emit_cell(e, ht_report_metric(&n->self, r->metric));
	ht_emit_cell(e, ht_report_companion(&n->total, r->metric));
	ht_emit_cell(e, ht_string(name));
	ht_emit_cell(e, ht_string(site));
	free(name);
	free(site);
	ht_emit_cell(e, ht_number(row));
	ht_emit_cell(e, n->parent == HT_NO_NODE ? ht_null() : ht_number(parent_row));
	ht_emit_cell(e, ht_number(n->depth));
	ht_emit_cell(e, ht_string(by_frame ? f.function : NULL));
	ht_emit_cell(e, ht_string(r->by == HT_BY_MODULE ? NULL : f.file));
	ht_emit_cell(e,
		     f.line && r->by != HT_BY_FUNCTION && by_frame ? ht_number(f.line) : ht_null());
	ht_emit_cell(e, ht_string(r->by == HT_BY_FILE ? NULL : f.module));
	ht_emit_cell(e, ht_bool(by_frame && f.inlined));
	ht_emit_cell(e, unresolved ? ht_string(f.build_id) : ht_omit());
	ht_emit_cell(e, unresolved ? ht_hex(f.address) : ht_omit());
	ht_emit_cell(e, unresolved ? ht_string(f.unresolved) : ht_omit());
	ht_emit_cell(e, ht_bool(n->recursive));
	ht_report_counter_cells(e, &n->self);
	ht_report_counter_cells(e, &n->self);
	ht_report_counter_cells(e, &n->total);
	ht_emit_row(e);
}

struct walk {
	const struct ht_report *r;
	const struct ht_tree *t;
	struct shown {
		uint64_t row;
		uint32_t indent;
	} * shown_as; /* of each node that was shown */
	uint64_t shown, limit;
	double smallest;
};

static bool large_enough(const struct walk *w, const struct ht_tree_node *n)
{
	return (double)ht_counters_metric(&n->total, w->r->metric) >= w->smallest;
}

/* Only where a path forks it moves to the right: a stack is deep, a screen is not wide. */
static uint32_t indent_of(const struct walk *w, const struct ht_tree_node *n)
{
	if (n->parent == HT_NO_NODE)
		return 0;
	const struct ht_tree_node *parent = &w->t->nodes[n->parent];
	uint32_t second = w->t->nodes[parent->first_child].next_sibling;
	bool forks = second != HT_NO_NODE && large_enough(w, &w->t->nodes[second]);
	return w->shown_as[n->parent].indent + (forks ? 2 : 0);
}

/* Preorder without recursion: a hostile trace may nest as deep as it is long. */
static void walk_tree(struct walk *w)
{
	const struct ht_tree_node *nodes = w->t->nodes;
	uint32_t i = w->t->first_root;
	while (i != HT_NO_NODE && w->shown < w->limit) {
		const struct ht_tree_node *n = &nodes[i];
		bool show = large_enough(w, n);
		if (show) {
			uint64_t parent = n->parent == HT_NO_NODE ? 0 : w->shown_as[n->parent].row;
			w->shown_as[i] = (struct shown){w->shown, indent_of(w, n)};
			node_cells(w->r, n, w->shown++, parent, w->shown_as[i].indent);
		}
		if (show && n->first_child != HT_NO_NODE) {
			i = n->first_child;
			continue;
		}
		while (i != HT_NO_NODE && nodes[i].next_sibling == HT_NO_NODE)
			i = nodes[i].parent;
		if (i != HT_NO_NODE)
			i = nodes[i].next_sibling;
	}
}

static void show_tree(struct ht_report *r, enum ht_direction direction)
{
	struct ht_column columns[HT_ARRAY_SIZE(tree_columns)];
	struct ht_tree tree;
	bool text = r->e->format == HT_EMIT_TEXT;
	for (size_t i = 0; i < HT_ARRAY_SIZE(columns); i++)
		columns[i] = tree_columns[i];
	columns[4].heading = ht_report_companion_heading(r->metric);
	ht_analysis_tree(r->a, direction, r->metric, &tree);
	struct walk w = {.r = r, .t = &tree, .limit = ht_rows_limit(text ? 60 : SIZE_MAX)};
	if (text && !ht_chosen(HT_CHOICE_LIMIT))
		w.smallest = smallest_share * (double)ht_counters_metric(&tree.sum, r->metric);
	w.shown_as = ht_xcalloc(tree.count, sizeof(*w.shown_as));
	ht_emit_text(r->e, "%s, by %s\n\n",
		     direction == HT_TOP_DOWN ? "callers above what they call"
					      : "callsites above their callers",
		     ht_metric_names[r->metric]);
	ht_emit_table(r->e, "rows", columns);
	walk_tree(&w);
	ht_emit_table_end(r->e, tree.count - w.shown);
	if (!tree.count)
		ht_emit_text(r->e, "nothing matches\n");
	if (w.shown < tree.count)
		ht_emit_text(r->e, "and %s more branches (-n 0 shows all)\n",
			     ht_text_count(tree.count - w.shown).s);
	free(w.shown_as);
	ht_tree_release(&tree);
}

int ht_report_tree(struct ht_report *r, struct ht_diag *d)
{
	(void)d;
	show_tree(r, HT_TOP_DOWN);
	return 0;
}

int ht_report_callers(struct ht_report *r, struct ht_diag *d)
{
	(void)d;
	show_tree(r, HT_BOTTOM_UP);
	return 0;
}
