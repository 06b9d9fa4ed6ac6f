# What a recording was asked for: in the header, and what readers say of it.
ht_unit_test(test_recorded SOURCES test_recorded.c test_trace_model.c LINKS ht_analyze ht_trace)
