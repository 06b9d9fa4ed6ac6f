/*
 * chrome_out: an event of the JSON, begun and ended; what differs stands between. Times are microseconds with three
 * decimals, from the timeline's beginning.
 */
#ifndef HT_CHROME_OUT_H
#define HT_CHROME_OUT_H

#include <inttypes.h>

#include "sink.h"
#include "timeline_walk.h"
#include "utf8.h"

struct ht_chrome {
	const struct ht_timeline *t;
	struct ht_sink out;
	uint64_t cut_ns;	    /* nothing from here on */
	uint64_t *pids, *tids;	    /* by process, thread: the kernel's, or one that no other has */
	uint64_t events;
};

/* A pid or tid that an earlier one had gets this much on top: the kernel's numbers end below it. */
#define HT_CHROME_AGAIN (UINT64_C(1) << 22)

static inline void ht_chrome_time(struct ht_buf *b, const char *key, uint64_t ns)
{
	ht_buf_printf(b, ",\"%s\":%" PRIu64 ".%03u", key, ns / 1000, (unsigned)(ns % 1000));
}

static inline void ht_chrome_text(struct ht_buf *b, const char *key, const char *s)
{
	ht_buf_printf(b, ",\"%s\":", key);
	ht_json_string(b, s);
}

/* {"ph":..,"pid":..[,"tid":..][,"ts":..]: thread + 1, 0 is the process itself. */
static inline struct ht_buf *ht_chrome_begin(struct ht_chrome *c, char phase, uint32_t process, uint32_t thread)
{
	struct ht_buf *b = &c->out.text;
	ht_buf_printf(b, "%s\n{\"ph\":\"%c\",\"pid\":%" PRIu64, c->events++ ? "," : "", phase, c->pids[process]);
	if (thread)
		ht_buf_printf(b, ",\"tid\":%" PRIu64, c->tids[thread - 1]);
	return b;
}
static inline struct ht_buf *ht_chrome_on_thread(struct ht_chrome *c, char phase, uint32_t thread, uint64_t ns)
{
	struct ht_buf *b = ht_chrome_begin(c, phase, c->t->threads[thread].process, thread + 1);
	ht_chrome_time(b, "ts", ns > c->t->from_ns ? ns - c->t->from_ns : 0);
	return b;
}
static inline void ht_chrome_end(struct ht_chrome *c)
{
	ht_buf_byte(&c->out.text, '}');
	ht_sink_some(&c->out);
}

/* Slices, arrows and messages of all threads; their states. */
void ht_chrome_write_threads(struct ht_chrome *c, const struct ht_timeline_order *order);
void ht_chrome_write_states(struct ht_chrome *c);

#endif
