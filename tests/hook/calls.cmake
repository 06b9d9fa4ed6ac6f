# Calls of the allocator that take long. The allocator is linked, so that it stands behind the hook in the program
# alone.
set(here ${CMAKE_CURRENT_LIST_DIR})
add_library(slow_alloc SHARED ${here}/slow_alloc.c)
target_compile_options(slow_alloc PRIVATE -fno-builtin -fvisibility=default)
add_executable(stalled ${here}/stalled.c)
target_compile_options(stalled PRIVATE -O2 -fno-builtin -fomit-frame-pointer)
target_link_libraries(stalled PRIVATE slow_alloc)
set_target_properties(slow_alloc stalled PROPERTIES
	RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests/hook LIBRARY_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests/hook)
add_test(NAME hook/stalls COMMAND bash ${here}/stalls.sh)
set_tests_properties(hook/stalls PROPERTIES LABELS hook TIMEOUT 120 RUN_SERIAL TRUE
	ENVIRONMENT "HT_BUILD=${CMAKE_BINARY_DIR};HT_SOURCE=${CMAKE_SOURCE_DIR}")
