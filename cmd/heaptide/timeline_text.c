/*
 * timeline_text: the timeline on a terminal: memory above, a lane a thread, its regions below it, tasks, a legend of
 * the signs that occur, and the longest waits (timeline_waits.c). A hundred columns when standard output is no
 * terminal.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "facts.h"
#include "text.h"
#include "timeline_page.h"

enum { WIDTH = 100, NARROWEST = 70, WIDEST = 320, ROWS = 30, FEWEST_ROWS = 6, AROUND = 16 };
enum { NAME = 15, TID = 8, LABEL = NAME + TID + 1, SHARE = 9, TASK_LINES = 4 };

static void pad(struct ht_page *p, size_t n)
{
	while (n--)
		ht_buf_byte(p->b, ' ');
}

void ht_page_cell(struct ht_page *p, const char *text, size_t columns)
{
	char *fit = ht_text_fit(text, columns, false);
	ht_buf_printf(p->b, "%s", fit);
	pad(p, columns - ht_text_width(fit));
	free(fit);
}

static void label(struct ht_page *p, const char *text)
{
	ht_page_cell(p, text, LABEL);
}

/* --- head --------------------------------------------------------------------------------- */

static const char *plural(size_t n, const char *one, const char *many)
{
	return n == 1 ? one : many;
}

static void say_head(struct ht_page *p)
{
	const struct ht_timeline *t = p->t;
	struct ht_buf rest = {0};
	ht_buf_printf(&rest, " · %s", ht_text_ns(t->to_ns - t->from_ns).s);
	if (p->made->part)
		ht_buf_printf(&rest, " from %s on", ht_text_ns(t->from_ns).s);
	if (t->process_count > 1)
		ht_buf_printf(&rest, " · %s processes", ht_text_count(t->process_count).s);
	ht_buf_printf(&rest, " · %s thread%s", ht_text_count(t->thread_count).s, plural(t->thread_count, "", "s"));
	if (*t->source)
		ht_buf_printf(&rest, " · switches from %s", t->source);
	ht_buf_byte(&rest, '\0');
	size_t width = ht_text_width((const char *)rest.data), room = p->width > width + 10 ? p->width - width : 10;
	char *command = ht_text_fit(*t->command ? t->command : "(unknown command)", room, false);
	ht_buf_printf(p->b, "%s%s\n\n", command, (const char *)rest.data);
	ht_buf_release(&rest);
	free(command);
}

/* --- memory ------------------------------------------------------------------------------- */

/* The highest level of each column, from the level at its beginning on. */
static void add_levels(const struct ht_page *p, const struct ht_timeline_counter *c, uint64_t *levels)
{
	const struct ht_timeline *t = p->t;
	uint64_t level = 0;
	size_t at = 0;
	for (size_t i = 0; i < p->columns; i++) {
		uint64_t most = level;
		while (at < c->point_count && ht_lane_column(t, p->columns, (uint64_t)c->points[at].time_ns) <= i) {
			level = (uint64_t)c->points[at++].bytes;
			most = level > most ? level : most;
		}
		levels[i] += most;
	}
}

/* Several processes' levels add up. */
static void say_memory(struct ht_page *p, const char *name)
{
	uint64_t *levels = ht_xcalloc(p->columns, sizeof(*levels)), most = 0;
	bool any = false;
	for (size_t i = 0; i < p->t->counter_count; i++) {
		if (strcmp(p->t->counters[i].name, name) != 0)
			continue;
		add_levels(p, &p->t->counters[i], levels);
		any = true;
	}
	for (size_t i = 0; i < p->columns; i++)
		most = levels[i] > most ? levels[i] : most;
	if (any) {
		ht_buf_printf(p->b, "%-10s max %s", name, ht_text_bytes(most).s);
		pad(p, LABEL - 15 - ht_text_width(ht_text_bytes(most).s));
		ht_text_sparkline(p->b, levels, p->columns, p->columns);
		ht_buf_byte(p->b, '\n');
	}
	free(levels);
}

/* --- axis --------------------------------------------------------------------------------- */

/* 1, 2 or 5 times a power of ten, so that a label has room for itself. */
static uint64_t nice_step(uint64_t span, size_t columns)
{
	uint64_t least = (uint64_t)((double)span * 11 / (double)columns), step = 1;
	while (step < least) {
		static const uint64_t next[] = {2, 5, 10};
		uint64_t base = step;
		for (size_t i = 0; i < 3 && step < least; i++)
			step = base * next[i];
	}
	return step;
}

/* In the unit of the last label, with as many decimals as the step needs. Deep in a trace it would have too many:
 * then times count from the beginning of the page. */
static struct ht_text tick(uint64_t ns, uint64_t step, uint64_t last, const char *sign)
{
	static const struct {
		uint64_t ns;
		const char *name;
	} units[] = {{1000000000, "s"}, {1000000, "ms"}, {1000, "µs"}, {1, "ns"}};
	struct ht_text text;
	size_t u = 0;
	int decimals = 0;
	while (u < 3 && last < units[u].ns)
		u++;
	for (uint64_t left = units[u].ns; left > step; left /= 10)
		decimals++;
	snprintf(text.s, sizeof(text.s), "%s%.*f %s", sign, decimals, (double)ns / (double)units[u].ns, units[u].name);
	return text;
}

static void say_axis(struct ht_page *p)
{
	const struct ht_timeline *t = p->t;
	uint64_t span = t->to_ns - t->from_ns, step = nice_step(span, p->columns);
	bool relative = t->from_ns / 1000 > span;
	uint64_t zero = relative ? t->from_ns : 0, first = (t->from_ns - zero + step - 1) / step * step;
	size_t labels = 0, ticks = 0;
	struct ht_buf line = {0};
	for (uint64_t ns = first; ns <= t->to_ns - zero; ns += step) {
		size_t column = ht_lane_column(t, p->columns, ns + zero);
		struct ht_text text = tick(ns, step, t->to_ns - zero, relative ? "+" : "");
		if (column + ht_text_width(text.s) > p->columns || (labels && column < labels + 1))
			continue;
		for (; labels < column; labels++)
			ht_buf_byte(&line, ' ');
		ht_buf_printf(&line, "%s", text.s);
		labels += ht_text_width(text.s);
	}
	label(p, "");
	ht_buf_append(p->b, line.data, line.len);
	if (p->states) {
		pad(p, p->columns - labels);
		ht_buf_printf(p->b, "  running");
	}
	ht_buf_byte(p->b, '\n');
	label(p, "");
	for (uint64_t ns = first; ticks < p->columns; ticks++) {
		bool mark = ns <= t->to_ns - zero && ht_lane_column(t, p->columns, ns + zero) == ticks;
		ht_buf_printf(p->b, "%s", mark ? "┬" : "─");
		ns += mark ? step : 0;
	}
	ht_buf_byte(p->b, '\n');
	ht_buf_release(&line);
}

/* --- lanes -------------------------------------------------------------------------------- */

struct lane {
	uint32_t thread;
	uint64_t weight, running_ns;
	bool regions;
};

static int heaviest(const void *pa, const void *pb)
{
	const struct lane *a = pa, *b = pb;
	if (a->weight != b->weight)
		return a->weight > b->weight ? -1 : 1;
	return a->thread < b->thread ? -1 : a->thread > b->thread;
}

static int in_order(const void *pa, const void *pb)
{
	const struct lane *a = pa, *b = pb;
	return a->thread < b->thread ? -1 : a->thread > b->thread;
}

/* How many of them fit, with a line for each process where there are several, and one for regions. */
static size_t how_many_fit(const struct ht_page *p, const struct lane *lanes)
{
	const struct ht_timeline *t = p->t;
	bool *named = ht_xcalloc(t->process_count, sizeof(*named));
	size_t rows = 0, i = 0;
	for (; i < t->thread_count; i++) {
		uint32_t process = t->threads[lanes[i].thread].process;
		rows += 1 + lanes[i].regions + (t->process_count > 1 && !named[process]);
		named[process] = true;
		if (rows > p->rows)
			break;
	}
	free(named);
	return i;
}

/* The threads that did most: ran, or, where that is not known, allocated. */
static struct lane *choose_lanes(const struct ht_page *p, size_t *count)
{
	const struct ht_timeline *t = p->t;
	struct lane *all = ht_xcalloc(t->thread_count, sizeof(*all));
	for (uint32_t i = 0; i < t->thread_count; i++)
		all[i].thread = i;
	for (size_t i = 0; i < t->span_count; i++)
		if (t->spans[i].state == HT_TIMELINE_RUNNING)
			all[t->spans[i].thread].running_ns += t->spans[i].end_ns - t->spans[i].begin_ns;
	for (size_t i = 0; i < t->slice_count; i++) {
		struct lane *l = &all[t->slices[i].thread];
		l->regions |= t->slices[i].category == HT_TIMELINE_REGION;
		if (t->slices[i].category == HT_TIMELINE_BURST && !p->states)
			l->weight += t->slices[i].objects;
	}
	for (uint32_t i = 0; p->states && i < t->thread_count; i++)
		all[i].weight = all[i].running_ns;
	qsort(all, t->thread_count, sizeof(*all), heaviest);
	*count = how_many_fit(p, all);
	qsort(all, *count, sizeof(*all), in_order);
	return all;
}

static void say_states(struct ht_page *p, uint32_t thread)
{
	uint8_t *classes = ht_xcalloc(p->columns, 1);
	unsigned now = HT_LANE_NONE;
	ht_lane_states(p->t, thread, p->columns, classes);
	for (size_t i = 0; i < p->columns; i++) {
		const struct ht_lane_look *look = &ht_lane_looks[classes[i]];
		if (p->coloured && classes[i] != now)
			ht_buf_printf(p->b, "\033[0m%s", look->colour);
		now = classes[i];
		p->used[now] = true;
		ht_buf_printf(p->b, "%s", look->sign);
	}
	if (p->coloured)
		ht_buf_printf(p->b, "\033[0m");
	free(classes);
}

/* Where states are not known: how much the thread allocated, against the busiest column of all. */
static void say_allocations(struct ht_page *p, uint32_t thread, uint64_t most)
{
	uint64_t *objects = ht_xcalloc(p->columns, sizeof(*objects));
	ht_lane_allocations(p->t, thread, p->columns, objects);
	for (size_t i = 0; i < p->columns; i++) {
		if (!objects[i]) {
			ht_buf_byte(p->b, ' ');
			continue;
		}
		unsigned step = most ? (unsigned)((double)objects[i] / (double)most * 7.999) : 0;
		ht_buf_append(p->b, "\xe2\x96", 2);
		ht_buf_byte(p->b, (uint8_t)(0x81 + (step > 7 ? 7 : step)));
	}
	free(objects);
}

static uint64_t busiest(const struct ht_page *p, const struct lane *lanes, size_t count)
{
	uint64_t most = 0, *objects = ht_xcalloc(p->columns, sizeof(*objects));
	for (size_t i = 0; i < count; i++) {
		ht_lane_allocations(p->t, lanes[i].thread, p->columns, objects);
		for (size_t c = 0; c < p->columns; c++)
			most = objects[c] > most ? objects[c] : most;
	}
	free(objects);
	return most;
}

static void say_lane(struct ht_page *p, const struct lane *l, uint64_t most)
{
	const struct ht_timeline_thread *x = &p->t->threads[l->thread];
	struct ht_buf regions = {0};
	uint64_t life = x->end_ns - x->start_ns;
	ht_page_cell(p, x->name, NAME);
	ht_buf_printf(p->b, " %*u ", TID - 1, x->tid);
	if (p->states)
		say_states(p, l->thread);
	else
		say_allocations(p, l->thread, most);
	if (p->states && life)
		ht_buf_printf(p->b, " %*s", SHARE - 1, ht_text_share((double)l->running_ns / (double)life).s);
	ht_buf_byte(p->b, '\n');
	if (ht_lane_regions(p->t, l->thread, p->columns, &regions)) {
		label(p, "");
		ht_buf_append(p->b, regions.data, regions.len);
		ht_buf_byte(p->b, '\n');
	}
	ht_buf_release(&regions);
}

static void say_lanes(struct ht_page *p)
{
	const struct ht_timeline *t = p->t;
	size_t count;
	uint32_t process = UINT32_MAX;
	struct lane *lanes = choose_lanes(p, &count);
	uint64_t most = p->states ? 0 : busiest(p, lanes, count);
	for (size_t i = 0; i < count; i++) {
		const struct ht_timeline_process *owner = &t->processes[t->threads[lanes[i].thread].process];
		if (t->process_count > 1 && t->threads[lanes[i].thread].process != process) {
			const char *name = *owner->command ? owner->command : owner->name;
			char *text = ht_text_fit(name, LABEL + p->columns - 16, false);
			ht_buf_printf(p->b, "%s (pid %u)\n", text, owner->pid);
			free(text);
		}
		process = t->threads[lanes[i].thread].process;
		say_lane(p, &lanes[i], most);
		ht_output_flush_some(p->out);
	}
	if (count < t->thread_count) {
		uint64_t rest = 0, all = 0;
		for (size_t i = 0; i < t->thread_count; i++) {
			all += lanes[i].weight;
			rest += i < count ? 0 : lanes[i].weight;
		}
		ht_buf_printf(p->b, "and %s more thread%s (%s of what was %s): --thread, --process show them\n",
			      ht_text_count(t->thread_count - count).s, plural(t->thread_count - count, "", "s"),
			      ht_text_share(all ? (double)rest / (double)all : 0).s, p->states ? "run" : "allocated");
	}
	free(lanes);
}

/* What does not fit together by the clocks of threads and kernel. */
static void say_misfits(struct ht_page *p)
{
	if (p->made->cut_slices)
		ht_buf_printf(p->b, "%s of %s slices crossed others of their thread, and were cut\n",
			      ht_text_count(p->made->cut_slices).s, ht_text_count(p->t->slice_count).s);
	if (p->made->lost_arrows)
		ht_buf_printf(p->b, "%s wakes came after the waits that they ended, and are not shown\n",
			      ht_text_count(p->made->lost_arrows).s);
}

static void say_legend(struct ht_page *p)
{
	if (!p->states) {
		ht_buf_printf(p->b, "each lane: how much the thread allocated\n");
		return;
	}
	size_t used = 0;
	for (unsigned c = HT_LANE_UNKNOWN; c < HT_LANE_CLASSES; c++) {
		const struct ht_lane_look *look = &ht_lane_looks[c];
		size_t width = 2 + strlen(look->meaning);
		if (!p->used[c])
			continue;
		if (used && used + 2 + width > p->width) {
			ht_buf_byte(p->b, '\n');
			used = 0;
		}
		ht_buf_printf(p->b, "%s%s%s%s %s", used ? "  " : "", p->coloured ? look->colour : "", look->sign,
			      p->coloured ? "\033[0m" : "", look->meaning);
		used += width + (used ? 2 : 0);
	}
	ht_buf_byte(p->b, '\n');
}

/* --- tasks -------------------------------------------------------------------------------- */

/* Each into the first line that it fits into. */
static void say_tasks(struct ht_page *p)
{
	const struct ht_timeline *t = p->t;
	struct ht_lane_bracket *lines[TASK_LINES];
	size_t counts[TASK_LINES] = {0}, left = 0;
	for (size_t i = 0; i < TASK_LINES; i++)
		lines[i] = ht_xcalloc(t->task_count, sizeof(*lines[i]));
	for (size_t i = 0; i < t->task_count; i++) {
		const struct ht_timeline_task *x = &t->tasks[i];
		size_t k = 0;
		while (k < TASK_LINES && counts[k] && lines[k][counts[k] - 1].end_ns > x->begin_ns)
			k++;
		if (k == TASK_LINES)
			left++;
		else
			lines[k][counts[k]++] = (struct ht_lane_bracket){x->begin_ns, x->end_ns, x->name};
	}
	for (size_t i = 0; i < TASK_LINES; i++) {
		if (counts[i]) {
			label(p, i ? "" : "tasks");
			ht_lane_brackets(t, lines[i], counts[i], p->columns, p->b);
			ht_buf_byte(p->b, '\n');
		}
		free(lines[i]);
	}
	if (left)
		ht_buf_printf(p->b, "and %s more task%s at the same time: --task=NAME, --from, --to show them\n",
			      ht_text_count(left).s, plural(left, "", "s"));
}

/* --- page --------------------------------------------------------------------------------- */

static void measure(struct ht_page *p)
{
	struct winsize size;
	size_t width = WIDTH;
	p->rows = ROWS;
	if (isatty(STDOUT_FILENO) && !ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) && size.ws_col) {
		width = size.ws_col < NARROWEST ? NARROWEST : size.ws_col > WIDEST ? WIDEST : size.ws_col;
		p->rows = size.ws_row > AROUND + FEWEST_ROWS ? size.ws_row - AROUND : FEWEST_ROWS;
	}
	p->states = p->t->span_count > 0;
	p->width = width;
	p->columns = width - LABEL - (p->states ? SHARE : 0);
	p->coloured = *ht_text_bold();
}

int ht_timeline_text_page(const struct ht_timeline_made *m, const char *path, struct ht_diag *d)
{
	struct ht_output out;
	int r = ht_output_open(&out, NULL, path, d);
	if (r)
		return r;
	struct ht_page p = {.made = m, .t = &m->timeline, .out = &out, .b = &out.buf};
	measure(&p);
	say_head(&p);
	say_memory(&p, "live bytes");
	say_memory(&p, "RSS");
	if (p.t->thread_count) {
		say_axis(&p);
		say_lanes(&p);
		say_tasks(&p);
		say_legend(&p);
		say_misfits(&p);
	} else {
		ht_buf_printf(p.b, "no thread is in what is selected\n");
	}
	ht_page_waits(&p);
	ht_buf_printf(p.b, "\nnext: heaptide timeline -o timeline.pftrace %s    for ui.perfetto.dev\n", path);
	return ht_output_close(&out, d);
}
