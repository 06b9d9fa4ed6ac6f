#!/bin/bash
# Sampled recordings: estimates against a program of known truth, the same choices for the same seed, threads, forks, frees on
# other threads, a kill; and what reports and exports say. The arithmetic over many seeds is unit/test_sampler.
. "$(dirname "$0")/lib.sh"
sampled=$programs/sampled

# A dozen sites. Over all runs the mean stands as near to the truth as the errors given say, and the intervals cover.
runs=16
for seed in $(seq $runs); do
	record s.tide --events=alloc --sample=16K --sample-seed=$seed -- "$sampled" sites >truth
	same "sampled sites: status" 0 "$status"
	sound s.tide 100
	"$heaptide" report --json --by=function s.tide | jq -r --argjson seed $seed '.totals.sampled.rate as $rate
		| .rows[] | select(.function // "" | startswith("site_"))
		| "\(.function) \(.bytes) \(.bytes_stderr) \(.leaked_bytes) \(.leaked_bytes_stderr) \($rate)"' >>estimates
done
awk -v runs=$runs '
	function bad(what) { print "FAIL: " what; failed = 1 }
	NR == FNR { bytes[$1] = $3; kept[$1] = $4; next }
	{
		if ($6 != 16384) bad("rate " $6)
		sum[$1] += $2; left[$1] += $4; var[$1] += $3 * $3; left_var[$1] += $5 * $5
		all += $2
		# a dozen samples make no normal interval
		if ($3 < 0.15 * $2 && $3 > 1e-4 * $2) { n++; hit += ($2 - bytes[$1]) ^ 2 <= (1.96 * $3) ^ 2 }
	}
	END {
		for (s in bytes) {
			# four standard errors of the mean of all runs; half a byte each for rounding
			if ((sum[s] - runs * bytes[s]) ^ 2 > 16 * var[s] + runs ^ 2) bad(s ": " sum[s] / runs ", truth " bytes[s])
			if ((left[s] - runs * kept[s]) ^ 2 > 16 * left_var[s] + runs ^ 2) bad(s " kept: " left[s] / runs ", truth " kept[s])
			total += bytes[s]
		}
		if (all / runs / total > 1.005 || all / runs / total < 0.995) bad("total " all / runs ", truth " total)
		if (n < 60 || hit / n < 0.86) bad("intervals: " hit " of " n " cover")
		printf "total %+.3f %%, %d of %d intervals cover\n", 100 * (all / runs / total - 1), hit, n
		exit failed
	}' truth estimates || fail "estimates are off"

# The same seed, the same samples; another, others. One allocation in all is more than enough of a sample at rate 1.
for seed in 7 7 8; do
	record s.tide --events=alloc --sample=64K --sample-seed=$seed -- "$sampled" sites >/dev/null
	"$heaptide" dump s.tide | awk '/ malloc/ { $1 = ""; print }' | grep -c . >>counts
	"$heaptide" report --json s.tide | jq '.totals.sampled.samples, .totals.allocated_bytes' | paste -sd' ' >>samples
done
same "the same seed" "$(sed -n 1p samples)" "$(sed -n 2p samples)"
[ "$(sed -n 2p samples)" != "$(sed -n 3p samples)" ] || fail "another seed chose the same samples"
record every.tide --events=alloc --sample=1 -- "$sampled" sites >truth
sound every.tide 100000
same "rate 1: large sites are exact" "$(awk '$1 == "site_1000" { print $3 }' truth)" \
	"$("$heaptide" report --json --by=function every.tide | jq '.rows[] | select(.function == "site_1000").bytes')"

# Threads, forks, reallocs that are refused, frees elsewhere: every death finds its birth.
for rate in 1 5000 512K; do
	record t.tide --events=alloc,map,thread --sample=$rate -- "$sampled" churn 20000
	same "churn at $rate: status" 0 "$status"
	sound t.tide 100
	same "churn at $rate: foreign frees" 0 "$(info t.tide .foreign_frees)"
	same "churn at $rate: images" 3 "$(info t.tide '.images | length')"
done
record t.tide --sample=100 -- "$sampled" churn 20000
[ "$(info t.tide .inherited_frees)" -gt 10 ] || fail "no frees of inherited samples"
[ "$(info t.tide .cross_thread_frees)" -gt 100 ] || fail "no frees on other threads"

# Killed: all that was sampled is there.
timeout -s KILL 1 "$heaptide" record -q --force -o k.tide --sample=64K -- bash -c 'exec timeout -s KILL 0.6 "$0" forever' "$sampled" || true
for _ in {1..50}; do
	[ "$(info k.tide .verdict 2>/dev/null)" = ok ] && break
	sleep 0.1
done
seen k.tide 100
same "killed: foreign frees" 0 "$(info k.tide .foreign_frees)"

# What is said. An exact trace has no errors to speak of.
"$heaptide" report s.tide | grep -q '^sampled: one per 64.0 KB allocated, .* samples' || fail "the summary does not say that it is of a sample"
same "temporary is unknown" null "$(info s.tide .temporary)"
same "info: rate" 65536 "$(info s.tide .sampled.rate)"
[ "$(info s.tide '.allocated_bytes_stderr > 0')" = true ] || fail "info gives no error"
record exact.tide -- "$sampled" sites >/dev/null
same "an exact trace: sampled" null "$(info exact.tide .sampled)"
! "$heaptide" report --json exact.tide | grep -q _stderr || fail "an exact trace has errors"
! "$heaptide" report --csv exact.tide | grep -q _stderr || fail "an exact trace has errors in CSV"
status_of "$heaptide" report --metric=temporary s.tide >out 2>&1
same "temporary of a sample" 2 "$status"

# Every view says so, and how far off its numbers may be; so do info and record's last words.
for view in summary sites tree callers list lifetimes threads modules sizes; do
	"$heaptide" report --view=$view s.tide >out
	grep -q '^sampled: one per 64.0 KB allocated, .* samples' out || fail "$view does not say that it is of a sample"
	grep -q '±' out || fail "$view gives no errors"
	"$heaptide" report --json --view=$view s.tide | jq -e '.totals.sampled.samples > 100 and (.rows | length > 0 and all(.allocs_stderr >= 0))' \
		>/dev/null || fail "$view: no errors in JSON"
done
"$heaptide" report --json --by=stack s.tide | jq -e 'any(.rows[]; .own_peak_bytes_stderr > 0) and all(.rows[]; .own_peak_bytes_stderr != null)' \
	>/dev/null || fail "own peaks without errors"
"$heaptide" info s.tide >out
grep -q '^sampled: one per' out && grep -q '^allocations .* ±' out || fail "info does not say that it is of a sample"
[ "$(info s.tide '.images[0] | .allocations_stderr > 0 and .own_peak_live_bytes_stderr >= 0')" = true ] || fail "info: images without errors"
"$heaptide" record --force -o said.tide --sample=64K -- "$sampled" sites 2>said >/dev/null
grep -q '^  sampled: one per 64.0 KB allocated, .*allocations ±.*, peak ±.*, not freed ±' said || fail "record does not say that it sampled"

# What was freed, by how long it lived and by whom, is scaled, too.
"$heaptide" report --json --view=lifetimes --by=function t.tide | jq -e '[.rows[] | select(.seen_to_die > 0)] | length > 0 and
	all(.seen_to_die <= .frees + 1 and .seen_to_die >= 0.98 * .frees - 2)' >/dev/null || fail "lifetimes are not scaled as frees are"
"$heaptide" report --json --view=threads t.tide | jq -e '([.rows[].freed_foreign] | add) as $n | .totals.cross_thread_frees as $c |
	$n > 1000 and ($n - $c | fabs) <= (.rows | length)' >/dev/null || fail "frees of others' blocks are not scaled"

# Exports are scaled: a folded profile adds up to the report's total, with and without labels in pprof.
total=$("$heaptide" report --json s.tide | jq .totals.allocated_bytes)
"$heaptide" export --format=folded --profile=allocs s.tide | awk -v want="$total" '{ n += $NF }
	END { if (n > want + 1000 || n < want - 1000) exit 1 }' || fail "the exported bytes are not $total"
"$heaptide" export --format=pprof -o s.pb.gz s.tide
zcat s.pb.gz >s.pb
grep -aq 'sampled: one per 65536 bytes' s.pb || fail "the profile does not say that it is of a sample"
if command -v go >/dev/null; then
	HOME=$work PPROF_TMPDIR=$work go tool pprof -symbolize=none -raw s.pb.gz 2>/dev/null | grep -q '^Period: 65536$' || fail "the profile's period is not the rate"
fi
