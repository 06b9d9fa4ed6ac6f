# The same test without frame pointers, with them, and unoptimised: three kinds of frames to unwind.
foreach(variant nofp fp o0)
	ht_unit_test(test_unwind_${variant} SOURCES test_unwind.c LINKS ht_unwind ${CMAKE_DL_LIBS})
endforeach()
target_compile_options(test_unwind_nofp PRIVATE -O2 -fomit-frame-pointer -DHT_NO_FRAME_POINTERS)
target_compile_options(test_unwind_fp PRIVATE -O2 -fno-omit-frame-pointer)
target_compile_options(test_unwind_o0 PRIVATE -O0)
