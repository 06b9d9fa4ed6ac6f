# What reports and exports are made of, beyond lib/analyze's own tests.
ht_unit_test(test_labelled SOURCES test_labelled.c analyze_fixture.c LINKS ht_analyze)
ht_unit_test(test_stored_symbols SOURCES test_stored_symbols.c analyze_fixture.c LINKS ht_analyze)
ht_unit_test(test_exporters SOURCES test_exporters.c LINKS ht_speedscope ht_dhat ht_massif ht_gperftools ht_csv_profile)
