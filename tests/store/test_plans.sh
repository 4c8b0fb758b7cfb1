#!/usr/bin/env bash
# The calls of workers read only what they need, whatever the statistics say: no scan of a table, and a
# number of index entries in proportion to the jobs asked for. With statistics of empty tables, then of
# 200,000 waiting jobs, each in new sessions that plan anew and in one that keeps its plans.
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
rounds=20

# Claims ten jobs and completes them, $rounds times, within one session, with a heartbeat each.
work() {
	local i
	for ((i = 0; i < rounds; i++)); do
		echo "SELECT sum(t.finish(1, job, attempt, token)) FROM t.claim(1, 10);
			SELECT count(*) FROM rg_worker.heartbeat(1, '{1}', '{1}', '{1}');"
	done | psql -X -A -t -q -v ON_ERROR_STOP=1 -d "${RGRID_TEST_CONNINFO/user=postgres/user=$worker}" |
		sort | uniq -c | tr -s ' \n' ' '
}

counters() { # "sequential scans, index entries read"
	store_ask "SELECT sum(seq_scan), sum(coalesce(idx_tup_fetch, 0))
		FROM pg_stat_user_tables WHERE schemaname = 'rg' AND relname <> 'worker'" | tr '|' ' '
}

reads_little() {
	local answer scans entries scans_before entries_before
	read -r scans_before entries_before < <(counters)
	answer=$(work)
	if [ "$answer" != " $rounds 10 $rounds 2 " ]; then
		echo "answers: $answer"
		return 1
	fi
	# The session's counters arrive at its end, at the latest.
	read -r scans entries < <(counters)
	echo "$((scans - scans_before)) scans, $((entries - entries_before)) index entries"
	[ $((entries - entries_before)) -ge $((rounds * 20)) ] &&
		[ $((scans - scans_before)) -eq 0 ] && [ $((entries - entries_before)) -lt $((rounds * 100)) ]
}

store_ask "ANALYZE" >/dev/null
store_ask "SELECT count(*) FROM generate_series(1, 20) AS i, LATERAL t.submit(10000 + 0 * i)" >/dev/null
check "with statistics of empty tables" reads_little
store_ask "ANALYZE" >/dev/null
check "with statistics of full tables" reads_little
store_ask "DELETE FROM rg.ready WHERE job_id IN (SELECT job_id FROM rg.ready ORDER BY 1 LIMIT 190000)" >/dev/null
check "with most jobs gone since" reads_little
store_ask "ANALYZE" >/dev/null
check "with statistics of few jobs" reads_little
tap_end
