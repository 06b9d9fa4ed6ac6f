/*
 * profile_build: a neutral profile while it is made. Private to lib/analyze: profile_build.c makes locations and
 * samples, profile_comments.c says what it is a profile of.
 */
#ifndef HT_PROFILE_BUILD_H
#define HT_PROFILE_BUILD_H

#include "hash_index.h"
#include "stacks.h"

/* The profile and what it owns; the profile comes first, so that it can be freed. */
struct ht_profile_built {
	struct ht_profile profile;
	const struct ht_analysis *a;
	const struct ht_stacks *stacks;
	uint32_t *location_of; /* trace location -> profile location + 1 */
	uint32_t *mapping_of;  /* module id -> mapping + 1 */
	struct ht_profile_mapping *mappings;
	struct ht_profile_location *locations;
	struct ht_profile_function *functions;
	struct ht_profile_sample *samples;
	size_t location_cap, function_cap, sample_cap;
	struct ht_index function_index;
	uint32_t *named; /* locations of frames that are names alone */
	size_t named_count;
	char **texts; /* build-ids and comments */
	size_t text_count;
	const char **comments;
	struct ht_buf drop_frames;
};

/* The profile keeps the heap text until its end. */
const char *ht_profile_own(struct ht_profile_built *b, char *text);
/* Names come from anywhere; in a profile they are text. */
const char *ht_profile_clean(struct ht_profile_built *b, const char *text);

/* profile_comments.c */
char *ht_profile_command(const struct ht_trace *t); /* one line; heap */
void ht_profile_comment(struct ht_profile_built *b, const char *const *more, size_t count);

#endif
