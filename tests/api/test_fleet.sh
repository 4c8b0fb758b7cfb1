#!/usr/bin/env bash
# An operator's hold on the fleet, asked of the API: draining and deleting workers, pausing provisioning,
# and what is told about it. The test plays the workers.
# shellcheck disable=SC2016,SC2119 # $id is jq's; submit without arguments means it
set -u
cd "$(dirname "$0")/../.." || exit 1
[ -n "${RGRID_TEST_CONNINFO-}" ] || exec tests/with-postgres "$0" "$@"
. tests/tap.sh
. tests/api/api.sh
tap_begin
api_start

tick() { sql "SELECT * FROM rg.tick()" >/dev/null; }
public_id() { # number
	req GET '/api/v1/workers?all=1'
	jq -r --arg name "$1" '.items[] | select(.name == $name) | .id' "$TEST_DIR/body"
}
state_of() { sql "SELECT state FROM rg.worker WHERE id = $1"; }
events_of() { sql "SELECT string_agg(kind, ' ' ORDER BY id) FROM rg.event WHERE worker_id = $1"; }
beat() { # prints "drain" as t or f; the jobs it holds are named if JOB is
	worker_sql "SELECT drain FROM rg_worker.heartbeat(1, '{${JOB-}}', '{${ATTEMPT-}}', '{${TOKEN-}}') WHERE job_id IS NULL"
}
refused() { ! "$@"; }

# Who may
worker_start first
FIRST=$WORKER_ID
first=$(public_id first)
for key in "$READER" "$ONE"; do
	KEY=$key
	req POST "/api/v1/workers/$first/drain"
	is "without scope admin nobody drains" 403
	req POST "/api/v1/workers/$first/undrain"
	is "nor takes it back" 403
	req DELETE "/api/v1/workers/$first?force=1"
	is "nor deletes" 403
	post /api/v1/fleet/pause '{}'
	is "nor pauses" 403
	req POST /api/v1/fleet/resume
	is "nor resumes" 403
done
KEY=$OP
check_output "nothing has happened" 2 state_of "$FIRST"

# Draining, and back
req POST "/api/v1/workers/$first/drain"
is "a worker drains" 200
has "and is shown so" '[.id, .state, .running]' "[\"$first\",\"draining\",0]"
check_output "its heartbeat tells it" t beat
submit >/dev/null
JOB=
worker_claim
check_output "it is given no jobs" "" echo "$JOB"
check_output "by an operator, who goes before the fleet's own reasons" 6 sql "SELECT drain_cause FROM rg.worker WHERE id = $FIRST"
req POST "/api/v1/workers/$first/drain"
is "draining twice is the same" 200
req POST "/api/v1/workers/$first/undrain"
is "it is taken back" 200
has "and active" .state active
unset JOB ATTEMPT TOKEN
check_output "its heartbeat tells it that, too" f beat
worker_claim
check_output "and it is given jobs" 1 sql "SELECT count(*) FROM rg.lease WHERE worker_id = $FIRST"
req POST "/api/v1/workers/$first/undrain"
is "taking back twice is the same" 200
check_output "each change is an event, once, with who asked" "worker.joined worker.drain worker.undrain" events_of "$FIRST"
check_output "namely the key" 2 sql "SELECT count(*) FROM rg.event WHERE worker_id = $FIRST AND reason LIKE '%(key %'"

# The fleet and the operator
sql "INSERT INTO rg.worker (name, login, state, drain_cause, drain_at, joined_at, last_seen)
	VALUES ('packed', 'rgrid_w_packed', 3, 2, now(), now(), now())"
PACKED=$(sql "SELECT id FROM rg.worker WHERE name = 'packed'")
lead() { sql "SELECT fence FROM rg.fleet_lead('test', '1 minute')"; }
undrain_by_fleet() { sql "SELECT rg.fleet_undrain($(lead), $PACKED, 116, 'jobs wait again', 'k')" 2>&1; }
packed=$(public_id packed)
req POST "/api/v1/workers/$packed/drain"
is "what the fleet drains, an operator drains as well" 200
check "then the fleet does not take it back" refused undrain_by_fleet
sql "SELECT rg.fleet_drain($(lead), $PACKED, 1::int2, 120, 'idle', 'k')" >/dev/null
check "nor does it forget that later" refused undrain_by_fleet
req POST "/api/v1/workers/$packed/undrain"
has "an operator does" .state active
sql "UPDATE rg.worker SET state = 3, drain_cause = 2 WHERE id = $PACKED"
check "the fleet takes back what it drained itself" undrain_by_fleet

# Deleting: gently, while it has a job
req DELETE "/api/v1/workers/$first"
is "a busy worker may be asked to go" 200
has "it drains first" '[.state, .running]' '["draining",1]'
req GET /api/v1/fleet
has "which the fleet's state shows" '[.workers.draining, .workers.running, .workers.active]' '[1,1,1]'
worker_finish 1 0
check_output "its job ends well" 1 sql "SELECT outcome FROM rg.attempt WHERE job_id = $JOB"
worker_sql "SELECT rg_worker.leave(1, 'drained')" >/dev/null
check_output "and it leaves" 4 state_of "$FIRST"
req POST "/api/v1/workers/$first/undrain"
is "too late to take it back" 409
has "it is said why" .detail 'the worker has ended'
check "and what comes instead" jq -e '.hint | test("new ones")' "$TEST_DIR/body"
req POST "/api/v1/workers/$first/drain"
is "too late to drain it" 409
req DELETE "/api/v1/workers/$first"
is "deleting it again is the same" 200
has "it stays ended" .state terminated

# … by force
worker_start second
second=$(public_id second)
job=$(submit)
worker_claim
req DELETE "/api/v1/workers/$second?force=1"
is "a busy worker goes by force" 200
has "at once" '[.state, .running]' '["terminated",0]'
check "it is said by whom" jq -e '.reason | test("deleted by an operator")' "$TEST_DIR/body"
req GET "/api/v1/jobs/$job"
has "its job is queued again" '[.state, .attempt]' '["queued",2]'
check_output "on the infrastructure's budget" "6 f" sql "SELECT outcome || ' ' || CASE WHEN final THEN 't' ELSE 'f' END FROM rg.attempt WHERE job_id = $JOB"
unset JOB ATTEMPT TOKEN
over() { beat 2>&1 | grep -q 'no longer part of the fleet'; }
check "its heartbeat hears that it is over" over

# … one that idles, one that has not come up, one that is not there
worker_start third
req DELETE "/api/v1/workers/$(public_id third)"
has "an idle worker goes at once" .state terminated
sql "UPDATE rg.worker SET ended_at = now() - interval '11 s' WHERE ended_at IS NOT NULL"
tick
check_output "logins go with their workers" 0 sql "SELECT count(*) FROM pg_roles JOIN rg.worker ON login = rolname WHERE state > 3"
sql "SELECT rg.worker_create('fourth', 'secret')" >/dev/null
req DELETE "/api/v1/workers/$(public_id fourth)"
has "one that boots, too" .state terminated
for path in "POST /api/v1/workers/worker_0000000000001/drain" "POST /api/v1/workers/worker_0000000000001/undrain" \
	"DELETE /api/v1/workers/worker_0000000000001" "DELETE /api/v1/workers/worker_0000000000001?force=1" \
	"DELETE /api/v1/workers/last" "POST /api/v1/workers/job_1/drain"; do
	# shellcheck disable=SC2086 # two words
	req $path
	is "no such worker: $path" 404
	check "with a hint where to look" jq -e '.hint | test("rgrid worker list")' "$TEST_DIR/body"
done
req DELETE "/api/v1/workers/$packed?force=maybe"
is "force is yes or no" 400
check_output "a refused request changes nothing" 2 state_of "$PACKED"

# Prefixes
req POST "/api/v1/workers/${packed:0:19}/drain"
is "a prefix of a living worker's id is enough" 200
has "if it is the only one" .id "$packed"
sql "INSERT INTO rg.worker (id, name, login, state) VALUES ($PACKED + 1, 'twin', 'rgrid_w_twin', 1)"
req POST "/api/v1/workers/${packed:0:19}/undrain"
is "else it is refused" 409
check "and both are named" jq -e --arg id "$packed" '.hint | contains($id)' "$TEST_DIR/body"

# Pausing
KEY=$READER
req GET /api/v1/fleet
is "every key sees the fleet" 200
has "before any orchestrator has led, limits are unknown" '[.paused, .quota, .limits]' '[null,null,null]'
KEY=$OP
post /api/v1/fleet/pause '{"reason":"the network moves"}'
is "provisioning is paused" 200
has "for a reason" .paused.reason 'the network moves'
since=$(get .paused.since)
check_output "an event says so" 1 sql "SELECT count(*) FROM rg.event WHERE kind = 'fleet.paused' AND reason LIKE 'the network moves (key %'"
post /api/v1/fleet/pause '{"reason":"the network moves"}'
check_output "pausing twice is the same" 1 sql "SELECT count(*) FROM rg.event WHERE kind = 'fleet.paused'"
post /api/v1/fleet/pause '{"reason":"it moves still"}'
has "a later reason replaces the first, not the time" '[.paused.reason, .paused.since]' "[\"it moves still\",\"$since\"]"
job=$(submit)
req GET "/api/v1/jobs/$job/explain"
has "a job that waits is told" .provisioning_paused '{"reason":"it moves still"}'
for body in '{"why":"x"}' '{"reason":""}' '{"reason":5}' "{\"reason\":\"$(printf 'x%.0s' {1..501})\"}" 'nonsense'; do
	post /api/v1/fleet/pause "$body"
	is "refused: ${body:0:40}" 400
done
req POST /api/v1/fleet/resume
is "provisioning goes on" 200
has "and is not paused" .paused null
req GET "/api/v1/jobs/$job/explain"
has "nor is a job told so" .provisioning_paused null
req POST /api/v1/fleet/resume
check_output "resuming twice is the same" 1 sql "SELECT count(*) FROM rg.event WHERE kind = 'fleet.resumed'"

# What the orchestrator has written down
sql "SELECT rg.fleet_publish($(lead), '[]', '[{\"position\":0,\"cpu_millis\":1500,\"memory_bytes\":536870912,\"count\":7,
	\"code\":\"maximum\",\"reason\":\"all 3 servers are there\",\"next\":\"it runs later\",\"until_us\":0}]',
	'{\"workers_min\":0,\"workers_max\":3,\"workers_warm\":1,\"slots\":2,\"spend_limit_micros\":5000000}')" >/dev/null
sql "UPDATE rg.grid SET quota_until = now() + interval '1 hour', quota_message = 'server limit reached'"
req GET /api/v1/fleet
has "what waits is told, and why" '[.waits[] | [.jobs, .cpus, .code, .reason, .until]]' '[[7,1.5,"maximum","all 3 servers are there",null]]'
has "what the fleet keeps to" '[.limits.workers_max, .limits.workers_warm, .limits.spend_limit_micros]' '[3,1,5000000]'
has "and that the provider's limit was met" .quota.reason 'server limit reached'
sql "UPDATE rg.grid SET quota_until = now() - interval '1 hour'"
req GET /api/v1/fleet
has "while it was" .quota null
has "nobody leads" .orchestrator_leads false
req GET '/api/v1/fleet?nonsense=1'
is "no parameters" 400

check "SIGTERM ends it well" api_stop
tap_end
