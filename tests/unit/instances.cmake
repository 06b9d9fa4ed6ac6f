# lib/latency: regions, tasks, stalls, faults, profiles of waiting.
ht_unit_test(test_quantiles SOURCES test_quantiles.c LINKS ht_latency)
ht_unit_test(test_instances SOURCES test_instances.c analyze_fixture.c LINKS ht_latency)
ht_unit_test(test_instance_groups SOURCES test_instance_groups.c analyze_fixture.c LINKS ht_latency)
ht_unit_test(test_stall_causes SOURCES test_stall_causes.c analyze_fixture.c LINKS ht_latency)
ht_unit_test(test_fault_places SOURCES test_fault_places.c analyze_fixture.c LINKS ht_latency)
ht_unit_test(test_wait_profile SOURCES test_wait_profile.c analyze_fixture.c LINKS ht_latency)
