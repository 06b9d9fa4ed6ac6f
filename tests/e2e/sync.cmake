# Waits for locks and threads: that the hook changes none, and that it tells the truth of them.
ht_e2e_test(misuse 240)
ht_e2e_test(locks 240)
