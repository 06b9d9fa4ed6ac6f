# Programs that are hard on the hooks of waits, and a library that is preloaded beside the hook; sorts behind programs,
# which has the function.
set(program_outputs)
ht_program(hostile_select hostile_select.c ${HT_GCC} -fPIE -pie -pthread)
ht_program(hostile_filter hostile_filter.c ${HT_GCC} -fPIE -pie -pthread)
ht_program(hostile_storm hostile_storm.c ${HT_GCC} -fPIE -pie -pthread)
ht_program(hostile_storm-clang hostile_storm.c ${HT_CLANG} -fexceptions -fPIE -pie -pthread)
ht_program(hostile_ends hostile_ends.c ${HT_GCC} -fPIE -pie -pthread -rdynamic -ldl)
ht_program(neighbourly neighbourly.c ${HT_GCC} -fPIE -pie -pthread)
ht_program(neighbour.so neighbour.c ${HT_GCC} -fPIC -shared)
add_custom_target(ht_hostile_programs ALL DEPENDS ${program_outputs})
