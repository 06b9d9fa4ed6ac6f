ht_unit_test(test_perf_records SOURCES ${CMAKE_CURRENT_LIST_DIR}/test_perf_records.c LINKS ht_sched ht_base)
ht_unit_test(test_switches SOURCES ${CMAKE_CURRENT_LIST_DIR}/test_switches.c
	${CMAKE_CURRENT_LIST_DIR}/collect_fixture.c LINKS ht_collect ht_trace ht_base)
ht_unit_test(test_code_maps SOURCES ${CMAKE_CURRENT_LIST_DIR}/test_code_maps.c
	${CMAKE_CURRENT_LIST_DIR}/collect_fixture.c LINKS ht_collect ht_trace ht_base)
