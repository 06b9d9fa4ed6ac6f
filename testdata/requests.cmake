# The program of the views of regions and tasks.
set(program_outputs)
ht_program(requests requests.c ${HT_GCC} -fPIE -pie -pthread -I${CMAKE_SOURCE_DIR}/lib/heaptide)
add_custom_target(ht_programs_requests ALL DEPENDS ${program_outputs})
