# The parts of the command that need no trace: options, emitter, text, what is said of programs.
foreach(name options emit text elfview output closure)
	ht_unit_test(test_${name} SOURCES cmd/test_${name}.c LINKS ht_command)
endforeach()
# Help screens, exit statuses and JSON of what needs no trace, through the executable; then the man
# pages' examples, which record and read.
foreach(name screens man_examples)
	add_test(NAME unit/cmd_${name}
		COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/cmd/${name}.sh $<TARGET_FILE:heaptide> ${CMAKE_SOURCE_DIR}/man)
	set_tests_properties(unit/cmd_${name} PROPERTIES LABELS unit TIMEOUT 120)
endforeach()
