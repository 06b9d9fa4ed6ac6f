/*
 * protobuf: the wire format, written. A message is built in a growing buffer; one inside another
 * is written in place and its length put in front of it when it ends, so nothing is measured twice.
 * Fields whose value is the default (0, "") are left out, as proto3 does; ht_pb_always is for those of
 * proto2 whose being there means something. Shared by pprof and perfetto.
 */
#ifndef HT_PROTOBUF_H
#define HT_PROTOBUF_H

#include "base.h"

void ht_pb_uint(struct ht_buf *b, unsigned field, uint64_t v);
/* Written even when 0. */
void ht_pb_always(struct ht_buf *b, unsigned field, uint64_t v);
/* int64 of proto3: two's complement, ten bytes when negative. */
void ht_pb_int(struct ht_buf *b, unsigned field, int64_t v);
void ht_pb_bool(struct ht_buf *b, unsigned field, bool v);
/* Written even when empty: for repeated fields. */
void ht_pb_bytes(struct ht_buf *b, unsigned field, const void *data, size_t n);
void ht_pb_text(struct ht_buf *b, unsigned field, const char *s);
/* Eight bytes, written even when 0. */
void ht_pb_fixed64(struct ht_buf *b, unsigned field, uint64_t v);
void ht_pb_double(struct ht_buf *b, unsigned field, double v);
/* repeated, packed; nothing at all for n = 0. Zeros are written. */
void ht_pb_packed(struct ht_buf *b, unsigned field, const uint64_t *v, size_t n);

/* A message, or packed numbers, within b: bytes written between begin and end are its content. */
size_t ht_pb_begin(struct ht_buf *b, unsigned field);
void ht_pb_end(struct ht_buf *b, size_t mark);

#endif
