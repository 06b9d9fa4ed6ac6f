ht_unit_test(test_significance SOURCES ${CMAKE_CURRENT_LIST_DIR}/test_significance.c LINKS ht_compare ht_base m)
ht_unit_test(test_compare SOURCES ${CMAKE_CURRENT_LIST_DIR}/test_compare.c LINKS ht_compare ht_base)
