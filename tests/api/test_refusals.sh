#!/usr/bin/env bash
# Everything that a client can send wrong is refused with a problem that says where and why, and leaves
# nothing behind.
set -u
cd "$(dirname "$0")/../.." || exit 1
[ -n "${RGRID_TEST_CONNINFO-}" ] || exec tests/with-postgres "$0" "$@"
. tests/tap.sh
. tests/api/api.sh
tap_begin
api_start

# A refusal with STATUS, of problem+json, that names FIELD ("-": none).
refused() { # what status field
	local field
	{
		echo "$STATUS"
		cat "$TEST_DIR/header" "$TEST_DIR/body" "$TEST_DIR/curl.err"
	} >"$TEST_DIR/.output" 2>&1
	field=$(jq -r '.errors[0].field // "-"' "$TEST_DIR/body" 2>/dev/null)
	[ "$STATUS" = "$2" ] && [ "$field" = "$3" ] && header 'content-type: application/problem\+json' &&
		jq -e ".status == $2 and (.type | startswith(\"https://\")) and .title and .detail and .request_id" \
			"$TEST_DIR/body" >/dev/null
	tap_result $? "$1"
}

# The specification with a member replaced by JSON.
with() { jq -nc --argjson s "$SPEC" "\$s * $1"; }
repeat() { printf "%.0s$1" $(seq "$2"); }

# Credentials

for key in "" rgk_x "${ONE}x" "${ONE%?}" rgk_aaaaaaaa_bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb_000000 rgw_1_x rgw__ rgw_0000000000000_x "$(repeat a 300)"; do
	KEY=$key req GET /api/v1/jobs
	if [ "${key:0:6}" = rgw_00 ]; then
		refused "a worker's credential is good for blobs only" 403 -
	else
		refused "the key \"${key:0:20}\" is refused" 401 -
	fi
done
STATUS=$(curl -sS -o "$TEST_DIR/body" -D "$TEST_DIR/header" -w '%{http_code}' "$URL/api/v1/jobs")
refused "no key is refused" 401 -
req GET /api/v1/jobs -H 'Authorization: Basic abc'
KEY=$READER post /api/v1/jobs "$SPEC"
refused "a key that may only read does not submit" 403 -
req GET /api/v1/keys
refused "a key without admin does not see keys" 403 -

# Addresses and queries

req GET /
refused "the root is no resource" 404 -
req GET /api/v1/job
refused "an unknown address is not found" 404 -
req GET /api/v1/jobs/
refused "nor one with a slash too many" 404 -
for method in PUT DELETE PATCH OPTIONS FOO; do
	req "$method" /api/v1/jobs
	refused "$method is not allowed where it is not" 405 -
	check "and what is allowed is told" header 'allow: GET, HEAD, POST'
done
for id in x job_ job_zz job_u last2 "$(repeat a 100)" batch_0000000000000 %F0%9F%98%80; do
	req GET "/api/v1/jobs/$id"
	refused "no job has the id ${id:0:20}" 404 -
done
req GET /api/v1/jobs/last
refused "there is no last job yet" 404 -
req GET /api/v1/jobs/job_0000000000000
refused "an id that nobody has is not found" 404 -
for path in "/api/v1/jobs/%" "/api/v1/jobs/%zz" "/api/v1/jobs/a%00b" "/api/v1/jobs/%ff" "/api/v1/jobs/x/artifacts/%C3"; do
	req GET "$path"
	refused "broken encoding is refused: $path" 400 -
done
req GET "/api/v1/jobs?name=%zz"
refused "also in the query" 400 -
req GET "/api/v1/jobs?limt=1"
refused "an unknown parameter is refused" 400 limt
has "with a suggestion" .hint 'did you mean "limit"?'
req GET "/api/v1/jobs?state=queued&state=running"
refused "a repeated one too" 400 state
for query in limit=0 limit=1001 limit=-1 limit=x limit= limit=1e3 limit=99999999999999999999; do
	req GET "/api/v1/jobs?$query"
	refused "$query is refused" 400 limit
done
has "a refusal's text names the field too" .detail 'limit: "99999999999999999999" is not a whole number between 1 and 1000'
for query in state=done state= label=x label==x "label=a=1&label=a=2" cursor=x cursor= cursor=j0000000000000000000; do
	req GET "/api/v1/jobs?$query"
	refused "$query is refused" 400 "${query%%=*}"
done
req GET "/api/v1/jobs?batch=nope"
refused "jobs of a batch that is not there" 404 batch
req GET "/api/v1/jobs?$(repeat 'a=b&' 40)"
refused "too many parameters are refused" 400 -
req GET "/api/v1/jobs?name=$(repeat a 9000)"
refused "too long a URL is refused" 400 -
req GET "/api/v1/jobs?name=$(repeat a 80000)"
is "a URL beyond all bounds is refused by the library" 414
req GET /api/v1/jobs -H "X-Large: $(repeat a 90000)"
check "a header beyond all bounds too" grep -Eq '^4(13|31)$' <<<"$STATUS"

# Bodies

body() { # what status field JSON
	post /api/v1/jobs "$4"
	refused "$1" "$2" "$3"
}
body "no body" 400 - ''
body "no JSON" 400 - 'hello'
body "cut off JSON" 400 - '{"runtime":"bash"'
body "two values" 400 - "$SPEC $SPEC"
body "an array" 400 - "[$SPEC]"
body "a number" 400 - 1
body "null" 400 - null
body "a member twice" 400 - '{"runtime":"bash","runtime":"bash","script":{"name":"a","content":""}}'
body "not UTF-8" 400 - "$(printf '{"runtime":"bash","name":"\xff","script":{"name":"a","content":""}}')"
body "half a surrogate" 400 - "$(with '{"name":"x"}' | sed 's/"x"/"\\ud800"/')"
body "a NUL in text" 400 - "$(with '{"name":"x"}' | sed 's/"x"/"a\\u0000b"/')"
post /api/v1/jobs "$(repeat '[' 5000)"
refused "deep nesting" 400 -
req POST /api/v1/jobs -d "$SPEC"
refused "a form is refused" 415 -
has "with the header to send" .hint "send the header Content-Type: application/json"
req POST /api/v1/jobs -H 'Content-Type: text/plain' -d "$SPEC"
refused "text is refused" 415 -
req POST /api/v1/jobs -H 'Content-Type: application/jsonx' -d "$SPEC"
refused "almost JSON is refused" 415 -
head -c 33554433 /dev/zero | tr '\0' ' ' >"$TEST_DIR/large"
req POST /api/v1/jobs -H 'Content-Type: application/json' --data-binary @"$TEST_DIR/large"
refused "33 MiB are too much" 413 -
req POST /api/v1/jobs -H 'Content-Type: application/json' -H 'Expect:' --data-binary @"$TEST_DIR/large"
check "also for who does not wait for our word" grep -Eq '^(413|curl .*)$' <<<"$STATUS"
req POST /api/v1/jobs -H 'Content-Type: application/json' -H 'Transfer-Encoding: chunked' --data-binary @"$TEST_DIR/large"
refused "also in pieces of no declared length" 413 -
{
	printf '{"jobs":['
	yes '1,' | head -n 2100000 | tr -d '\n'
	printf '1]}'
} >"$TEST_DIR/values"
req POST /api/v1/jobs/bulk -H 'Content-Type: application/json' --data-binary @"$TEST_DIR/values"
refused "too many values are too much" 413 -
req POST "/api/v1/jobs/x/cancel" -H 'Content-Type: application/json' -d '{"force":true}'
refused "a body where none belongs" 400 -

# Specifications

spec() { body "$1" 400 "$2" "$(with "$3")"; }
body "no runtime" 400 runtime '{"script":{"name":"a","content":""}}'
body "no script" 400 script '{"runtime":"bash"}'
spec "an unknown member" nmae '{nmae: "x"}'
has "is suggested" .hint 'did you mean "name"?'
spec "an unknown runtime" runtime '{runtime: "cobol"}'
spec "a runtime that is no text" runtime '{runtime: 1}'
spec "a name that is no text" name '{name: []}'
spec "a name too long" name "{name: \"$(repeat x 129)\"}"
spec "an empty name" name '{name: ""}'
spec "a script twice" script.content '{script: {blob: ("a" * 64)}}'
spec "a script's name with .." script.name '{script: {name: "../a"}}'
spec "an absolute script" script.name '{script: {name: "/a"}}'
spec "a blob that is none" script.blob '{script: {content: null, blob: "abc"}}'
spec "args that are no array" args '{args: "x"}'
spec "an arg that is no text" 'args[1]' '{args: ["a", 1]}'
spec "too many args" args '{args: [range(5000) | "x"]}'
spec "args too long" args "{args: [range(3000) | \"$(repeat x 60)\"]}"
spec "files that are no array" files '{files: {}}'
spec "a file that is no object" 'files[0]' '{files: [1]}'
spec "a file without a blob" 'files[0].blob' '{files: [{path: "x"}]}'
for path in '../x' 'a/../x' '/x' 'a//x' './x' '' 'a/' '..' '.'; do
	spec "a file's path \"$path\"" 'files[0].path' "{files: [{path: \"$path\", blob: (\"a\" * 64)}]}"
done
spec "a path too long" 'files[0].path' "{files: [{path: \"$(repeat x 1025)\", blob: (\"a\" * 64)}]}"
spec "a path twice" 'files[1].path' '{files: [{path: "x", blob: ("a" * 64)}, {path: "x", blob: ("a" * 64)}]}'
spec "the script's path again" 'files[0].path' '{files: [{path: "a.sh", blob: ("a" * 64)}]}'
spec "a file below a file" 'files[1].path' '{files: [{path: "x", blob: ("a" * 64)}, {path: "x/y", blob: ("a" * 64)}]}'
spec "too many files" files '{files: [range(5000) | {path: "f\(.)", blob: ("a" * 64)}]}'
spec "an environment that is no object" env '{env: []}'
spec "a bad name of a variable" env '{env: {"1x": "y"}}'
spec "a variable of ours" env '{env: {"RGRID_X": "y"}}'
spec "a variable that is no text" env '{env: {"X": 1}}'
spec "too many variables" env '{env: ([range(300) | {("V\(.)"): "x"}] | add)}'
spec "an unknown limit" limits.memory '{limits: {memory: 1}}'
spec "too little memory" limits.memory_bytes '{limits: {memory_bytes: 1}}'
spec "too much memory" limits.memory_bytes '{limits: {memory_bytes: 1e30}}'
spec "memory as text" limits.memory_bytes '{limits: {memory_bytes: "1G"}}'
spec "negative time" limits.timeout_ms '{limits: {timeout_ms: -5}}'
spec "time that is a fraction" limits.timeout_ms '{limits: {timeout_ms: 1000.5}}'
spec "no processes" limits.pids '{limits: {pids: 0}}'
spec "no CPU" limits.cpus '{limits: {cpus: 0}}'
spec "an unknown network" network '{network: "all"}'
spec "too many retries" retries '{retries: 101}'
spec "negative retries" retries '{retries: -1}'
spec "labels that are no text" labels '{labels: {a: 1}}'
spec "too many labels" labels '{labels: ([range(40) | {("l\(.)"): "x"}] | add)}'
body "a blob that was not uploaded" 422 'files[0].blob' "$(with '{files: [{path: "x", blob: ("a" * 64)}]}')"
has "is to be uploaded" '.hint | startswith("upload it first")' true

bulk() { # what status field JSON
	post /api/v1/jobs/bulk "$4"
	refused "bulk: $1" "$2" "$3"
}
bulk "no jobs" 400 jobs '{}'
bulk "zero jobs" 400 jobs '{"jobs":[]}'
bulk "jobs that are no array" 400 jobs '{"jobs":{}}'
bulk "a bad one among good ones" 400 'jobs[2].runtime' "{\"jobs\":[$SPEC,$SPEC,{\"runtime\":\"x\"},$SPEC]}"
bulk "a missing blob among good ones" 422 'jobs[1].script.blob' "{\"jobs\":[$SPEC,{\"runtime\":\"bash\",\"script\":{\"name\":\"a\",\"blob\":\"$(repeat a 64)\"}}]}"
bulk "an unknown member" 400 job "{\"jobs\":[$SPEC],\"job\":1}"
jq -nc --argjson s "$SPEC" '{jobs: [range(10001) | $s]}' >"$TEST_DIR/many"
req POST /api/v1/jobs/bulk -H 'Content-Type: application/json' --data-binary @"$TEST_DIR/many"
refused "bulk: too many jobs" 400 jobs

batch() { # what status field JSON
	post /api/v1/batches "$4"
	refused "batch: $1" "$2" "$3"
}
batch "no jobs" 400 jobs '{"name":"x"}'
batch "zero at a time" 400 parallel "{\"parallel\":0,\"jobs\":[$SPEC]}"
batch "too many at a time" 400 parallel "{\"parallel\":100001,\"jobs\":[$SPEC]}"
batch "a limit that is text" 400 parallel "{\"parallel\":\"2\",\"jobs\":[$SPEC]}"
batch "zero failures" 400 max_fails "{\"max_fails\":0,\"jobs\":[$SPEC]}"
batch "bad labels" 400 labels "{\"labels\":{\"a\":null},\"jobs\":[$SPEC]}"
batch "a bad job" 400 'jobs[0].script' '{"jobs":[{"runtime":"bash"}]}'
batch "an unknown member" 400 paralel "{\"paralel\":2,\"jobs\":[$SPEC]}"
post /api/v1/batches/last/retry '{"only":"some"}'
refused "batch: retrying some" 400 only
post /api/v1/batches/last/retry '{}'
refused "batch: retrying none" 404 -

for key in "" "$(repeat k 256)" "a b" $'\xc3\xa4'; do
	post /api/v1/jobs "$SPEC" -H "Idempotency-Key;" -H "Idempotency-Key: $key"
	refused "the idempotency key \"${key:0:10}\" is refused" 400 Idempotency-Key
done

# Keys and blobs

KEY=$OP
key() { # what field JSON
	post /api/v1/keys "$3"
	refused "key: $1" 400 "$2"
}
key "no name" name '{"scopes":["read"]}'
key "no scopes" scopes '{"name":"x"}'
key "empty scopes" scopes '{"name":"x","scopes":[]}'
key "an unknown scope" scopes '{"name":"x","scopes":["root"]}'
key "a scope that is no text" scopes '{"name":"x","scopes":[1]}'
key "an expiry that is no time" expires_at '{"name":"x","scopes":["read"],"expires_at":"tomorrow"}'
key "an unknown member" scope '{"name":"x","scopes":["read"],"scope":1}'
KEY=$ONE
post /api/v1/blobs/check '{"blobs":["x"]}'
refused "blob check: a name that is none" 400 'blobs[0]'
post /api/v1/blobs/check '{"blobs":[1]}'
refused "blob check: a number" 400 'blobs[0]'
post /api/v1/blobs/check '{}'
refused "blob check: nothing" 400 blobs
jq -nc '{blobs: [range(10001) | "a" * 64]}' >"$TEST_DIR/many"
req POST /api/v1/blobs/check -H 'Content-Type: application/json' --data-binary @"$TEST_DIR/many"
refused "blob check: too many" 400 blobs
req PUT /api/v1/blobs/ABC --data-binary x
refused "blob: a name that is none" 400 sha256
req PUT "/api/v1/blobs/$(repeat a 64)" --data-binary x
refused "blob: other bytes than its name says" 422 -

# Nothing was made by all that.
check_output "no job was made" 0 sql "SELECT count(*) FROM rg.job"
check_output "nor a batch" 0 sql "SELECT count(*) FROM rg.batch"
check_output "nor a blob" 0 sql "SELECT count(*) FROM rg.blob"
check_output "nor a file" "" find "$BLOBS" -type f
check_output "nor a key" 4 sql "SELECT count(*) FROM rg.api_key"
check_output "nor one of idempotency" 0 sql "SELECT count(*) FROM rg.submit_key"

# Raw bytes

raw() { # bytes → the first line of the answer
	exec 3<>"/dev/tcp/127.0.0.1/$API_PORT" || return 1
	printf %b "$1" >&3
	timeout 10 head -n 1 <&3 | tr -d '\r'
	exec 3<&-
}
check "what is no HTTP is refused" grep -Eq '^(HTTP/1\.[01] 400 .*|)$' <<<"$(raw 'hello\r\n\r\n')"
check "a length that is no number is refused" grep -q ' 400 ' <<<"$(raw 'POST /api/v1/jobs HTTP/1.1\r\nHost: x\r\nContent-Length: x\r\n\r\n')"
check "HTTP/1.1 without a host is refused" grep -q ' 400 ' <<<"$(raw 'GET /livez HTTP/1.1\r\n\r\n')"
check "HTTP/1.0 is served" grep -q ' 200 ' <<<"$(raw 'GET /livez HTTP/1.0\r\n\r\n')"
req GET /livez
is "after all that it lives" 200
check "SIGTERM ends it well" api_stop
check "without an error of its own" test "$(grep -c '"level":"error"' "$TEST_DIR/api.log")" -eq 0
tap_end
