#!/usr/bin/env bash
# The calls of workers read only what they need, whatever the statistics say: no scan of a table, and a
# number of index entries in proportion to the jobs they are about. With statistics of empty tables, of
# 200,000 waiting jobs, and of few again; in sessions that plan anew, and in one that made its plans when
# all was empty.
set -u
cd "$(dirname "$0")/../.." || exit 1
if [ -z "${RGRID_TEST_CONNINFO-}" ]; then
	RGRID_TEST_PG_OPTIONS="-c autovacuum=off" exec tests/with-postgres "$0" "$@"
fi
. tests/tap.sh
. tests/store/store.sh
tap_begin
store_migrate
worker=$(store_ask "SELECT login FROM rg.worker_create('w', 'secret')")
store_ask_as "$worker" "SELECT t.join()" >/dev/null

worker_session() { psql -X -A -t -q -v ON_ERROR_STOP=1 -d "${RGRID_TEST_CONNINFO/user=postgres/user=$worker}"; }

# A worker with 1000 jobs in its hands, ten of which it completes and claims anew, ten times; beats, logs.

work() {
	local i
	echo "SELECT array_agg(job) AS j, array_agg(attempt) AS a, array_agg(token) AS t FROM t.claim(1, 1000) \gset"
	for ((i = 0; i < 10; i++)); do
		echo "SELECT sum(t.finish(1, job, attempt, token)) FROM t.claim(1, 10);
			SELECT count(*) FROM rg_worker.heartbeat(1, :'j', :'a', :'t');
			SELECT rg_worker.log_append(1, (:'j'::int8[])[1], 1, (:'t'::int8[])[1], $i, 1::int2, 0, 'x');"
	done
	echo "SELECT t.finish_all(1, :'j', :'a', :'t');"
}
store_ask "CREATE FUNCTION t.finish_all(p_incarnation int, p_job int8[], p_attempt int[], p_token int8[])
	RETURNS int8 LANGUAGE sql AS \$\$
	SELECT count(*) FROM (SELECT ARRAY[cardinality(p_job)] AS n) AS a,
		LATERAL (SELECT array_fill(1::int8, a.n) AS n) AS f, rg_worker.step(p_incarnation, p_job, p_attempt, p_token, array_fill(1::int2, a.n),
		array_fill(0, a.n), array_fill(NULL::text, a.n), array_fill(true, a.n), f.n, f.n, f.n, f.n, f.n,
		array_fill(''::text, a.n), 0, 0)
	WHERE verdict = 1 \$\$"
all_answers="$(printf '10 1 1 %.0s' {1..10})1000 "

counters() { # sequential scans, index entries read
	store_ask "SELECT sum(seq_scan), sum(coalesce(idx_tup_fetch, 0))
		FROM pg_stat_user_tables WHERE schemaname = 'rg' AND relname <> 'worker'" | tr '|' ' '
}

# 1100 claims and completions, and ten heartbeats with 1000 leases each: 7 entries for each of the former,
# and at most 4 for each lease of the latter.
reads_little() { # command that prints the answers of work()
	local answer scans entries scans_before entries_before
	read -r scans_before entries_before < <(counters)
	answer=$("$@" | tr '\n' ' ')
	if [ "$answer" != "$all_answers" ]; then
		printf "answers:  %s\nexpected: %s\n" "$answer" "$all_answers"
		return 1
	fi
	read -r scans entries < <(counters)
	scans=$((scans - scans_before)) entries=$((entries - entries_before))
	echo "$scans scans, $entries index entries"
	[ "$scans" -eq 0 ] && [ "$entries" -ge 5000 ] && [ "$entries" -le $((1100 * 10 + 10 * 1000 * 4)) ]
}
new_session() { work | worker_session; }

# The old session is told what to run when, through a pipe, and reports its counters at once.
store_ask "VACUUM ANALYZE" >/dev/null
mkfifo "$TEST_DIR/old.in"
worker_session <"$TEST_DIR/old.in" >>"$TEST_DIR/old.out" &
old=$!
exec 3>"$TEST_DIR/old.in"
has_lines() { [ "$(wc -l <"$TEST_DIR/old.out")" -ge "$1" ]; }
for _ in 1 2 3 4 5 6 7; do
	echo "SELECT count(*) FROM t.claim(1, 1);
		SELECT t.finish_all(1, '{1}', '{1}', '{1}');
		SELECT count(*) FROM rg_worker.heartbeat(1, '{}', '{}', '{}');
		SELECT rg_worker.log_append(1, 1, 1, 1, 0, 1::int2, 0, 'x');"
done >&3
check "(a session plans while all is empty)" wait_until 20 has_lines 28
old_session() {
	: >"$TEST_DIR/old.out"
	work >&3
	echo "SELECT pg_stat_force_next_flush(); SELECT 'end';" >&3
	wait_until 60 grep -q end "$TEST_DIR/old.out"
	grep -v -e end -e '^$' "$TEST_DIR/old.out"
}

store_ask "SELECT count(*) FROM generate_series(1, 20) AS i, LATERAL t.submit(10000 + 0 * i)" >/dev/null
check "statistics of empty tables" reads_little new_session
check "… and plans, too" reads_little old_session
store_ask "ANALYZE" >/dev/null
check "statistics of full tables" reads_little new_session
store_ask "DELETE FROM rg.ready WHERE job_id IN (SELECT job_id FROM rg.ready ORDER BY 1 LIMIT 180000)" >/dev/null
check "most jobs gone since" reads_little new_session
store_ask "ANALYZE" >/dev/null
check "statistics of few jobs" reads_little new_session
check "… and old plans" reads_little old_session
exec 3>&-
wait "$old"
tap_end
