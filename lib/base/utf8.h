/*
 * utf8: reading text that may hold any bytes, and writing it as JSON. Names come from traces, ELF files
 * and command lines; what is written is valid whatever they hold.
 */
#ifndef HT_UTF8_H
#define HT_UTF8_H

#include "base.h"

/* The next character of s[0 .. n-1] (n > 0): sets *code, or 0xFFFD when the bytes are not UTF-8,
 * and returns how many bytes it took (1 for a bad byte). */
size_t ht_utf8_next(const char *s, size_t n, uint32_t *code);

/* Appends s[0 .. n-1] as valid UTF-8 without control characters: bytes that are neither become U+FFFD, as do the marks
 * that change the direction of writing. Was there any? */
bool ht_utf8_clean(struct ht_buf *out, const char *s, size_t n);

/* Appends s as a JSON string, quotes included; bytes that are not UTF-8 become U+FFFD. */
void ht_json_string(struct ht_buf *out, const char *s);

#endif
