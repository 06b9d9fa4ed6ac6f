# Programs and libraries whose names, files and lines the symbolizer's tests know: one per
# compiler, level of optimisation and version of DWARF, plus stripped, packed and separated forms.
# Included by tests/unit/symbolize.cmake. Gives: target ht_elf_fixtures, HT_ELF_DIR, HT_ELF_SOURCES.
set(HT_ELF_SOURCES ${CMAKE_CURRENT_LIST_DIR})
set(HT_ELF_DIR ${CMAKE_CURRENT_BINARY_DIR}/elf)
file(GLOB elf_inputs ${HT_ELF_SOURCES}/*.c ${HT_ELF_SOURCES}/*.cc ${HT_ELF_SOURCES}/*.h ${HT_ELF_SOURCES}/*.sh
	${HT_ELF_SOURCES}/*.S)
file(MAKE_DIRECTORY ${HT_ELF_DIR})
find_program(HT_GCC   NAMES gcc)
find_program(HT_GXX   NAMES g++)
find_program(HT_CLANG   NAMES clang clang-14)
find_program(HT_CLANGXX NAMES clang++ clang++-14)

set(elf_outputs)
function(ht_elf_fixture name cc cxx kind)
	if(NOT cc OR NOT cxx)
		return()
	endif()
	add_custom_command(OUTPUT ${HT_ELF_DIR}/${name}
		COMMAND sh ${HT_ELF_SOURCES}/build_fixture.sh ${HT_ELF_SOURCES} ${HT_ELF_DIR}/${name} ${cc} ${cxx} ${kind} ${ARGN}
		DEPENDS ${elf_inputs} VERBATIM)
	set(elf_outputs ${elf_outputs} ${HT_ELF_DIR}/${name} PARENT_SCOPE)
endfunction()

foreach(level O0 O2)
	foreach(version 4 5)
		ht_elf_fixture(gcc-${level}-${version} "${HT_GCC}" "${HT_GXX}" exe -${level} -gdwarf-${version})
		ht_elf_fixture(clang-${level}-${version} "${HT_CLANG}" "${HT_CLANGXX}" exe -${level} -gdwarf-${version})
	endforeach()
endforeach()
ht_elf_fixture(gcc-nopie "${HT_GCC}" "${HT_GXX}" nopie -O2 -gdwarf-5)
ht_elf_fixture(gcc-so "${HT_GCC}" "${HT_GXX}" so -O2 -gdwarf-4)
ht_elf_fixture(clang-so "${HT_CLANG}" "${HT_CLANGXX}" so -O2 -gdwarf-5)
# .dwo files beside the objects; derive_fixtures.sh moves them away and packs them.
foreach(version 4 5)
	ht_elf_fixture(split-gcc-${version} "${HT_GCC}" "${HT_GXX}" exe -O2 -gdwarf-${version} -gsplit-dwarf)
	ht_elf_fixture(split-clang-${version} "${HT_CLANG}" "${HT_CLANGXX}" exe -O2 -gdwarf-${version} -gsplit-dwarf)
endforeach()
foreach(form circles slow)
	string(TOUPPER ${form} macro)
	add_custom_command(OUTPUT ${HT_ELF_DIR}/hostile-${form}
		COMMAND ${HT_GCC} -D${macro} -pie ${HT_ELF_SOURCES}/hostile_dwarf.S -o ${HT_ELF_DIR}/hostile-${form}
		DEPENDS ${elf_inputs} VERBATIM)
	list(APPEND elf_outputs ${HT_ELF_DIR}/hostile-${form})
endforeach()
add_custom_command(OUTPUT ${HT_ELF_DIR}/derived.stamp
	COMMAND sh ${HT_ELF_SOURCES}/derive_fixtures.sh ${HT_ELF_DIR}
	DEPENDS ${elf_outputs} ${elf_inputs} VERBATIM)
add_custom_target(ht_elf_fixtures DEPENDS ${elf_outputs} ${HT_ELF_DIR}/derived.stamp)
