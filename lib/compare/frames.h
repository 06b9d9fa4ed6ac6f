/* frames: what a stack's frame is called, the same on both sides; private to compare. */
#ifndef HT_COMPARE_FRAMES_H
#define HT_COMPARE_FRAMES_H

#include "compare.h"

/* Interned by all that a frame knows. */
struct frame_table {
	struct ht_compare_frame *items;
	uint8_t *sides; /* per item: which have it, 1u << enum ht_side */
	uint32_t count, cap;
	uint32_t *index; /* open addressing: item + 1, 0 = empty */
	uint32_t mask;
};

uint32_t frame_intern(struct frame_table *t, const struct ht_compare_frame *f, unsigned sides);
void frame_table_release(struct frame_table *t);

/* The file's name without path, and without the version behind ".so": what stays from build to build. Heap. */
char *frame_module_name(const char *path);

#endif
