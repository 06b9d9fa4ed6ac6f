ht_unit_test(test_ring_reader SOURCES ${CMAKE_CURRENT_LIST_DIR}/ring_reader_test.c LINKS ht_ring_reader ht_ring_writer ht_ring)
ht_unit_test(test_pairs SOURCES ${CMAKE_CURRENT_LIST_DIR}/collect_pairs_test.c LINKS ht_collect ht_base)
ht_unit_test(test_intern SOURCES ${CMAKE_CURRENT_LIST_DIR}/collect_intern_test.c LINKS ht_collect ht_trace ht_base)
ht_unit_test(test_tickclock SOURCES ${CMAKE_CURRENT_LIST_DIR}/collect_clock_test.c LINKS ht_collect ht_base)
ht_unit_test(test_drain SOURCES ${CMAKE_CURRENT_LIST_DIR}/collect_drain_test.c
	${CMAKE_CURRENT_LIST_DIR}/collect_fixture.c LINKS ht_collect ht_trace ht_base)
ht_unit_test(test_attach SOURCES ${CMAKE_CURRENT_LIST_DIR}/collect_attach_test.c
	${CMAKE_CURRENT_LIST_DIR}/collect_fixture.c LINKS ht_collect ht_trace ht_base)
ht_unit_test(test_children SOURCES ${CMAKE_CURRENT_LIST_DIR}/collect_children_test.c
	${CMAKE_CURRENT_LIST_DIR}/collect_fixture.c LINKS ht_collect ht_trace ht_base)
