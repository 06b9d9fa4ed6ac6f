foreach(name roundtrip damage hostile verify append checkpoint lives)
	ht_unit_test(test_trace_${name} SOURCES test_trace_${name}.c test_trace_model.c LINKS ht_trace)
endforeach()
