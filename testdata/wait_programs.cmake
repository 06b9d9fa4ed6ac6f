# Programs that know where their time went, and write it down (programs/time_truth.h), and one that answers as it must
# (programs/calls_table.h).
set(program_outputs)

# ht_wait_program(OUTPUT FLAGS SOURCE...): like ht_program, of several files.
function(ht_wait_program output flags)
	set(sources)
	foreach(source ${ARGN})
		list(APPEND sources ${CMAKE_CURRENT_SOURCE_DIR}/programs/${source})
	endforeach()
	add_custom_command(OUTPUT ${HT_PROGRAMS_DIR}/${output}
		COMMAND ${HT_GCC} ${program_flags} ${program_c_flags} -fPIE -pie -pthread ${flags}
			-o ${HT_PROGRAMS_DIR}/${output} ${sources}
		DEPENDS ${sources} ${CMAKE_CURRENT_SOURCE_DIR}/programs/time_truth.h
			${CMAKE_CURRENT_SOURCE_DIR}/programs/calls_table.h
		COMMENT "Program ${output}" VERBATIM)
	set(program_outputs ${program_outputs} ${HT_PROGRAMS_DIR}/${output} PARENT_SCOPE)
endfunction()

foreach(name pingpong sleeper echo arena_fight fault_storm fd_numbers)
	ht_wait_program(${name} "" ${name}.c)
endforeach()
# -O2 with fortified forms, and -O1 -fexceptions, where cancellation runs clean-ups by unwinding.
ht_wait_program(calls_table "-D_FORTIFY_SOURCE=2;-DFORTIFIED" calls_table.c calls_ended.c calls_answer.c)
ht_wait_program(calls_table-plain "-U_FORTIFY_SOURCE;-fexceptions" calls_table.c calls_ended.c calls_answer.c)
add_custom_target(ht_wait_programs ALL DEPENDS ${program_outputs})
