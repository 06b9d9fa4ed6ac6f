/* timeline_fixture: timelines made by hand and by dice, for the tests of what renders them. */
#ifndef HT_TIMELINE_FIXTURE_H
#define HT_TIMELINE_FIXTURE_H

#include "timeline.h"

/* Two processes, a tid that is used again, a program that becomes another, nested and empty slices, tasks that overlap
 * and one that is cut, a waker whose stamp is early, hostile strings, a heap. tests/timeline/check_fixture.py knows
 * what it says. */
extern const struct ht_timeline ht_fixture;

/* A machine at work: threads on processors, who block and are woken; the same for the same seed. steps: about a switch
 * each. Seeds from 100 on: switches and wakes follow each other within nanoseconds, and there are no slices. */
struct ht_timeline *ht_fixture_random(unsigned seed, unsigned threads, unsigned cpus, size_t steps);
void ht_fixture_free(struct ht_timeline *t);

#endif
