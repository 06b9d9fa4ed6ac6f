# What is made of a trace: views, exports, symbols in the trace.
ht_e2e_test(views 60)
ht_e2e_test(exports 120)
ht_e2e_test(movable 120)
ht_e2e_test(oddnames 60)
# In a browser. Apart from the others by their label: Chromium is large, and may not be here.
add_test(NAME browser/viewers COMMAND bash ${CMAKE_SOURCE_DIR}/tests/browser/viewers.sh)
set_tests_properties(browser/viewers PROPERTIES LABELS browser TIMEOUT 240 SKIP_RETURN_CODE 77 RUN_SERIAL TRUE
	ENVIRONMENT "HT_BUILD=${CMAKE_BINARY_DIR};HT_SOURCE=${CMAKE_SOURCE_DIR}")
