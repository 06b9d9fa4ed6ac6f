# What tests of context switches record; sched sorts behind programs, which has the function.
set(program_outputs)
ht_program(hogs hogs.c ${HT_GCC} -fPIE -pie -pthread)
ht_program(noperf noperf.c ${HT_GCC} -fPIE -pie)
add_custom_target(ht_sched_programs ALL DEPENDS ${program_outputs})
