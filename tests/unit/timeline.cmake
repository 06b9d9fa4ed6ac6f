# From traces to timelines.
ht_unit_test(test_timeline_build SOURCES test_timeline_build.c timeline_shape.c analyze_fixture.c LINKS ht_latency)
ht_unit_test(test_timeline_levels SOURCES test_timeline_levels.c timeline_shape.c analyze_fixture.c LINKS ht_latency)
