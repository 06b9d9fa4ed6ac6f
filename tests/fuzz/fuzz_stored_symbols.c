/*
 * fuzz_stored_symbols: any bytes as the record of a module's symbols. What is accepted is asked for every address
 * that is near one of its own, in every form of names.
 */
#include <stdlib.h>
#include <string.h>

#include "stored_symbols.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Reads what a report would: a name that is missing or leads nowhere faults here. */
static void read_frames(struct ht_symbol s)
{
	size_t length = strlen(s.reason);
	for (size_t i = 0; i < s.count; i++) {
		const struct ht_symbol_frame *f = &s.frames[i];
		length += strlen(f->function) + strlen(f->suffix);
		length += f->linkage ? strlen(f->linkage) : 0;
		length += f->file ? strlen(f->file) : 0;
	}
	if (length > SIZE_MAX / 2)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ht_stored_symbols *s;
	const char *reason;
	if (ht_stored_symbols_parse(&s, data, size))
		return 0;
	ht_stored_symbols_kind(s, &reason);
	if (strlen(reason) > size)
		abort();
	for (uint64_t address = 0; address < 0x2000; address++)
		read_frames(ht_stored_symbols_get(s, address, (enum ht_demangle)(address % 3), address & 4));
	ht_stored_symbols_free(s);
	return 0;
}
