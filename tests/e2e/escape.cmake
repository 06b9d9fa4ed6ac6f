# Verdicts and what is concluded from them. The matrix of all levels takes minutes, so it has a label of its own: ctest -L escape-long.
ht_e2e_test(escape 200)
ht_e2e_test(escape_twins 120)
add_test(NAME matrix/escape COMMAND bash ${CMAKE_SOURCE_DIR}/tests/e2e/escape.sh -O0:nofp -O2:fp -O3:nofp -O3:fp)
set_tests_properties(matrix/escape PROPERTIES LABELS escape-long TIMEOUT 400 SKIP_RETURN_CODE 77 RUN_SERIAL TRUE
	ENVIRONMENT "HT_BUILD=${CMAKE_BINARY_DIR};HT_SOURCE=${CMAKE_SOURCE_DIR}")
