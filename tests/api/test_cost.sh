#!/usr/bin/env bash
# What jobs cost, limits on it, and why jobs wait, asked of the API; the fleet's part is written into the
# database by hand.
set -u
cd "$(dirname "$0")/../.." || exit 1
[ -n "${RGRID_TEST_CONNINFO-}" ] || exec tests/with-postgres "$0" "$@"
. tests/tap.sh
. tests/api/api.sh
tap_begin
api_start

SPEC='{"runtime":"bash","script":{"name":"a.sh","content":"exit 0"}}'
LARGE='{"runtime":"bash","script":{"name":"a.sh","content":"exit 0"},"limits":{"cpus":4,"memory_bytes":8589934592}}'
submit() { post /api/v1/jobs "${1:-$SPEC}" && jq -r .id "$TEST_DIR/body"; }
tick() { sql "SELECT * FROM rg.tick()" >/dev/null; }
project=$(sql "SELECT id FROM rg.project WHERE name = 'one'")

# A worker with two slots at 0.0088 euros an hour of a minute, for each job that has ended just now.
ran() { # job duration
	sql "DELETE FROM rg.ready WHERE job_id = $1;
		WITH w AS (INSERT INTO rg.worker (name, login, state, slots, price_hour_micros, hour_ms,
				server_created_at, joined_at, last_seen)
			VALUES ('w$1', 'rgrid_w_$1', 2, 2, 8800, 60000, clock_timestamp() - interval '$2',
				now(), now()) RETURNING *)
		INSERT INTO rg.attempt (job_id, attempt, outcome, final, worker_id, started_at, finished_at)
		SELECT $1, 1, 1, true, id, server_created_at, server_created_at + interval '$2' FROM w"
}
number_of() { sql "SELECT max(id) FROM rg.job WHERE project_id = $project"; }

job=$(submit)
ran "$(number_of)" '30 s'
req GET "/api/v1/jobs/$job"
has "a job costs its share of the worker's time" .cost_micros 2200
req GET /api/v1/cost
is "costs are shown" 200
has "by day" '[.days[] | [.attempts, .cost_micros]]' '[[1,2200]]'
has "and for the month" .month.cost_micros 2200
has "without a limit" '[.month.status, .month.monthly_limit_micros]' '["unlimited",null]'
folded() { tick && [ "$(sql "SELECT count(*) FROM rg.cost_day")" = "$1" ]; }
check "it is added up" wait_until 20 folded 1
req GET /api/v1/cost
has "each attempt counts once" '[[.days[] | [.attempts, .run_us, .cost_micros]], .month.cost_micros]' '[[[1,30000000,2200]],2200]'
KEY=$TWO
req GET /api/v1/cost
has "another project sees its own only" .month.cost_micros 0
KEY=$ONE

# The fleet's bill, and what was idle of it
sql "INSERT INTO rg.cost_ledger VALUES (77, 0, 1, now(), 8800)"
req GET /api/v1/cost
has "idle is what nobody used" .month.fleet '{"paid_micros":8800,"jobs_micros":2200,"idle_micros":6600}'

for query in since=yesterday until=2026-13-01 since=2026-1-1 nonsense=1; do
	req GET "/api/v1/cost?$query"
	is "bad days are refused: $query" 400
done
req GET "/api/v1/cost?since=2020-01-01&until=2020-12-31"
has "a time without jobs is empty" .days '[]'

# The monthly limit
req PUT /api/v1/cost/limit -d '{"monthly_limit_micros":1000}' -H 'Content-Type: application/json'
is "a key without admin sets no limit" 403
KEY=$OP
for body in '{}' '{"monthly_limit_micros":-1}' '{"monthly_limit_micros":"5"}' '{"limit":1}'; do
	req PUT /api/v1/cost/limit -d "$body" -H 'Content-Type: application/json'
	[[ $body == '{}' ]] || is "refused: $body" 400
done
waiting=$(submit)
req PUT /api/v1/cost/limit -d '{"monthly_limit_micros":2500}' -H 'Content-Type: application/json'
is "a limit is set" 200
has "most of it is spent" .status warning
tick
check_output "which is noted once" 1 sql "SELECT count(*) FROM rg.event WHERE kind = 'project.warned'"
submit >/dev/null
ended=$(number_of)
ran "$ended" '5 s'
tick
req GET /api/v1/cost
has "what has ended at this moment counts" '[.month.status, .month.cost_micros]' '["held",2566]'
sql "DELETE FROM rg.attempt WHERE job_id = $ended"
req PUT /api/v1/cost/limit -d '{"monthly_limit_micros":2000}' -H 'Content-Type: application/json'
has "reached, it holds" .status held
req GET "/api/v1/jobs/$waiting/explain"
has "what waited is held" .code money
check "and told why" jq -e '.reason | test("monthly spending limit")' "$TEST_DIR/body"
held=$(submit)
req GET "/api/v1/jobs/$held"
has "new jobs are taken, and wait" .state queued
check "with the reason" jq -e '.reason | test("monthly spending limit")' "$TEST_DIR/body"
post /api/v1/batches "{\"parallel\":1,\"jobs\":[$SPEC,$SPEC]}"
is "batches too" 201
check_output "nobody can claim them" 0 sql "SELECT count(*) FROM rg.ready"
tick
check_output "nor after a while" 0 sql "SELECT count(*) FROM rg.ready"
KEY=$TWO
submit >/dev/null
check_output "another project's job runs" 1 sql "SELECT count(*) FROM rg.ready"
KEY=$OP
req PUT /api/v1/cost/limit -d '{"monthly_limit_micros":null}' -H 'Content-Type: application/json'
has "without a limit" .status unlimited
tick
tick
check_output "all go on, the batch within its own limit" "4 1" \
	sql "SELECT (SELECT count(*) FROM rg.ready) || ' ' || (SELECT count(*) FROM rg.parked)"

# Exactly: below 80 % nothing, at 80 % a warning, at 100 % new work is held. One job of 10,000 micro-euros has run.
sql "DELETE FROM rg.attempt; DELETE FROM rg.cost_day; DELETE FROM rg.ready; DELETE FROM rg.parked;
	UPDATE rg.grid SET cost_folded_at = now()"
sql "INSERT INTO rg.cost_day VALUES ($project, date_trunc('month', now() AT TIME ZONE 'UTC')::date, 1, 1, 10000)"
status_at() { # limit in micro-euros
	req PUT /api/v1/cost/limit -d "{\"monthly_limit_micros\":$1}" -H 'Content-Type: application/json'
}
status_at 12501
has "just below 80 % all is well" .status ok
submit >/dev/null
has "and jobs are told so" .limit_status ok
status_at 12500
has "at 80 % it warns" .status warning
job=$(submit)
has "jobs, too" .limit_status warning
post /api/v1/batches "{\"jobs\":[$SPEC]}"
has "and batches" .limit_status warning
status_at 10001
has "just below all of it still" .status warning
check_output "and jobs run" 3 sql "SELECT count(*) FROM rg.ready"
status_at 10000
has "at 100 % it holds" .status held
check_output "what waits" "0 3" sql "SELECT (SELECT count(*) FROM rg.ready) || ' ' || count(*) FROM rg.delayed WHERE run_at = 'infinity'"
ended=$(submit)
has "and says so to new jobs" .limit_status held
post "/api/v1/jobs/$ended/cancel" ''
post "/api/v1/jobs/$ended/retry" ''
is "an ended one is retried" 200
check_output "and held, too" "0 4" sql "SELECT (SELECT count(*) FROM rg.ready) || ' ' || count(*) FROM rg.delayed WHERE run_at = 'infinity'"
req GET "/api/v1/jobs/$ended/explain"
has "and told why" .code money
status_at 10001
tick
check_output "raised, it lets all go" "4 0" sql "SELECT (SELECT count(*) FROM rg.ready) || ' ' || count(*) FROM rg.delayed"
status_at 10000
sql "UPDATE rg.cost_day SET day = day - 1"
tick
tick
check_output "so does a new month" "4 0" sql "SELECT (SELECT count(*) FROM rg.ready) || ' ' || count(*) FROM rg.delayed"
req GET /api/v1/cost
has "which begins with nothing" '[.month.status, .month.cost_micros]' '["ok",0]'
# A job that has run for 30 s of a minute's hour, on one of two slots of a worker at 0.0088 euros
sql "INSERT INTO rg.worker (name, login, state, slots, price_hour_micros, hour_ms, server_created_at, joined_at, last_seen)
	VALUES ('busy', 'rgrid_w_busy', 2, 2, 8800, 60000, now() - interval '30 s', now(), now());
	INSERT INTO rg.lease (job_id, attempt, token, worker_id, incarnation, claimed_at)
	SELECT r.job_id, 1, 1, w.id, 0, w.server_created_at
	FROM (SELECT job_id FROM rg.ready ORDER BY job_id LIMIT 1) r, rg.worker w WHERE w.name = 'busy';
	DELETE FROM rg.ready r USING rg.lease l WHERE l.job_id = r.job_id"
status_at 2200
has "what runs counts" .status held
check_output "and runs on" 1 sql "SELECT count(*) FROM rg.lease"
sql "DELETE FROM rg.lease; UPDATE rg.worker SET state = 4 WHERE name = 'busy'"
status_at null
tick
tick

# A batch's own limit
batch_costs() { tick && [ "$(sql "SELECT cost_micros FROM rg.batch ORDER BY id DESC LIMIT 1")" = "$1" ]; }
post /api/v1/batches "{\"max_cost_micros\":3000,\"jobs\":[$SPEC,$SPEC,$SPEC]}"
is "a batch with a limit" 201
batch=$(jq -r .id "$TEST_DIR/body")
first=$(sql "SELECT job_id FROM rg.ready JOIN rg.job j ON j.id = job_id WHERE batch_id = (SELECT max(id) FROM rg.batch) ORDER BY 1 LIMIT 1")
ran "$first" '50 s'
sql "UPDATE rg.attempt SET batch_id = (SELECT max(id) FROM rg.batch) WHERE job_id = $first"
tick
check "what it cost is added up" wait_until 20 batch_costs 3666
req GET "/api/v1/batches/$batch"
has "when it is reached the rest is cancelled" '[.cost_micros, .max_cost_micros, .counts.cancelled]' '[3666,3000,2]'
post /api/v1/batches "{\"max_cost_micros\":0,\"jobs\":[$SPEC]}"
is "no limit of nothing" 400

# Why a job waits
job=$(submit)
large=$(submit "$LARGE")
req GET "/api/v1/jobs/$job/explain"
is "a job is explained" 200
has "before the orchestrator has seen it" .code queued
sql "INSERT INTO rg.fleet_wait (position, cpu_millis, memory_bytes, count, code, reason, next, at) VALUES
	(0, 1000, 536870912, 5, 'booting', 'a worker boots', 'it runs soon', now()),
	(1, 4000, 8589934592, 1, 'too-large', 'no server is large enough', 'allow a larger one', now())"
req GET "/api/v1/jobs/$job/explain"
has "by its size" '[.code, .reason, .state]' '["booting","a worker boots","queued"]'
req GET "/api/v1/jobs/$large/explain"
has "a large one otherwise" .code too-large
KEY=$TWO
req GET "/api/v1/jobs/$job/explain"
is "not to another project" 404
KEY=$ONE

# Estimates
req GET "/api/v1/estimate?runtime=bash&jobs=10"
has "from the runs that were" '[.run_us, .known_runs, .cost_micros, .server]' '[50000000,1,0,null]'
sql "INSERT INTO rg.fleet_choice VALUES (0, 'cx22', 'nbg1', 1, 1, 2, 1, true), (1, 'cx23', 'nbg1', 2000, 4294967296, 2, 8800, false); UPDATE rg.fleet_choice SET hour_ms = 60000"
req GET "/api/v1/estimate?runtime=bash&jobs=10"
has "with the price of what is sold, whose hour is a minute" '[.cost_micros, .server]' '[36666,"cx23 in nbg1"]'
req GET "/api/v1/estimate?runtime=cobol"
is "of an unknown runtime: no" 400
req GET "/api/v1/estimate?runtime=bash&jobs=0"
is "of no jobs: no" 400

# A worker with three slots that lived over the end of a month, with hours of seven seconds: jobs back to back,
# of awkward lengths. Each hour of the ledger is divided to the micro-euro.
sql "UPDATE rg.grid SET cost_folded_at = date_trunc('month', now(), 'UTC') - interval '1 day', cost_fold_at = NULL;
	DELETE FROM rg.cost_day; DELETE FROM rg.cost_ledger; DELETE FROM rg.attempt;
	INSERT INTO rg.worker (name, login, state, slots, price_hour_micros, hour_ms, server_id, server_created_at,
		joined_at, ended_at)
	VALUES ('old', 'rgrid_w_old', 4, 3, 8801, 7000, 88, date_trunc('month', now(), 'UTC') - interval '30 s', now(), now());
	INSERT INTO rg.cost_ledger SELECT 88, n, w.id, w.server_created_at + n * interval '7 s', 8801
		FROM rg.worker w, generate_series(0, 9) n WHERE w.name = 'old';
	WITH jobs AS (INSERT INTO rg.job (id, project_id, spec)
			SELECT rg.new_id(), $project, '{}' FROM generate_series(1, 60) RETURNING id),
		placed AS (SELECT id, row_number() OVER (ORDER BY id) - 1 AS n FROM jobs)
	INSERT INTO rg.attempt (job_id, attempt, outcome, final, worker_id, started_at, finished_at)
	SELECT p.id, 1, 1, true, w.id, w.server_created_at + (p.n / 3) * interval '3.333333 s',
		w.server_created_at + (p.n / 3 + 1) * interval '3.333333 s' - (p.n % 3) * interval '0.123457 s'
	FROM placed p, rg.worker w WHERE w.name = 'old'"
day_sums() { sql "SELECT string_agg(cost_micros::text, ' ' ORDER BY day) FROM rg.cost_day"; }
# What the shares of the three slots must be: the first takes all of the time, the others leave gaps.
shares=$(python3 - <<'PY'
sums = [0, 0]
for n in range(60):
    since, until = n // 3 * 3333333, (n // 3 + 1) * 3333333 - n % 3 * 123457
    for hour in range(10):
        part = min(until, (hour + 1) * 7000000) - max(since, hour * 7000000)
        sums[hour >= 5] += 8801 * max(part, 0) // (7000000 * 3)
print(*sums)
PY
)
shares_are() { tick && [ "$(day_sums)" = "$shares" ]; }
check "shares are of each paid hour, rounded down, on the day on which it began" wait_until 20 shares_are
check_output "the jobs cost what the days have" "$((${shares% *} + ${shares#* }))" \
	sql "SELECT sum(rg.job_cost(a.job_id)) FROM rg.attempt a JOIN rg.worker w ON w.id = a.worker_id WHERE w.name = 'old'"
req GET /api/v1/cost
has "jobs and idle time are the month's bill" '.month.fleet | [.paid_micros, .jobs_micros, .paid_micros - .jobs_micros - .idle_micros]' \
	"[$((8801 * 5)),${shares#* },0]"
check "no hour gives more than it cost" [ "${shares#* }" -le $((8801 * 5)) ]

# A worker holds more leases than slots: what it has fetched ahead costs nothing yet.
sql "INSERT INTO rg.worker (name, login, state, slots, price_hour_micros, hour_ms, server_created_at, joined_at, last_seen)
	VALUES ('ahead', 'rgrid_w_ahead', 2, 1, 8800, 60000, now() - interval '30 s', now(), now());
	INSERT INTO rg.lease (job_id, attempt, token, worker_id, incarnation, claimed_at)
	SELECT q.id, 1, 1, w.id, 0, now() - interval '20 s'
	FROM (SELECT id FROM rg.job WHERE spec::text = '{}' ORDER BY id LIMIT 5) q, rg.worker w WHERE w.name = 'ahead'"
check_output "those on slots alone are paid for" 1 sql "SELECT count(*) FROM rg.cost_running()"
check "SIGTERM ends it well" api_stop
tap_end
