# shellcheck shell=bash disable=SC2034 # what is set here is the tests'
# The API alone, on a database of its own, without workers: the test plays the worker. Source after
# tests/tap.sh, under tests/with-postgres. Then
#
#   api_start                              migrates, starts it; keys in ONE, TWO (two projects), OP (of
#                                          project one, scope admin too), READER (of one, scope read only)
#   req METHOD PATH [curl options…]        sends a request with the key in KEY; sets STATUS; the answer is
#                                          in $TEST_DIR/body, its header in $TEST_DIR/header
#   post PATH JSON [curl options…]         as req POST with a JSON body
#   is 'what' STATUS                       checks the last answer's status
#   has 'what' 'jq filter' 'expected'      checks its body
#   worker_start NAME                      a worker; then worker_claim N, worker_log, worker_finish …

API_PID=

api_program() {
	local at
	for at in "${RGRID_BUILD:-build}/rgridd" "${RGRID_BUILD:-build}/src/main/rgridd"; do
		[ -x "$at" ] && realpath "$at" && return
	done
	echo "Bail out! no rgridd in ${RGRID_BUILD:-build}" >&2
	return 1
}

sql() { psql -X -A -t -q -v ON_ERROR_STOP=1 -d "$RGRID_TEST_CONNINFO" -c "$1"; }

api_is_ready() { grep -q api.ready "$TEST_DIR/api.log"; }

# Starts the process; API_WRAPPER, an array, goes before it.
api_launch() {
	RGRID_DATABASE=${RGRID_TEST_CONNINFO/user=postgres/user=rgrid_api} \
		"${API_WRAPPER[@]}" "$RGRIDD" api --listen "127.0.0.1:${API_PORT:-0}" --blob-dir "$BLOBS" \
		>>"$TEST_DIR/api.log" 2>&1 </dev/null &
	API_PID=$!
	if ! wait_until 30 api_is_ready; then
		cat "$TEST_DIR/api.log"
		echo "Bail out! the API did not start"
		exit 1
	fi
	API_PORT=$(grep -o '127\.0\.0\.1:[0-9]*' "$TEST_DIR/api.log" | head -1)
	API_PORT=${API_PORT#*:}
	URL=http://127.0.0.1:$API_PORT
}

api_start() {
	RGRIDD=$(api_program) || exit 1
	BLOBS=$TEST_DIR/blobs
	API_WRAPPER=()
	RGRID_DATABASE=$RGRID_TEST_CONNINFO "$RGRIDD" db migrate >/dev/null 2>"$TEST_DIR/.output" || {
		cat "$TEST_DIR/.output"
		echo "Bail out! the database cannot be migrated"
		exit 1
	}
	ONE=$(make_key one read,run)
	OP=$(make_key one read,run,admin)
	READER=$(make_key one read)
	TWO=$(make_key two read,run,admin)
	KEY=$ONE
	api_launch
}

make_key() { # project scopes
	RGRID_DATABASE=$RGRID_TEST_CONNINFO "$RGRIDD" key create --project "$1" --scopes "$2" test |
		grep -o 'rgk_[0-9A-Za-z_]*'
}

# Ends it and returns its exit status.
api_stop() {
	local pid=$API_PID
	API_PID=
	kill -TERM "$pid" && wait "$pid"
}

tap_at_exit() {
	# What a sanitizer said, or the last words of a process that died.
	grep -A 30 -E 'AddressSanitizer|LeakSanitizer|runtime error|check failed|ThreadSanitizer' "$TEST_DIR/api.log" | head -n 60 | sed 's/^/# /'
	[ -z "$API_PID" ] || { kill -KILL "$API_PID" && wait "$API_PID"; } 2>/dev/null
}

req() {
	local method=$1 path=$2
	shift 2
	[ "$method" != HEAD ] || set -- --head "$@"
	STATUS=$(curl -sS -m 60 -X "$method" -o "$TEST_DIR/body" -D "$TEST_DIR/header" -w '%{http_code}' \
		-H "Authorization: Bearer $KEY" "$@" "$URL$path" 2>"$TEST_DIR/curl.err") || STATUS="curl $? $STATUS"
}

post() {
	local path=$1 body=$2
	shift 2
	printf %s "$body" >"$TEST_DIR/request"
	req POST "$path" -H 'Content-Type: application/json' --data-binary "@$TEST_DIR/request" "$@"
}

is() {
	{
		echo "$STATUS"
		cat "$TEST_DIR/body" "$TEST_DIR/curl.err"
	} >"$TEST_DIR/.output" 2>&1
	[ "$STATUS" = "$2" ]
	tap_result $? "$1"
}

has() {
	local actual
	actual=$(jq -rc "$2" "$TEST_DIR/body" 2>&1)
	printf 'expected: %s\nactual:   %s\nof: ' "$3" "$actual" >"$TEST_DIR/.output"
	cat "$TEST_DIR/body" >>"$TEST_DIR/.output"
	[ "$actual" = "$3" ]
	tap_result $? "$1"
}

get() { jq -r "$1" "$TEST_DIR/body"; }

# Whether the last answer's header has such a line (an extended regular expression, case ignored).
header() { tr -d '\r' <"$TEST_DIR/header" | grep -Eiq "^$1\$"; }

SPEC='{"runtime":"bash","script":{"name":"a.sh","content":"true"}}'

submit() { # [JSON] → the id
	post /api/v1/jobs "${1:-$SPEC}"
	get .id
}

# The worker

WORKER_SECRET=secretsecret

worker_sql() { psql -X -A -t -q -F ' ' -v ON_ERROR_STOP=1 -d "${RGRID_TEST_CONNINFO/user=postgres/user=$WORKER_LOGIN}" -c "$1"; }

worker_start() {
	local sha
	read -r WORKER_ID WORKER_LOGIN < <(psql -X -A -t -q -F ' ' -d "$RGRID_TEST_CONNINFO" \
		-c "SELECT * FROM rg.worker_create('$1', 'secret')")
	sha=$(printf %s "$WORKER_SECRET" | sha256sum | cut -c1-64)
	worker_sql "SELECT * FROM rg_worker.join(8, 8000, 1 << 30, 'host.example', '0.1.0', '{pids}', '\\x$sha')" >/dev/null
}

# Claims one job: sets JOB (number), ATTEMPT, TOKEN.
worker_claim() {
	read -r JOB ATTEMPT TOKEN < <(worker_sql "SELECT job_id, attempt, token FROM rg_worker.step(1, '{}', '{}', '{}', '{}', '{}', '{}',
		'{}', '{}', '{}', '{}', '{}', '{}', '{}', 1, 0) WHERE kind = 2")
}

worker_log() { # seq stream start hex
	worker_sql "SELECT rg_worker.log_append(1, $JOB, $ATTEMPT, $TOKEN, $1, $2::int2, $3, '\\x$4')" >/dev/null
}

worker_finish() { # outcome exit-code [message]
	worker_sql "SELECT verdict FROM rg_worker.step(1, '{$JOB}', '{$ATTEMPT}', '{$TOKEN}', '{$1}', '{$2}', ARRAY[${3:-NULL}]::text[], '{t}',
		'{1500000}', '{1000}', '{4096}', '{3}', '{4}', '{pids}', 0, 0)" >/dev/null
}

worker_artifact() { # path file
	local sha
	sha=$(sha256sum "$2" | cut -c1-64)
	worker_sql "SELECT rg_worker.artifacts_add(1, $JOB, $ATTEMPT, $TOKEN, ARRAY['$1'], '{\"\\\\x$sha\"}', '{$(stat -c %s "$2")}', '{f}')" >/dev/null
}

hex() { printf %b "$1" | od -An -v -tx1 | tr -d ' \n'; }
