# Waits that are recorded in programs that make it hard.
ht_e2e_test(hostile_waits 240)
