/*
 * fuzz_trace_file: any bytes as a trace file. Opens it, asks everything, decodes every block and
 * verifies: nothing may crash, whatever the verdict.
 */
#include "fuzz_trace_walk.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	fuzz_trace_walk(data, size);
	return 0;
}
