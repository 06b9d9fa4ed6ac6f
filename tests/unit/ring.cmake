ht_unit_test(test_ring_writer SOURCES test_ring_writer.c LINKS ht_ring_writer)
ht_unit_test(test_ring SOURCES test_ring.c LINKS ht_ring ht_trace)
