# Regions, tasks, faults, and profiles of waiting.
ht_e2e_test(latency_tasks 120)
