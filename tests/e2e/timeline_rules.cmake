# The rules of timeline formats, on recordings of all kinds of waits.
ht_e2e_test(timeline_rules 240)
