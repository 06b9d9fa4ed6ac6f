/* latency_wakers: see latency_wakers.h. Here: what is one object, and the last wake before an end; the queues are in
 * wake_marks.c. */
#include "latency_wakers.h"

#include <stdlib.h>
#include <string.h>

#include "latency_order.h"
#include "wake_marks.h"

/* --- objects ------------------------------------------------------------------------------ */

struct key {
	uint64_t object;
	uint32_t image; /* UINT32_MAX: of all */
	uint32_t kind;
};

struct table {
	struct key *keys;
	uint32_t *numbers; /* 0: free */
	size_t mask, count;
};

/* What is behind a descriptor; whoever polls it waits for the same. */
static bool behind_descriptor(unsigned kind)
{
	return kind == HT_WAIT_POLL || kind == HT_WAIT_NET || kind == HT_WAIT_PIPE || kind == HT_WAIT_OTHER;
}

static bool has_objects(unsigned kind)
{
	return kind && kind != HT_WAIT_SLEEP && kind != HT_WAIT_DISK && kind < HT_WAIT_KINDS;
}

/* Inodes are the same everywhere; what has none is named by its descriptor, in the highest bit, and one image's own. */
static struct key key_of(const struct ht_trace *t, unsigned kind, uint32_t thread, uint64_t object)
{
	const struct ht_thread_info *info = ht_trace_thread(t, thread);
	bool shared = behind_descriptor(kind) && !(object >> 63);
	return (struct key){object, shared || !info ? UINT32_MAX : info->image,
			    behind_descriptor(kind) ? HT_WAIT_OTHER : kind};
}

static size_t slot_of(const struct table *t, const struct key *k)
{
	uint64_t h = (k->object ^ ((uint64_t)k->image << 32 | k->kind)) * UINT64_C(0x9e3779b97f4a7c15);
	size_t at = (size_t)(h ^ h >> 29) & t->mask;
	while (t->numbers[at] && memcmp(&t->keys[at], k, sizeof(*k)))
		at = (at + 1) & t->mask;
	return at;
}

static void make_table(struct table *t, size_t places)
{
	*t = (struct table){.mask = places - 1};
	t->keys = ht_xcalloc(places, sizeof(*t->keys));
	t->numbers = ht_xcalloc(places, sizeof(*t->numbers));
}

static void free_table(struct table *t)
{
	free(t->keys);
	free(t->numbers);
}

static void grow_table(struct table *t)
{
	struct table bigger;
	make_table(&bigger, 2 * (t->mask + 1));
	for (size_t i = 0; i <= t->mask; i++) {
		if (!t->numbers[i])
			continue;
		size_t at = slot_of(&bigger, &t->keys[i]);
		bigger.keys[at] = t->keys[i];
		bigger.numbers[at] = t->numbers[i];
	}
	bigger.count = t->count;
	free_table(t);
	*t = bigger;
}

static uint32_t number_of(struct table *t, const struct key *k, bool make)
{
	size_t at = slot_of(t, k);
	if (t->numbers[at] || !make)
		return t->numbers[at];
	if (2 * t->count > t->mask) {
		grow_table(t);
		at = slot_of(t, k);
	}
	t->keys[at] = *k;
	return t->numbers[at] = (uint32_t)++t->count;
}

static void number_objects(struct ht_latency *l)
{
	struct table t;
	make_table(&t, 1024);
	for (size_t i = 0; i < l->wait_count; i++) {
		struct ht_waited *w = &l->waits[i];
		struct key k = key_of(l->trace, w->w.kind, w->w.thread, w->w.object);
		w->object = w->w.object && has_objects(w->w.kind) ? number_of(&t, &k, true) : 0;
	}
	l->wake_objects = ht_xcalloc(l->wake_count + 1, sizeof(*l->wake_objects));
	for (size_t i = 0; i < l->wake_count; i++) {
		const struct ht_wake *w = &l->wakes[i];
		struct key k = key_of(l->trace, w->kind, w->thread, w->object);
		l->wake_objects[i] = w->object && has_objects(w->kind) ? number_of(&t, &k, false) : 0;
	}
	l->object_count = (uint32_t)t.count;
	free_table(&t);
}

/* One thread may have waked all of these; a forged trace shall not cost the square of them. */
enum { FARTHEST = 4096 };

/* --- the last wake before an end ---------------------------------------------------------- */

static bool reads(unsigned call)
{
	return call == HT_CALL_READ || call == HT_CALL_READV || call == HT_CALL_PREAD || call == HT_CALL_PREADV ||
	       call == HT_CALL_RECV || call == HT_CALL_RECVFROM || call == HT_CALL_RECVMSG || call == HT_CALL_ACCEPT;
}

static bool writes(unsigned call)
{
	return call == HT_CALL_WRITE || call == HT_CALL_WRITEV || call == HT_CALL_PWRITE || call == HT_CALL_PWRITEV ||
	       call == HT_CALL_SEND || call == HT_CALL_SENDTO || call == HT_CALL_SENDMSG || call == HT_CALL_SENDFILE;
}

/* Whoever got or got rid of something was not let go by a close: that of a pipe's other end moves nothing. */
static bool moved(const struct ht_wait *wait)
{
	return (reads(wait->call) || writes(wait->call)) && wait->detail;
}

bool ht_wake_fits(const struct ht_wake *wake, const struct ht_wait *wait)
{
	return !(reads(wait->call) && reads(wake->call)) && !(writes(wait->call) && writes(wake->call)) &&
	       !(wake->call == HT_CALL_CLOSE && moved(wait));
}

/* The first of the object's wakes later than ns, as a position in lists->wakes. */
static size_t later(const struct ht_latency *l, const struct ht_wake_lists *lists, uint32_t object, uint64_t ns)
{
	size_t lo = lists->first[object], hi = lists->first[object + 1];
	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		if (l->wakes[lists->wakes[mid]].time_ns <= ns)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

uint32_t ht_wake_within(const struct ht_latency *l, const struct ht_wake_lists *lists, uint32_t object, uint32_t thread,
			uint64_t from, uint64_t to, bool last)
{
	if (!object)
		return 0;
	size_t first = from ? later(l, lists, object, from - 1) : lists->first[object],
	       end = later(l, lists, object, to);
	for (unsigned n = 0; first < end && n < FARTHEST; n++) {
		uint32_t at = lists->wakes[last ? --end : first++];
		if (l->wakes[at].thread != thread)
			return at + 1;
	}
	return 0;
}

/* Readers wait for a writer: other readers' unlocks in between are of those who were let in with them. */
static uint32_t last_writer(const struct ht_latency *l, const struct ht_wake_lists *lists, const struct ht_waited *w,
			    uint64_t from)
{
	size_t first = lists->first[w->object], end = later(l, lists, w->object, w->w.end_ns);
	for (unsigned n = 0; first < end && n < FARTHEST; n++) {
		uint32_t at = lists->wakes[--end];
		const struct ht_wake *wake = &l->wakes[at];
		if (wake->time_ns < from)
			return 0;
		if (!(wake->flags & HT_WAITED_SHARED) && wake->thread != w->w.thread)
			return at + 1;
	}
	return 0;
}

static uint32_t last_wake(const struct ht_latency *l, const struct ht_wake_lists *lists, const struct ht_waited *w)
{
	uint64_t begin = w->w.begin_ns, end = w->w.end_ns;
	uint64_t from = begin > HT_CLOCK_TOLERANCE_NS ? begin - HT_CLOCK_TOLERANCE_NS : 0;
	if (w->w.outcome == HT_OUTCOME_TIMEOUT || w->w.outcome == HT_OUTCOME_FAILED ||
	    w->w.outcome == HT_OUTCOME_INTERRUPTED)
		return 0;
	if (w->w.kind == HT_WAIT_JOIN)
		from = 0;
	if (w->w.kind == HT_WAIT_RWLOCK && (w->w.flags & HT_WAITED_SHARED)) {
		uint32_t wake = last_writer(l, lists, w, from);
		if (wake)
			return wake;
	}
	uint32_t wake = ht_wake_within(l, lists, w->object, w->w.thread, from, end, true);
	/* Who lets go just as a waiter comes sees that afterwards. */
	if (!wake)
		wake = ht_wake_within(l, lists, w->object, w->w.thread, end, end + HT_CLOCK_TOLERANCE_NS, false);
	return wake;
}

/* --- all of it ---------------------------------------------------------------------------- */

static bool queues(unsigned kind)
{
	return kind == HT_WAIT_COND || kind == HT_WAIT_SEM || behind_descriptor(kind);
}

void ht_latency_find_wakers(struct ht_latency *l, struct ht_wake_lists *lists)
{
	number_objects(l);
	size_t objects = (size_t)l->object_count + 1;
	lists->first = ht_xcalloc(objects + 1, sizeof(*lists->first));
	lists->wakes =
	    ht_group_positions(l->wake_objects, l->wake_count, sizeof(*l->wake_objects), 0, lists->first, objects);
	size_t *first = ht_xcalloc(objects + 1, sizeof(*first));
	uint32_t *waits = ht_group_positions(l->waits, l->wait_count, sizeof(*l->waits),
					     offsetof(struct ht_waited, object), first, objects);
	for (size_t o = 1; o < objects; o++) {
		size_t n = first[o + 1] - first[o];
		if (queues(l->waits[waits[first[o]]].w.kind)) {
			ht_mark_wakes(l, waits + first[o], n, lists->wakes + lists->first[o],
				      lists->first[o + 1] - lists->first[o]);
			continue;
		}
		for (size_t i = first[o]; i < first[o + 1]; i++)
			l->waits[waits[i]].wake = last_wake(l, lists, &l->waits[waits[i]]);
	}
	free(first);
	free(waits);
}

void ht_wake_lists_release(struct ht_wake_lists *lists)
{
	free(lists->first);
	free(lists->wakes);
}
