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

# A worker with two slots at 0.0088 euros an hour, that ran a job for half an hour yesterday.
worker=$(sql "INSERT INTO rg.worker (name, login, state, slots, price_hour_micros, joined_at, last_seen)
	VALUES ('w', 'rgrid_w_test', 2, 2, 8800, now(), now()) RETURNING id")
ran() { # job duration [how long ago it ended]
	sql "DELETE FROM rg.ready WHERE job_id = $1;
		INSERT INTO rg.attempt (job_id, attempt, outcome, final, worker_id, started_at, finished_at)
		VALUES ($1, 1, 1, true, $worker, now() - interval '${3-1 minute}' - interval '$2',
			now() - interval '${3-1 minute}')"
}
number_of() { sql "SELECT max(id) FROM rg.job WHERE project_id = $project"; }

job=$(submit)
sql "UPDATE rg.grid SET cost_folded_at = now() - interval '1 hour'"
ran "$(number_of)" '30 minutes'
tick
req GET "/api/v1/jobs/$job"
has "a job costs its share of the worker's time" .cost_micros 2200
req GET /api/v1/cost
is "costs are shown" 200
has "by day" '[.days[] | [.attempts, .cost_micros]]' '[[1,2200]]'
has "and for the month" .month.cost_micros 2200
has "without a limit" '[.month.status, .month.monthly_limit_micros]' '["unlimited",null]'
tick
req GET /api/v1/cost
has "each attempt counts once" .month.cost_micros 2200
KEY=$TWO
req GET /api/v1/cost
has "another project sees its own only" .month.cost_micros 0
KEY=$ONE

# The fleet's bill, and what was idle of it
sql "INSERT INTO rg.cost_ledger VALUES (77, 0, $worker, now() - interval '2 minutes', 8800)"
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
ran "$ended" '5 minutes' '0 s'
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

# A batch's own limit
post /api/v1/batches "{\"max_cost_micros\":3000,\"jobs\":[$SPEC,$SPEC,$SPEC]}"
is "a batch with a limit" 201
batch=$(jq -r .id "$TEST_DIR/body")
first=$(sql "SELECT job_id FROM rg.ready JOIN rg.job j ON j.id = job_id WHERE batch_id = (SELECT max(id) FROM rg.batch) ORDER BY 1 LIMIT 1")
sql "UPDATE rg.grid SET cost_folded_at = now() - interval '1 hour'; DELETE FROM rg.cost_day"
ran "$first" '50 minutes'
sql "UPDATE rg.attempt SET batch_id = (SELECT max(id) FROM rg.batch) WHERE job_id = $first"
tick
tick
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
has "from the runs that were" '[.run_us, .known_runs, .cost_micros, .server]' '[1800000000,2,0,null]'
sql "INSERT INTO rg.fleet_choice VALUES (0, 'cx22', 'nbg1', 1, 1, 2, 1, true), (1, 'cx23', 'nbg1', 2000, 4294967296, 2, 8800, false)"
req GET "/api/v1/estimate?runtime=bash&jobs=10"
has "with the price of what is sold" '[.cost_micros, .server]' '[22000,"cx23 in nbg1"]'
req GET "/api/v1/estimate?runtime=cobol"
is "of an unknown runtime: no" 400
req GET "/api/v1/estimate?runtime=bash&jobs=0"
is "of no jobs: no" 400

check "SIGTERM ends it well" api_stop
tap_end
