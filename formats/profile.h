/*
 * profile: what an exporter of profiles gets. Neutral: it knows nothing of traces, and a trace reader
 * knows nothing of pprof. Built by lib/analyze, rendered by formats/pprof, folded, speedscope, dhat, massif, csv.
 *
 * All strings belong to the builder and live as long as the profile.
 */
#ifndef HT_PROFILE_H
#define HT_PROFILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ht_profile_function {
	const char *name;	 /* demangled, never NULL: "0x1234" style for unresolved ones */
	const char *system_name; /* linkage name, or name */
	const char *file;	 /* absolute DWARF path, "" unknown */
	uint32_t start_line;	 /* 0 unknown */
};
struct ht_profile_line {
	uint32_t function; /* index */
	uint32_t line;
};
struct ht_profile_mapping {
	const char *file, *build_id; /* build_id: lower-case hex, "" unknown */
	uint64_t start, limit, offset; /* link-time address space: p_vaddr, p_vaddr + p_memsz, p_offset */
	bool has_functions, has_files, has_lines, has_inlines;
};
struct ht_profile_location {
	uint32_t mapping;  /* index + 1, 0 = none */
	uint64_t address;  /* link-time; call address for frames above a call */
	const struct ht_profile_line *lines; /* innermost inlined first; may be empty */
	size_t line_count;
};
struct ht_profile_label {
	const char *key, *str; /* str NULL: numeric */
	int64_t num;
	const char *unit;
};
struct ht_profile_sample {
	const uint32_t *locations; /* indices, leaf first */
	size_t location_count;
	/* Where people begin to read: the first frame outside the allocator family, as a position in
	 * locations and a line of that location. location_count: nothing of the stack is to be shown. */
	size_t callsite, callsite_line;
	const int64_t *values; /* one per value type */
	const struct ht_profile_label *labels;
	size_t label_count;
};
struct ht_profile_type {
	const char *type, *unit;
};
/* Live bytes at an instant. */
struct ht_profile_point {
	int64_t time_ns; /* since the profile's beginning */
	int64_t bytes;
};
/* The value types of a whole profile: all numbers that a stack has, for formats that carry them at once. */
enum ht_whole_value {
	HT_WHOLE_ALLOC_OBJECTS,
	HT_WHOLE_ALLOC_SPACE,
	HT_WHOLE_INUSE_OBJECTS,
	HT_WHOLE_INUSE_SPACE,
	HT_WHOLE_PEAK_OBJECTS,
	HT_WHOLE_PEAK_SPACE,
	HT_WHOLE_OWN_PEAK_OBJECTS, /* the stack's own maximum of bytes */
	HT_WHOLE_OWN_PEAK_SPACE,
	HT_WHOLE_LEAKED_OBJECTS,
	HT_WHOLE_LEAKED_SPACE,
	HT_WHOLE_TEMPORARY_OBJECTS,
	HT_WHOLE_TEMPORARY_SPACE,
	HT_WHOLE_LIFETIME, /* sum over its blocks, those not freed up to the end; ns */
	HT_WHOLE_COUNT,
};
struct ht_profile {
	const char *command; /* one line, "" unknown */
	uint32_t pid;
	/* Live bytes over time, in order of time, with the peak among them; empty unless asked for. */
	const struct ht_profile_point *points;
	size_t point_count, peak_point;
	const struct ht_profile_type *types;
	size_t type_count;
	const char *default_type;
	struct ht_profile_type period_type;
	int64_t period;
	int64_t time_ns, duration_ns;
	const char *const *comments;
	size_t comment_count;
	const char *drop_frames, *keep_frames; /* "" = none */
	const struct ht_profile_mapping *mappings; /* [0] is the main binary */
	size_t mapping_count;
	const struct ht_profile_function *functions;
	size_t function_count;
	const struct ht_profile_location *locations;
	size_t location_count;
	const struct ht_profile_sample *samples;
	size_t sample_count;
};

#endif
