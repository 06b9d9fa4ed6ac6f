/*
 * trace_header: what stands in front of a trace's blocks: magic, version, length, fields by number, checksum. A field that
 * this version does not know is skipped; a header that does not hold costs the settings, not the trace.
 */
#include "trace_reader.h"
#include "trace_totals.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static char *text_of(const uint8_t *at, size_t n)
{
	char *s = ht_xcalloc(n + 2, 1); /* two NULs: a command ends in an empty string */
	memcpy(s, at, n);
	return s;
}

static void set_text(struct ht_trace *t, unsigned slot, const char **field, const uint8_t *at,
		     size_t n)
{
	free(t->texts[slot]);
	*field = t->texts[slot] = text_of(at, n);
}

static void header_field(struct ht_trace *t, uint64_t key, const uint8_t *at, size_t n)
{
	struct ht_trace_settings *s = &t->settings;
	struct ht_cursor c = {at, at + n, false};
	uint64_t v = key < HT_HEADER_CLOCK ? ht_cursor_varint(&c) : 0;
	switch (key) {
	case HT_HEADER_START_UTC:
		s->start_utc_ns = v;
		break;
	case HT_HEADER_START_MONOTONIC:
		s->start_monotonic_ns = v;
		break;
	case HT_HEADER_START_BOOTTIME:
		s->start_boottime_ns = v;
		break;
	case HT_HEADER_TIME_UNIT:
		s->time_unit_ns = (uint32_t)v;
		break;
	case HT_HEADER_ADDRESSES:
		s->addresses = v != 0;
		break;
	case HT_HEADER_SAMPLE_BYTES:
		s->sample_bytes = v;
		break;
	case HT_HEADER_FREE_STACKS:
		s->free_stacks = v != 0;
		break;
	case HT_HEADER_STACK_DEPTH:
		s->stack_depth = (uint32_t)v;
		break;
	case HT_HEADER_CLOCK:
		set_text(t, 0, &s->clock, at, n);
		break;
	case HT_HEADER_SCHED:
		set_text(t, 1, &s->sched, at, n);
		break;
	case HT_HEADER_COMMAND:
		set_text(t, 2, &s->command, at, n);
		break;
	case HT_HEADER_HOSTNAME:
		set_text(t, 3, &s->hostname, at, n);
		break;
	case HT_HEADER_FLAGS:
		set_text(t, 4, &s->flags, at, n);
		break;
	case HT_HEADER_EVENTS:
		s->events = ht_classes_of((const char *)at, n);
		break;
	default:
		break; /* of a later version */
	}
}

static void default_settings(struct ht_trace *t)
{
	t->settings = (struct ht_trace_settings){.time_unit_ns = 1000,
						 .clock = "",
						 .sched = "",
						 .command = "\0",
						 .hostname = "",
						 .flags = ""};
}

/* Is this a trace's magic but for a byte or two that rotted? */
static bool nearly_magic(const uint8_t *at)
{
	int same = 0;
	for (int i = 0; i < HT_FILE_MAGIC_LEN; i++)
		same += at[i] == (uint8_t)HT_FILE_MAGIC[i];
	return same >= HT_FILE_MAGIC_LEN - 2;
}

static int check_header(struct ht_trace *t, const uint8_t *fixed, struct ht_diag *d)
{
	uint32_t len = (uint32_t)fixed[12] | (uint32_t)fixed[13] << 8 | (uint32_t)fixed[14] << 16 |
		       (uint32_t)fixed[15] << 24;
	uint32_t major = (uint32_t)fixed[8] | (uint32_t)fixed[9] << 8;
	if (len < HT_FILE_FIXED + 8 || len > HT_FILE_HEADER_MAX)
		return HT_ERR_DAMAGED;
	uint8_t *all = ht_xmalloc(len);
	int64_t got = ht_pread_all(t->fd, all, len, 0);
	struct ht_cursor c = {all + HT_FILE_FIXED, all + len - 8, false},
			 hash = {all + len - 8, all + len, false};
	int err = 0;
	if (got < (int64_t)len) {
		err = HT_ERR_TRUNCATED;
	} else if (memcmp(all, HT_FILE_MAGIC, HT_FILE_MAGIC_LEN) ||
		   ht_cursor_u64(&hash) != ht_trace_hash(all, len - 8)) {
		err = HT_ERR_DAMAGED;
	} else if (major != HT_TRACE_VERSION) {
		err = ht_fail(d, HT_ERR_VERSION,
			      major > HT_TRACE_VERSION
				  ? "%s: a trace of format version %u; this heaptide reads up to %d"
				  : "%s: a trace of format version %u, which only unreleased heaptides wrote; "
				    "this one reads %d: record it anew",
			      t->path, major, HT_TRACE_VERSION);
	} else {
		while (ht_cursor_left(&c) && !c.bad) {
			uint64_t key = ht_cursor_varint(&c), n = ht_cursor_varint(&c);
			const uint8_t *at = ht_cursor_bytes(&c, n);
			if (at)
				header_field(t, key, at, n);
		}
		if (!t->settings.time_unit_ns)
			t->settings.time_unit_ns = 1;
		t->header_len = len;
	}
	free(all);
	return err;
}

int ht_trace_read_header(struct ht_trace *t, struct ht_diag *d)
{
	uint8_t fixed[HT_FILE_FIXED];
	default_settings(t);
	int64_t got = ht_pread_all(t->fd, fixed, sizeof(fixed), 0);
	if (got < 0)
		return ht_fail(d, HT_ERR_SYSTEM, "%s: %s", t->path, strerror(errno));
	if (got == 0)
		return ht_fail(d, HT_ERR_NOT_A_TRACE, "%s: not a trace: the file is empty",
			       t->path);
	if (got < HT_FILE_MAGIC_LEN || !nearly_magic(fixed))
		return ht_fail(d, HT_ERR_NOT_A_TRACE, "%s: not a trace", t->path);
	int err = got < HT_FILE_FIXED ? HT_ERR_TRUNCATED : check_header(t, fixed, d);
	if (err == HT_ERR_TRUNCATED) {
		bool zeros;
		t->header_len = t->size;
		if (ht_trace_resync(t, HT_FILE_MAGIC_LEN, &zeros) < t->size)
			err = HT_ERR_DAMAGED; /* there are blocks: it is the length that is wrong */
	}
	if (err == HT_ERR_DAMAGED) {
		t->header_len = 0;
		ht_trace_damage(t, 0, 0, "the file's header does not hold");
		return 0;
	}
	return err == HT_ERR_TRUNCATED ? 0 : err;
}
