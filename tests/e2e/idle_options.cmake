# Options that would change nothing.
ht_e2e_test(idle_options 120)
