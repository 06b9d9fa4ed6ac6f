# Programs that misuse locks, that know what they waited for, and that measure; sync_programs sorts behind programs,
# which has the function.
set(program_outputs)
foreach(name misuse_locks misuse_waits misuse_ends)
	ht_program(${name} ${name}.c ${HT_GCC} -fPIE -pie -pthread)
	# with cancellation by unwinding, as C++ has it, where the other goes by jumps
	ht_program(${name}-clang ${name}.c ${HT_CLANG} -fexceptions -fPIE -pie -pthread)
	foreach(output ${name} ${name}-clang)
		add_custom_command(OUTPUT ${HT_PROGRAMS_DIR}/${output} DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/programs/misuse.h APPEND)
	endforeach()
endforeach()
foreach(name convoy producer starve connections handoffs)
	ht_program(${name} ${name}.c ${HT_GCC} -fPIE -pie -pthread)
	add_custom_command(OUTPUT ${HT_PROGRAMS_DIR}/${name} DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/programs/time_truth.h APPEND)
endforeach()
ht_program(lockcost lockcost.c ${HT_GCC} -fPIE -pie -pthread)
add_custom_target(ht_sync_programs ALL DEPENDS ${program_outputs})
