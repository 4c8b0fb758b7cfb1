#!/usr/bin/env bash
# Every resource of the API, as two projects and a worker see it.
set -u
cd "$(dirname "$0")/../.." || exit 1
[ -n "${RGRID_TEST_CONNINFO-}" ] || exec tests/with-postgres "$0" "$@"
. tests/tap.sh
. tests/api/api.sh
tap_begin
api_start

# Health

KEY=none req GET /livez
is "liveness needs no key" 200
KEY=none req GET "/readyz?verbose"
is "readiness needs no key" 200
has "readiness says what was checked" '[.status, .checks.database, .checks.migrations, .checks.blobs]' '["ok","ok","ok","ok"]'
KEY=none req GET /metrics
is "metrics need no key" 200
check "metrics count requests by route" grep -q 'rgrid_http_request_duration_seconds_count{method="GET",route="/livez",code="200"} 1' "$TEST_DIR/body"
check "metrics are well-formed" awk '/^#/ {next} NF != 2 {print; bad = 1} END {exit bad}' "$TEST_DIR/body"

# Jobs

post /api/v1/jobs '{"name":"first","runtime":"python","script":{"name":"a.py","content":"print(1)"},"args":["x"],"labels":{"team":"a","n":"1"},"retries":1}'
is "a job is accepted" 201
created=$(cat "$TEST_DIR/body")
first=$(get .id)
has "it is queued" '[.state, .attempt, .name, .labels.team, .spec.args[0], .batch_id]' '["queued",1,"first","a","x",null]'
check "answers carry a request id" header 'x-request-id: [0-9a-z]+'
req GET "/api/v1/jobs/$first"
is "it can be asked for" 200
check "asked for at once, it is what was answered" diff \
	<(jq -S 'del(.reason)' <<<"$created") <(jq -S 'del(.reason)' "$TEST_DIR/body")
has "without workers it says so" .reason "no worker is active"
req GET /api/v1/jobs/last
has "last is the newest" .id "$first"
req GET "/api/v1/jobs/${first#job_}"
has "the kind may be left out of an id" .id "$first"
req GET "/api/v1/jobs/${first%?}"
has "a unique prefix of an id will do" .id "$first"
req HEAD "/api/v1/jobs/$first"
is "HEAD is answered" 200

second=$(submit)
worker_start w1
req GET "/api/v1/jobs/$second"
has "with workers it says how many are ahead" .reason "waiting for a free worker slot: 1 job is ahead"
req GET "/api/v1/jobs/${first:0:8}"
is "an ambiguous prefix is refused" 409
has "with the candidates" '.hint | contains("'"$first"'") and contains("'"$second"'")' true

worker_claim
req GET "/api/v1/jobs/$first"
has "a claimed job runs" '[.state, .attempt, (.worker_id | startswith("worker_")), (.started_at != null), .reason]' '["running",1,true,true,null]'
req GET "/api/v1/jobs?state=running"
has "running jobs are listed" '[.items[].id]' "[\"$first\"]"
req GET "/api/v1/jobs?state=queued"
has "queued jobs are listed" '[.items[].id]' "[\"$second\"]"
post "/api/v1/jobs/$first/retry" ''
is "a running job cannot be retried" 409
worker_finish 2 3 "'it broke'"
req GET "/api/v1/jobs/$first"
has "a failed job waits for its retry" '[.state, .attempt, .outcome]' '["queued",2,null]'
check "and says when and why" grep -Eq '"reason":"attempt 2 is due at 20[0-9T:.-]+Z: the script failed"' "$TEST_DIR/body"
req GET "/api/v1/jobs/$first/attempts"
has "its history tells of the failure" '[.items[] | [.attempt, .outcome, .exit_code, .message, .final, .usage.cpu_us]]' '[[1,"failed",3,"it broke",false,1000]]'
sql "UPDATE rg.delayed SET run_at = now()" && sql "SELECT rg.tick()" >/dev/null
worker_claim
worker_finish 1 0
req GET "/api/v1/jobs/$first"
has "then it completes" '[.state, .attempt, .outcome, .exit_code, (.usage.run_us >= 1500000), .usage.memory_peak_bytes, .log_bytes.stdout, .log_bytes.stderr, .unenforced]' \
	'["completed",2,"completed",0,true,4096,3,4,["pids"]]'
req GET "/api/v1/jobs?state=completed&name=first&label=team%3Da&label=n%3D1"
has "it is found by state, name and labels" '[.items[] | [.id, .spec]]' "[[\"$first\",null]]"
req GET "/api/v1/jobs?label=team%3Db"
has "and not by another label" '[.items[].id]' '[]'
req POST "/api/v1/jobs/$first/retry"
has "an ended job can be retried" '[.state, .attempt]' '["queued",3]'
req POST "/api/v1/jobs/$first/cancel"
has "a queued job is cancelled at once" '[.state, .outcome, .attempt]' '["cancelled","cancelled",3]'
req POST "/api/v1/jobs/$first/cancel"
is "cancelling twice is no error" 200
req GET "/api/v1/jobs?state=cancelled"
has "cancelled jobs are listed" '[.items[].id]' "[\"$first\"]"
worker_claim
post "/api/v1/jobs/$second/cancel" '{}'
has "a running job is told to stop" .state running
check_output "through its worker's heartbeat" "t" worker_sql \
	"SELECT cancelled FROM rg_worker.heartbeat(1, '{$JOB}', '{$ATTEMPT}', '{$TOKEN}') WHERE job_id = $JOB"
worker_finish 5 137
req GET "/api/v1/jobs/$second"
has "and is cancelled then" '[.state, .outcome]' '["cancelled","cancelled"]'

# Bulk, lists and paging

post /api/v1/jobs/bulk "$(jq -nc --argjson s "$SPEC" '{jobs: [range(250) | $s + {name: "n\(.)", labels: {even: "\(. % 2)"}}]}')"
is "many jobs are accepted at once" 201
has "with an id each, in order" '[(.items | length), (.items == (.items | sort_by(.id)))]' '[250,true]'
ids=$(jq -c '[.items[].id] | reverse' "$TEST_DIR/body")
page_through() { # query → all ids, in order
	local cursor=''
	: >"$TEST_DIR/ids"
	for _ in $(seq 100); do
		req GET "/api/v1/jobs?$1${cursor:+&cursor=$cursor}"
		jq -r '.items[].id' "$TEST_DIR/body" >>"$TEST_DIR/ids"
		cursor=$(get '.next_cursor // empty')
		[ -n "$cursor" ] || break
	done
	jq -Rcn '[inputs]' "$TEST_DIR/ids"
}
check_output "paging gives each once, newest first" "$ids" page_through "state=queued&limit=33"
check_output "also with labels" "$(jq -c '[.[range(0; 250; 2)]]' <<<"$ids")" page_through "label=even%3D1&limit=7"
check_output "also with labels and a state" "$(jq -c '[.[range(1; 250; 2)]]' <<<"$ids")" page_through "label=even%3D0&state=queued&limit=50"
count_pages() { page_through limit=1000 | jq length; }
check_output "also all there are" 252 count_pages
req GET "/api/v1/jobs?limit=1"
check "the next page is linked" header 'link: <\?limit=1&cursor=[0-9a-zA-Z]+>; rel="next"'
sql "SELECT rg.cancel_job(project_id, id) FROM rg.job" >/dev/null

# Batches

post /api/v1/batches "$(jq -nc --argjson s "$SPEC" '{name: "b", parallel: 2, max_fails: 9, labels: {x: "y"}, jobs: [range(5) | $s]}')"
is "a batch is accepted" 201
batch=$(get .id)
first_of_batch=$(get '.job_ids[0]')
has "with its jobs" '[.name, .state, .parallel, .max_fails, .labels.x, (.job_ids | length), .counts.total, .counts.queued]' '["b","running",2,9,"y",5,5,5]'
req GET "/api/v1/jobs/$(get '.job_ids[4]')"
has "jobs over its limit say so" '[.state, .reason, .batch_id, .batch_index]' "[\"queued\",\"the batch's limit of 2 jobs at a time is reached\",\"$batch\",4]"
worker_claim
worker_finish 1 0
worker_claim
worker_finish 2 1
worker_claim
req GET "/api/v1/batches/$batch"
has "a batch counts" '[.state, .counts]' '["running",{"total":5,"queued":2,"running":1,"completed":1,"failed":1,"cancelled":0}]'
req GET "/api/v1/batches/$batch/results?limit=1"
has "results come in the order of their ends" '[.items[] | [.id, .state, .batch_index]]' "[[\"$first_of_batch\",\"completed\",0]]"
req GET "/api/v1/batches/$batch/results?cursor=$(get .next_cursor)"
has "page by page" '[.items[] | [.state, .exit_code, .batch_index]]' '[["failed",1,1]]'
cursor=$(get .next_cursor)
req GET "/api/v1/batches/$batch/results?cursor=$cursor"
has "until there are no more" '[(.items | length), .next_cursor]' "[0,\"$cursor\"]"
worker_finish 1 0
req GET "/api/v1/batches/$batch/results?cursor=$cursor"
has "and then what came since" '[.items[].batch_index]' '[2]'
post "/api/v1/batches/$batch/jobs" "{\"jobs\":[$SPEC,$SPEC]}"
is "a batch takes more jobs" 201
has "and answers their ids" '.job_ids | length' 2
req GET "/api/v1/jobs?batch=$batch&limit=3"
has "its jobs are listed" '[.items[].batch_index]' '[6,5,4]'
req GET "/api/v1/jobs?batch=$batch&state=failed"
has "by state" '[.items[].batch_index]' '[1]'
req POST "/api/v1/batches/$batch/cancel"
has "it is cancelled" '[.state, .counts]' '["failed",{"total":7,"queued":0,"running":0,"completed":2,"failed":1,"cancelled":4}]'
post "/api/v1/batches/$batch/jobs" "{\"jobs\":[$SPEC]}"
is "a cancelled batch takes no jobs" 409
post "/api/v1/batches/last/retry" '{"only":"failed"}'
has "what failed is retried, and what was cancelled with it" .retried 5
req GET "/api/v1/batches/last"
has "and it goes on" '[.state, .counts.queued, .counts.completed]' '["running",5,2]'
req GET /api/v1/batches
has "batches are listed" '[.items[].id]' "[\"$batch\"]"
sql "SELECT rg.cancel_batch(project_id, id) FROM rg.batch" >/dev/null

# Idempotency

once() { post "$1" "$2" -H "Idempotency-Key: $3"; }
once /api/v1/jobs "$SPEC" k1
is "a key is taken" 201
id=$(get .id)
once /api/v1/jobs "$SPEC" k1
is "the same request answers the same" 201
has "the same job" .id "$id"
check "and says that it is a repetition" header 'idempotency-replayed: true'
once /api/v1/jobs "$SPEC " k1
is "another body under the same key is refused" 422
has "naming the key" '.errors[0].field' Idempotency-Key
once /api/v1/jobs/bulk "{\"jobs\":[$SPEC]}" k1
is "another kind of request too" 422
KEY=$TWO once /api/v1/jobs "$SPEC" k1
is "another project has its own keys" 201
check "and its own job" test "$(get .id)" != "$id"
once /api/v1/jobs/bulk "{\"jobs\":[$SPEC,$SPEC]}" k2
ids=$(get '[.items[].id] | join(" ")')
once /api/v1/jobs/bulk "{\"jobs\":[$SPEC,$SPEC]}" k2
has "bulk submissions are repeated" '[.items[].id] | join(" ")' "$ids"
once /api/v1/batches "{\"jobs\":[$SPEC]}" k3
id=$(get .id)
jobs=$(get '.job_ids[0]')
once /api/v1/batches "{\"jobs\":[$SPEC]}" k3
has "batches are repeated" '[.id, .job_ids]' "[\"$id\",[\"$jobs\"]]"
once "/api/v1/batches/$id/jobs" "{\"jobs\":[$SPEC]}" k4
id=$(get '.job_ids[0]')
once "/api/v1/batches/last/jobs" "{\"jobs\":[$SPEC]}" k4
is "the address is part of the request" 422
before=$(sql "SELECT count(*) FROM rg.job")
same_key_at_once() {
	local i pids=()
	for i in $(seq 20); do
		curl -sS -m 60 -H "Authorization: Bearer $KEY" -H 'Content-Type: application/json' -H 'Idempotency-Key: k5' \
			-d "$SPEC" "$URL/api/v1/jobs" >"$TEST_DIR/once.$i" &
		pids+=($!)
	done
	wait "${pids[@]}"
	cat "$TEST_DIR"/once.* | jq -r .id | sort -u | wc -l
}
check_output "twenty at once with one key make one job" 1 same_key_at_once
check_output "and no more" $((before + 1)) sql "SELECT count(*) FROM rg.job"
many_at_once() {
	local i pids=()
	for i in $(seq 60); do
		curl -sS -m 60 -H "Authorization: Bearer $KEY" -H 'Content-Type: application/json' -d "$SPEC" "$URL/api/v1/jobs" >"$TEST_DIR/many.$i" &
		pids+=($!)
	done
	wait "${pids[@]}"
	cat "$TEST_DIR"/many.* | jq -r .id | sort -u | wc -l
}
check_output "sixty at once make sixty jobs" 60 many_at_once

# Workers

req GET /api/v1/workers
has "workers are listed" '[.items[] | [.name, .state, .slots, .running, .hostname, .version, .unenforced]]' '[["w1","active",8,0,"host.example","0.1.0",["pids"]]]'
worker_sql "SELECT rg_worker.leave(1, 'done')" >/dev/null
req GET /api/v1/workers
has "not those that have ended" '.items | length' 0
req GET "/api/v1/workers?all=1"
has "unless asked for" '[.items[] | [.state, .reason]]' '[["terminated","done"]]'

# Keys

KEY=$OP
req GET /api/v1/keys/self
has "a key knows itself" '[.name, .scopes, .project]' '["test",["read","run","admin"],"one"]'
post /api/v1/keys '{"name":"mine","scopes":["read"]}'
is "a key is made" 201
made=$(get .key)
label=$(get .label)
has "and shown" '[(.key | test("^rgk_[0-9A-Za-z]{8}_[0-9A-Za-z]{32}_[0-9A-Za-z]{6}$")), .scopes, .expires_at]' '[true,["read"],null]'
KEY=$made req GET /api/v1/jobs
is "it works" 200
KEY=$made post /api/v1/jobs "$SPEC"
is "within its scopes" 403
KEY=$made req GET /api/v1/keys
is "and no further" 403
req GET /api/v1/keys
has "keys are listed, newest first" '.items[0] | [.name, .label, has("key")]' "[\"mine\",\"$label\",false]"
has "with their last use" '.items[0].last_used_at != null' true
req DELETE "/api/v1/keys/$label"
is "a key is revoked" 204
KEY=$made req GET /api/v1/jobs
is "and is no good then" 401
has "which it is told" .detail "this API key was revoked"
check "with the scheme to use" header 'www-authenticate: bearer.*'
req DELETE "/api/v1/keys/none"
is "a key that is not there cannot be revoked" 404
post /api/v1/keys "{\"name\":\"short\",\"scopes\":[\"read\"],\"expires_at\":\"$(date -u -d '+2 seconds' +%FT%TZ)\"}"
is "a key may expire" 201
made=$(get .key)
KEY=$made req GET /api/v1/jobs
is "and works until then" 200
no_longer_works() { KEY=$made req GET /api/v1/jobs && [ "$STATUS" = 401 ]; }
check "not after" wait_until 10 no_longer_works
post /api/v1/keys '{"name":"past","scopes":["read"],"expires_at":"2020-01-01T00:00:00Z"}'
is "an expiry in the past is refused" 400
post /api/v1/keys '{"name":"outside","scopes":["run"]}'
made=$(get .key)
KEY=$made req GET /api/v1/keys/self
sql "UPDATE rg.api_key SET revoked_at = now() WHERE name = 'outside'"
check "a key revoked elsewhere is noticed within seconds" wait_until 6 no_longer_works

# Tenancy

KEY=$ONE
job=$(submit '{"name":"secret","runtime":"bash","script":{"name":"a.sh","content":"true"},"labels":{"a":"b"}}')
post /api/v1/batches "{\"jobs\":[$SPEC]}"
batch=$(get .id)
printf one >"$TEST_DIR/blob"
sha=$(sha256sum "$TEST_DIR/blob" | cut -c1-64)
req PUT "/api/v1/blobs/$sha" --data-binary @"$TEST_DIR/blob"
is "project one has a blob" 201
before=$(sql "SELECT count(*) FROM rg.ready")
KEY=$TWO
for at in "GET /api/v1/jobs/$job" "GET /api/v1/jobs/${job%??}" "GET /api/v1/jobs/$job/attempts" "POST /api/v1/jobs/$job/cancel" \
	"POST /api/v1/jobs/$job/retry" "GET /api/v1/jobs/$job/logs" "GET /api/v1/jobs/$job/logs?follow=1" \
	"GET /api/v1/jobs/$job/artifacts" "GET /api/v1/jobs/$job/artifacts/x" "GET /api/v1/batches/$batch" \
	"GET /api/v1/batches/last" "GET /api/v1/batches/$batch/results" "POST /api/v1/batches/$batch/cancel" \
	"GET /api/v1/blobs/$sha" "HEAD /api/v1/blobs/$sha"; do
	req "${at% *}" "${at#* }"
	is "another project's is not found: $at" 404
done
post "/api/v1/batches/$batch/retry" '{}'
is "another project's batch is not retried" 404
post "/api/v1/batches/$batch/jobs" "{\"jobs\":[$SPEC]}"
is "nor added to" 404
for query in "batch=$batch" "label=a%3Db" "name=secret" "state=queued" "state=running" "limit=1000"; do
	req GET "/api/v1/jobs?$query"
	check_output "nor listed: $query" 0 jq "[.items[]? | select(.id == \"$job\" or .batch_id == \"$batch\")] | length" "$TEST_DIR/body"
done
req GET /api/v1/batches
has "no batch of the other is listed" '.items | length' 0
req GET /api/v1/keys
has "nor a key" '[.items[].name]' '["test"]'
req DELETE "/api/v1/keys/${ONE:4:8}"
is "nor revoked" 404
post /api/v1/blobs/check "{\"blobs\":[\"$sha\"]}"
has "a blob of the other is missing here" .missing "[\"$sha\"]"
post /api/v1/jobs "{\"runtime\":\"bash\",\"script\":{\"name\":\"a.sh\",\"blob\":\"$sha\"}}"
is "and cannot be used" 422
has "which names the field" '.errors[0].field' script.blob
check_output "the other's jobs are untouched" "$before" sql "SELECT count(*) FROM rg.ready"
req PUT "/api/v1/blobs/$sha" --data-binary @"$TEST_DIR/blob"
is "who has the bytes may upload them too" 201
req GET "/api/v1/blobs/$sha"
is "and use them then" 200

check "up to here without a complaint" test "$(grep -Ec '"level":"(warning|error)"' "$TEST_DIR/api.log")" -eq 0

# The database comes and goes

elsewhere() { psql -X -A -t -q -v ON_ERROR_STOP=1 -d "${RGRID_TEST_CONNINFO/dbname=rgrid/dbname=postgres}" -c "$1"; }
cut_off() { elsewhere "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE datname = 'rgrid'" >/dev/null; }
KEY=$ONE
job=$(submit)
curl -sSN -m 60 -H "Authorization: Bearer $KEY" "$URL/api/v1/jobs/$job/logs?follow=1" >"$TEST_DIR/events" 2>&1 &
follower=$!
saw() { grep -q "$1" "$TEST_DIR/events"; }
wait_until 5 saw '"state":"queued"'
cut_off
req GET "/api/v1/jobs/$job"
is "connections that the database has closed are made anew" 200
submit >/dev/null
cut_off
submit >"$TEST_DIR/id"
check "also for submissions" grep -q job_ "$TEST_DIR/id"
elsewhere "ALTER DATABASE rgrid ALLOW_CONNECTIONS false"
cut_off
for at in "GET /api/v1/jobs/$job" "POST /api/v1/jobs/$job/cancel" "GET /readyz" "GET /metrics"; do
	req "${at% *}" "${at#* }"
	is "without a database it is not available: $at" 503
done
post /api/v1/jobs "$SPEC"
is "nor for submissions" 503
check "but soon again, perhaps" header 'retry-after: 1'
has "and says so" '[.type, .status]' '["https://rgrid.dev/problems/unavailable",503]'
req GET /livez
is "it lives all the same" 200
elsewhere "ALTER DATABASE rgrid ALLOW_CONNECTIONS true"
req GET "/readyz"
is "and is ready when the database is" 200
post /api/v1/jobs "$SPEC"
is "for submissions too" 201
req POST "/api/v1/jobs/$job/cancel"
check "followers have missed nothing" wait_until 10 saw 'event: end'
wait "$follower"

check "SIGTERM ends it well" api_stop
tap_end
