# Context switches, schedstats and faults; sched sorts behind e2e, which has the function.
add_executable(schedcheck ${CMAKE_CURRENT_LIST_DIR}/schedcheck.c)
target_link_libraries(schedcheck PRIVATE ht_trace)
ht_e2e_test(sched 240)
