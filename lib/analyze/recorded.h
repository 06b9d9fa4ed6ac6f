/*
 * recorded: what a recording was asked for, and what is to be said where a view has nothing to show. Of a trace whose
 * header does not tell, as older ones, "nothing happened" and "nobody looked" cannot be told apart.
 */
#ifndef HT_RECORDED_H
#define HT_RECORDED_H

#include "trace.h"

/* A set of classes. */
#define HT_CLASS_BIT(class) (1u << HT_CLASS_##class)
#define HT_CLASSES_OF_WAITS (HT_CLASS_BIT(SYNC) | HT_CLASS_BIT(IO))
#define HT_CLASSES_OF_STATES (HT_CLASSES_OF_WAITS | HT_CLASS_BIT(SCHED))

enum ht_recorded { HT_RECORDED_UNKNOWN, HT_RECORDED_NO, HT_RECORDED_PARTLY, HT_RECORDED_YES };
/* Was it asked for these classes: none, some or all of them? That they could be had is not said. */
enum ht_recorded ht_recorded(const struct ht_trace *t, uint32_t classes);
/* Those of them that it surely was not asked for. */
uint32_t ht_unrecorded(const struct ht_trace *t, uint32_t classes);

/* Texts; heap. "waits and context switches": */
char *ht_classes_names(uint32_t classes);
/* "+sync,+io,+sched", as `record --events` takes it: */
char *ht_classes_option(uint32_t classes);
/* "waits and context switches were not recorded: SO (record with --events=+sync,+io,+sched)", so NULL: without it. */
char *ht_unrecorded_text(uint32_t classes, const char *so);
/* For a view of these classes that is empty; nothing: how it says so, "nothing waited". A line each:
 *	unknown		nothing waited (record with --events=+sync,+io)
 *	no		waits were not recorded (record with --events=+sync,+io)
 *	partly		nothing waited
 *			waits for I/O were not recorded (record with --events=+io)
 *	yes		nothing waited
 * The last line has no newline. */
char *ht_recorded_nothing(const struct ht_trace *t, uint32_t classes, const char *nothing);

#endif
