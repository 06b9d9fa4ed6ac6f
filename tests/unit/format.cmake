foreach(name roundtrip damage hostile verify append checkpoint lives)
	ht_unit_test(test_trace_${name} SOURCES test_trace_${name}.c test_trace_model.c LINKS ht_trace)
endforeach()
ht_unit_test(test_trace_survivors SOURCES ${CMAKE_CURRENT_LIST_DIR}/test_trace_survivors.c LINKS ht_trace ht_base)
