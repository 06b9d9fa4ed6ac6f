#!/bin/bash
# A server under load while it is recorded: redis, which is linked with jemalloc, answers a bounded benchmark on
# loopback, forks to save its data, and ends in order.
. "$(dirname "$0")/lib.sh"
port=$((20000 + $(random 20000)))
ln -s "$(command -v redis-check-rdb)" redis-server # one program under two names
clean_up() {
	redis-cli -p "$port" shutdown nosave >/dev/null 2>&1 || true
	remove_work
}

"$heaptide" record -q -o t.tide -- ./redis-server --port "$port" --bind 127.0.0.1 --save '' --dir "$work" \
	--dbfilename dump.rdb >redis.log 2>record.err &
recorder=$!
for _ in $(seq 400); do
	! redis-cli -p "$port" ping 2>/dev/null | grep -q PONG || break
	sleep 0.05
done
redis-cli -p "$port" ping | grep -q PONG || fail "the server does not answer: $(tail -5 redis.log record.err)"
timeout 120 redis-benchmark -p "$port" -q -n 8000 -c 20 -t set,get,lpush,lpop,hset,incr >benchmark.out
same "benchmarks that ended" 6 "$(tr '\r' '\n' <benchmark.out | grep -c 'requests per second')"
redis-cli -p "$port" set key value >/dev/null
redis-cli -p "$port" bgsave >/dev/null
for _ in $(seq 200); do
	! redis-cli -p "$port" info persistence | grep -q 'rdb_bgsave_in_progress:0' || break
	sleep 0.05
done
same "the saved data" ok "$(redis-cli -p "$port" info persistence | tr -d '\r' | sed -n 's/rdb_last_bgsave_status://p')"
same "a value" value "$(redis-cli -p "$port" get key)"
redis-cli -p "$port" shutdown nosave >/dev/null 2>&1 || true
status_of wait "$recorder"
same "status" 0 "$status"
sound t.tide 50000
[ "$(info t.tide '.images | length')" -ge 2 ] || fail "the child that saved is not in the trace"
