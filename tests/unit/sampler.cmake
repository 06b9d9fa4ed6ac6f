# The sampler's arithmetic and the set of sampled addresses, as they stand in the hook.
ht_unit_test(test_sampler SOURCES test_sampler.c ${PROJECT_SOURCE_DIR}/lib/hook/sample_set.c LINKS ht_rt m)
target_include_directories(test_sampler PRIVATE ${PROJECT_SOURCE_DIR}/lib/hook)
