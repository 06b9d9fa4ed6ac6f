# Models of time of hostile traces, with the corpus of blocks.
add_executable(fuzz_latency fuzz_latency.c fuzz_trace_block.c fuzz_trace_memory.c fuzz_trace_driver.c)
target_link_libraries(fuzz_latency PRIVATE ht_latency)
add_test(NAME fuzz/latency COMMAND fuzz_latency ${CMAKE_SOURCE_DIR}/testdata/corpus/trace/trace_block)
set_tests_properties(fuzz/latency PROPERTIES LABELS fuzz TIMEOUT 240)
