# Where time went, in the trace.
ht_unit_test(test_trace_times SOURCES test_trace_times.c test_trace_model.c LINKS ht_trace)
ht_unit_test(test_trace_times_read SOURCES test_trace_times_read.c test_trace_model.c LINKS ht_trace)
ht_unit_test(test_times SOURCES ${CMAKE_CURRENT_LIST_DIR}/collect_times_test.c
	${CMAKE_CURRENT_LIST_DIR}/collect_fixture.c LINKS ht_collect ht_trace ht_base)
