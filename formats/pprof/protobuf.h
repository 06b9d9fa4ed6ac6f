/*
 * protobuf: the wire format, written. A message is built in a growing buffer; one inside another
 * is written in place and its length put in front of it when it ends, so nothing is measured twice.
 * Fields whose value is the default (0, "") are left out, as proto3 does.
 */
#ifndef HT_PROTOBUF_H
#define HT_PROTOBUF_H

#include "base.h"

void ht_pb_uint(struct ht_buf *b, unsigned field, uint64_t v);
/* int64 of proto3: two's complement, ten bytes when negative. */
void ht_pb_int(struct ht_buf *b, unsigned field, int64_t v);
void ht_pb_bool(struct ht_buf *b, unsigned field, bool v);
/* Written even when empty: for repeated fields. */
void ht_pb_bytes(struct ht_buf *b, unsigned field, const void *data, size_t n);
/* repeated, packed; nothing at all for n = 0. Zeros are written. */
void ht_pb_packed(struct ht_buf *b, unsigned field, const uint64_t *v, size_t n);

/* A message, or packed numbers, within b: bytes written between begin and end are its content. */
size_t ht_pb_begin(struct ht_buf *b, unsigned field);
void ht_pb_end(struct ht_buf *b, size_t mark);

#endif
