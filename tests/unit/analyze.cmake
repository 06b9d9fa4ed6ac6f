# lib/analyze and the exporters of profiles.
ht_unit_test(test_analyze_totals SOURCES test_analyze_totals.c analyze_fixture.c LINKS ht_analyze)
ht_unit_test(test_analyze_random SOURCES test_analyze_random.c analyze_fixture.c LINKS ht_analyze)
ht_unit_test(test_analyze_range SOURCES test_analyze_range.c analyze_fixture.c LINKS ht_analyze)
ht_unit_test(test_analyze_symbols SOURCES test_analyze_symbols.c analyze_fixture.c LINKS ht_analyze)
ht_unit_test(test_pprof SOURCES test_pprof.c LINKS ht_pprof ht_folded ZLIB::ZLIB)
ht_unit_test(test_analyze_views SOURCES test_analyze_views.c analyze_fixture.c LINKS ht_analyze)
