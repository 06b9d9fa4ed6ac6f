# The symbols that a trace may carry, as trace.cmake has it for the trace itself.
add_executable(fuzz_stored_symbols fuzz_stored_symbols.c fuzz_trace_driver.c)
target_link_libraries(fuzz_stored_symbols PRIVATE ht_analyze)
add_test(NAME fuzz/stored_symbols COMMAND fuzz_stored_symbols ${CMAKE_SOURCE_DIR}/testdata/corpus/stored_symbols)
set_tests_properties(fuzz/stored_symbols PROPERTIES LABELS fuzz TIMEOUT 120)
