# Timelines of hostile traces, with the corpus of blocks.
add_executable(fuzz_timeline fuzz_timeline.c fuzz_trace_block.c fuzz_trace_memory.c fuzz_trace_driver.c
	${CMAKE_SOURCE_DIR}/tests/unit/timeline_shape.c)
target_include_directories(fuzz_timeline PRIVATE ${CMAKE_SOURCE_DIR}/tests/unit)
target_link_libraries(fuzz_timeline PRIVATE ht_latency ht_perfetto ht_chrome)
add_test(NAME fuzz/timeline COMMAND fuzz_timeline ${CMAKE_SOURCE_DIR}/testdata/corpus/trace/trace_block)
set_tests_properties(fuzz/timeline PROPERTIES LABELS fuzz TIMEOUT 240)
