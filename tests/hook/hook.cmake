# Programs that meet the hook where it is thinnest. Run like the end-to-end tests, with a label of their own.
set(hook_tests ${CMAKE_CURRENT_LIST_DIR})
add_library(reentrant_alloc SHARED ${hook_tests}/reentrant_alloc.c)
target_compile_options(reentrant_alloc PRIVATE -fno-builtin -fvisibility=default)
add_executable(nested ${hook_tests}/nested.c)
target_compile_options(nested PRIVATE -O2 -fno-builtin-malloc -fomit-frame-pointer)
set_target_properties(reentrant_alloc nested PROPERTIES
	RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests/hook LIBRARY_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests/hook)
add_test(NAME hook/nested COMMAND bash ${hook_tests}/nested.sh)
set_tests_properties(hook/nested PROPERTIES LABELS hook TIMEOUT 120 RUN_SERIAL TRUE
	ENVIRONMENT "HT_BUILD=${CMAKE_BINARY_DIR};HT_SOURCE=${CMAKE_SOURCE_DIR}")
