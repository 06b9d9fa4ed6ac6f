# What is allocated under a lock.
set(program_outputs)
ht_program(underlock underlock.c ${HT_GCC} -fPIE -pie -pthread)
add_custom_target(ht_underlock_program ALL DEPENDS ${program_outputs})
