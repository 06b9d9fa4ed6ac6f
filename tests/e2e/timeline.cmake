# Timelines of real recordings: text, Perfetto, Chrome.
ht_e2e_test(timeline 180)
