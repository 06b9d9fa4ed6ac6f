/*
 * profile_frames: the frames of a sample, leaf first, inlined ones included, from the callsite on. A frame is
 * one line of one location, or a location without lines. What pprof leaves to its reader (drop_frames),
 * other formats have done for them here.
 *
 *	struct ht_profile_walk w = ht_profile_walk(profile, sample);
 *	while (ht_profile_next(&w)) ... w.location, w.line
 */
#ifndef HT_PROFILE_FRAMES_H
#define HT_PROFILE_FRAMES_H

#include "base.h"
#include "profile.h"

struct ht_profile_walk {
	const struct ht_profile *profile;
	const struct ht_profile_sample *sample;
	size_t at, next_line;
	/* The frame that ht_profile_next moved to. */
	uint32_t number;		      /* the location's */
	const struct ht_profile_location *location;
	const struct ht_profile_line *line; /* NULL: the address has no name */
};
struct ht_profile_walk ht_profile_walk(const struct ht_profile *p, const struct ht_profile_sample *s);
bool ht_profile_next(struct ht_profile_walk *w);

/* "[libx.so+0x555]", for addresses that have no name; heap. */
char *ht_profile_address_name(const struct ht_profile *p, const struct ht_profile_location *l);
/* "0x1234: name (file.c:12)" or "0x1234: name (in /lib/libx.so)", as valgrind's tools write a frame. */
void ht_profile_frame_text(struct ht_buf *out, const struct ht_profile *p, const struct ht_profile_location *l,
			   const struct ht_profile_line *line);

#endif
