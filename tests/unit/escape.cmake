# lib/escape: activations, and what machine code can do.
ht_unit_test(test_escape_activations SOURCES test_escape_activations.c LINKS ht_escape)
ht_unit_test(test_escape_code SOURCES test_escape_code.c LINKS ht_escape)
