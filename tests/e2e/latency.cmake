# Where time went, against programs that know.
ht_e2e_test(latency 240)
