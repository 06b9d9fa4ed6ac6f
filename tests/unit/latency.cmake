# lib/latency: spans, wakers, sums.
ht_unit_test(test_latency_order SOURCES test_latency_order.c LINKS ht_latency)
ht_unit_test(test_latency_spans SOURCES test_latency_spans.c latency_fixture.c analyze_fixture.c LINKS ht_latency)
ht_unit_test(test_latency_calibrate SOURCES test_latency_calibrate.c latency_fixture.c analyze_fixture.c LINKS ht_latency)
ht_unit_test(test_latency_wakers SOURCES test_latency_wakers.c latency_fixture.c analyze_fixture.c LINKS ht_latency)
ht_unit_test(test_latency_locks SOURCES test_latency_locks.c latency_fixture.c analyze_fixture.c LINKS ht_latency)
