# Classes of events that a trace was not asked for.
ht_e2e_test(unrecorded 60)
