/*
 * emit: each number is emitted once in code and comes out as an aligned text table, JSON or CSV.
 *
 *   text   items in lines ("label value   label value"), titled tables of at most 100 columns
 *   JSON   one object whose first key is "schema"; keys of columns may be dotted: neighbouring
 *          columns "self.bytes" and "self.allocs" become one object "self"; dots nest
 *   CSV    tables only: a line of keys, then rows; cells that a spreadsheet would take for a
 * formula start with an apostrophe
 *
 * A value is unknown (null), or left out (no key at all), or has a kind that says how it is
 * written. Strings may hold any bytes: what is written is valid UTF-8 without control characters.
 */
#ifndef HT_EMIT_H
#define HT_EMIT_H

#include "base.h"
#include "output.h"

enum ht_emit_format { HT_EMIT_TEXT, HT_EMIT_JSON, HT_EMIT_CSV };

/* A frame as reports show it. */
struct ht_emit_frame {
	const char *function, *file, *module; /* NULL unknown */
	uint32_t line;			      /* 0 unknown */
	bool inlined;
	const char *build_id; /* hex; written for unresolved frames only */
	uint64_t address;
	const char *unresolved; /* reason, or NULL */
};

enum ht_value_kind {
	HT_VALUE_NULL, /* unknown: null, "-" in text */
	HT_VALUE_OMIT, /* no key; an empty cell */
	HT_VALUE_COUNT,
	HT_VALUE_NUMBER, /* written as it is: pids, line numbers, versions */
	HT_VALUE_SIGNED, /* n is an int64_t */
	HT_VALUE_BYTES,
	HT_VALUE_NS,
	HT_VALUE_UTC,	/* nanoseconds of the epoch */
	HT_VALUE_SHARE, /* 0 to 1 */
	HT_VALUE_REAL,
	HT_VALUE_BOOL,
	HT_VALUE_STRING,
	HT_VALUE_HEX,	 /* an address: "0x1f" */
	HT_VALUE_FRAMES, /* leaf first */
	HT_VALUE_COUNTS, /* numbers in a row; a sparkline in text */
	HT_VALUE_OBJECTS, /* small objects with the same keys; elsewhere their values */
};
struct ht_emit_field;
struct ht_value {
	enum ht_value_kind kind;
	union {
		uint64_t n;
		double real;
		const char *string;
		const struct ht_emit_frame *frames;
		const uint64_t *counts;
		const struct ht_emit_field *fields;
	};
	size_t count; /* FRAMES, COUNTS, OBJECTS */
	size_t width; /* OBJECTS: fields of each */
};
struct ht_emit_field {
	const char *key;
	struct ht_value value;
};

static inline struct ht_value ht_null(void)
{
	return (struct ht_value){.kind = HT_VALUE_NULL};
}
static inline struct ht_value ht_omit(void)
{
	return (struct ht_value){.kind = HT_VALUE_OMIT};
}
static inline struct ht_value ht_count(uint64_t n)
{
	return (struct ht_value){.kind = HT_VALUE_COUNT, .n = n};
}
static inline struct ht_value ht_number(uint64_t n)
{
	return (struct ht_value){.kind = HT_VALUE_NUMBER, .n = n};
}
static inline struct ht_value ht_signed(int64_t n)
{
	return (struct ht_value){.kind = HT_VALUE_SIGNED, .n = (uint64_t)n};
}
static inline struct ht_value ht_bytes(uint64_t n)
{
	return (struct ht_value){.kind = HT_VALUE_BYTES, .n = n};
}
static inline struct ht_value ht_ns(uint64_t n)
{
	return (struct ht_value){.kind = HT_VALUE_NS, .n = n};
}
/* The time, or unknown when it is UINT64_MAX. */
static inline struct ht_value ht_known_ns(uint64_t n)
{
	return n == UINT64_MAX ? ht_null() : ht_ns(n);
}
static inline struct ht_value ht_utc(uint64_t n)
{
	return (struct ht_value){.kind = HT_VALUE_UTC, .n = n};
}
static inline struct ht_value ht_share(double part, double whole)
{
	return whole > 0 ? (struct ht_value){.kind = HT_VALUE_SHARE, .real = part / whole}
			 : ht_null();
}
static inline struct ht_value ht_real(double v)
{
	return (struct ht_value){.kind = HT_VALUE_REAL, .real = v};
}
static inline struct ht_value ht_bool(bool v)
{
	return (struct ht_value){.kind = HT_VALUE_BOOL, .n = v};
}
/* NULL is unknown. */
static inline struct ht_value ht_string(const char *s)
{
	return s ? (struct ht_value){.kind = HT_VALUE_STRING, .string = s} : ht_null();
}
static inline struct ht_value ht_hex(uint64_t n)
{
	return (struct ht_value){.kind = HT_VALUE_HEX, .n = n};
}
static inline struct ht_value ht_frames(const struct ht_emit_frame *f, size_t n)
{
	return (struct ht_value){.kind = HT_VALUE_FRAMES, .frames = f, .count = n};
}

static inline struct ht_value ht_counts(const uint64_t *counts, size_t n)
{
	return (struct ht_value){.kind = HT_VALUE_COUNTS, .counts = counts, .count = n};
}

/* count objects of width fields each, one after the other. */
static inline struct ht_value ht_objects(const struct ht_emit_field *fields, size_t width, size_t count)
{
	return (struct ht_value){.kind = HT_VALUE_OBJECTS, .fields = fields, .count = count, .width = width};
}

/* emit_value.c: how a value reads in text, JSON and CSV: appended, clean. */
void ht_value_text(struct ht_buf *out, const struct ht_value *v);
void ht_value_json(struct ht_buf *out, const struct ht_value *v);
void ht_value_csv(struct ht_buf *out, const struct ht_value *v);

enum ht_column_flag {
	HT_COLUMN_LEFT = 1, /* aligned left; numbers stand right */
	HT_COLUMN_FLEX =
	    2, /* takes what the others leave of 100 columns, cut at its end; one per table */
	HT_COLUMN_KEEP_END = 4,	  /* cut at its beginning */
	HT_COLUMN_DATA_ONLY = 8,  /* JSON and CSV */
	HT_COLUMN_TEXT_ONLY = 16, /* text */
	HT_COLUMN_ESTIMATE = 32,  /* only where the numbers are estimates */
};
struct ht_column {
	const char *key, *heading; /* key NULL ends the table of columns */
	unsigned flags;
	unsigned widest;    /* cut to this many columns in text, 0 = free */
	unsigned narrowest; /* at least so wide in text, so that tables below each other align */
};

struct ht_emitter {
	enum ht_emit_format format;
	struct ht_output *out;
	/* JSON: what is open, innermost last; first: nothing written in it yet */
	struct {
		char closing;
		bool first;
	} open[12];
	int depth;
	bool in_line; /* text: something stands on the current line */
	const struct ht_column *columns;
	size_t column_count, column; /* of the table being written, and the next cell */
	char **cells;		     /* text: row after row */
	size_t cell_count, cell_cap;
	char group[64]; /* JSON: open dotted prefix of the current row */
	bool any_table;
	bool estimates; /* the numbers are; set before the first table */
};

void ht_emit_begin(struct ht_emitter *e, enum ht_emit_format format, struct ht_output *out,
		   const char *schema);
void ht_emit_end(struct ht_emitter *e);

/* JSON alone. key NULL inside arrays. */
void ht_emit_object(struct ht_emitter *e, const char *key);
void ht_emit_array(struct ht_emitter *e, const char *key);
void ht_emit_close(struct ht_emitter *e);
void ht_emit_json(struct ht_emitter *e, const char *key, struct ht_value v);

/* Text alone: appended as it is (names must be clean). */
void ht_emit_text(struct ht_emitter *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Between two clean texts one that may hold anything, made clean. */
void ht_emit_clean(struct ht_emitter *e, const char *before, const char *text, const char *after);
void ht_emit_newline(struct ht_emitter *e); /* ends the line if something stands on it */

/* JSON "key": value; text "label value" on the current line, three spaces after what stands there.
 */
void ht_emit_item(struct ht_emitter *e, const char *key, const char *label, struct ht_value v);

/* A table: an array under key in JSON. columns live until the end of the table. */
void ht_emit_table(struct ht_emitter *e, const char *key, const struct ht_column *columns);
void ht_emit_cell(struct ht_emitter *e, struct ht_value v);
/* After the last cell of a row. */
void ht_emit_row(struct ht_emitter *e);
/* truncated: rows that a limit cut; JSON "truncated_rows" beside the array. UINT64_MAX: says
 * nothing. */
void ht_emit_table_end(struct ht_emitter *e, uint64_t truncated);

#endif
