# lib/symbolize: names against fixtures of known content, files of every kind and where they are found, the cache, hostile
# input, small parts.
include(${CMAKE_CURRENT_SOURCE_DIR}/../../testdata/elf/elf.cmake)
foreach(part names files found cache hostile parts)
	ht_unit_test(test_symbolize_${part} SOURCES test_symbolize_${part}.c test_symbolize_common.c
		LINKS ht_symbolize)
	target_compile_definitions(test_symbolize_${part} PRIVATE
		HT_ELF_DIR="${HT_ELF_DIR}" HT_ELF_SOURCES="${HT_ELF_SOURCES}")
	if(HT_SANITIZE)
		target_compile_definitions(test_symbolize_${part} PRIVATE HT_SANITIZE)
	endif()
	add_dependencies(test_symbolize_${part} ht_elf_fixtures)
endforeach()
