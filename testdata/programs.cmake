# Programs that tests record. Each is built by a named compiler, whichever builds heaptide itself, since what
# compilers make of a stack is part of what is tested: NAME by gcc, NAME-clang by clang, both at -O2
# without frame pointers. They run as well without any hook.
find_program(HT_GCC NAMES gcc REQUIRED)
find_program(HT_GXX NAMES g++ REQUIRED)
find_program(HT_CLANG NAMES clang clang-14 REQUIRED)
find_program(HT_CLANGXX NAMES clang++ clang++-14 REQUIRED)

set(HT_PROGRAMS_DIR ${CMAKE_BINARY_DIR}/testdata/programs)
file(MAKE_DIRECTORY ${HT_PROGRAMS_DIR})
set(program_flags -O2 -g -fomit-frame-pointer -D_GNU_SOURCE -Wall -Wextra -Wshadow -Wpointer-arith)
if(HT_WERROR)
	list(APPEND program_flags -Werror)
endif()
set(program_c_flags -std=gnu11 -fno-builtin -Wstrict-prototypes -Wmissing-prototypes)
set(program_cxx_flags -std=c++17 -fno-builtin)
set(program_outputs)

# ht_program(OUTPUT SOURCE COMPILER FLAGS...): one file in HT_PROGRAMS_DIR.
function(ht_program output source compiler)
	set(src ${CMAKE_CURRENT_SOURCE_DIR}/programs/${source})
	set(language_flags ${program_c_flags})
	if(source MATCHES "[.]cc$")
		set(language_flags ${program_cxx_flags})
	endif()
	add_custom_command(OUTPUT ${HT_PROGRAMS_DIR}/${output}
		COMMAND ${compiler} ${program_flags} ${language_flags} -o ${HT_PROGRAMS_DIR}/${output} ${src} ${ARGN}
		DEPENDS ${src} ${CMAKE_CURRENT_SOURCE_DIR}/programs/htload_ledger.h
		COMMENT "Program ${output}" VERBATIM)
	set(program_outputs ${program_outputs} ${HT_PROGRAMS_DIR}/${output} PARENT_SCOPE)
endfunction()

foreach(name htload swap turns)
	ht_program(${name} ${name}.c ${HT_GCC} -fPIE -pie -pthread)
	ht_program(${name}-clang ${name}.c ${HT_CLANG} -fPIE -pie -pthread)
endforeach()
ht_program(annotate annotate.c ${HT_GCC} -fPIE -pie -pthread -I${CMAKE_SOURCE_DIR}/lib/heaptide)
ht_program(sampled sampled.c ${HT_GCC} -pthread)
foreach(name stress badalloc newload inlined)
	ht_program(${name} ${name}.cc ${HT_GXX} -fPIE -pie -pthread)
	ht_program(${name}-clang ${name}.cc ${HT_CLANGXX} -fsized-deallocation -fPIE -pie -pthread)
endforeach()
foreach(name stress_plugin plugin_std plugin_own)
	ht_program(${name}.so ${name}.cc ${HT_GXX} -fPIC -shared)
	ht_program(${name}-clang.so ${name}.cc ${HT_CLANGXX} -fsized-deallocation -fPIC -shared)
endforeach()
ht_program(plugin_host plugin_host.c ${HT_GCC} -fPIE -pie)
ht_program(signals signals.c ${HT_GCC} -fPIE -pie)
ht_program(quiet quiet.c ${HT_GCC} -fPIE -pie)
ht_program(known known.c ${HT_GCC} -fPIE -pie -pthread)
ht_program(signals-static signals.c ${HT_GCC} -static)

add_custom_target(ht_programs ALL DEPENDS ${program_outputs})
