# shellcheck shell=bash
# A worker against a real database, for shell tests. Source after tests/tap.sh, under tests/with-postgres:
#
#   worker_begin                    the database migrated, a directory of its own
#   worker_start NAME [options…]    WORKER_PID; its login is made at the first start of that name
#   worker_kill SIGNAL              sends it; worker_wait: its exit status
#   job_submit RUNTIME TEXT [MORE]  prints the id; MORE is jq text merged into the specification
#   job_is ID STATE…                one of: queued running, or the outcome's number of its last attempt

# shellcheck source-path=SCRIPTDIR/../.. source=tests/store/store.sh
. tests/store/store.sh

RGRID_BUILD=$(realpath "${RGRID_BUILD:-build}")
export RGRID_BUILD
WORKER_PID=
PROGRAM=$RGRID_BUILD/rgrid-worker
[ -x "$PROGRAM" ] || PROGRAM=$RGRID_BUILD/src/main/rgrid-worker
# Quarantine would count as memory held.
export ASAN_OPTIONS="${ASAN_OPTIONS:+$ASAN_OPTIONS:}quarantine_size_mb=1"

worker_begin() {
	store_migrate
	WORKER_LOG=$TEST_DIR/worker.log
	API_URL=http://127.0.0.1:1
	: >"$WORKER_LOG"
}

worker_login() { # name
	local login
	login=$(store_ask "SELECT login FROM rg.worker WHERE name = '$1'")
	[ -n "$login" ] || login=$(store_ask "SELECT login FROM rg.worker_create('$1', 'unused')")
	echo "$login"
}

worker_start() { # name options…
	local name=$1 login
	shift
	login=$(worker_login "$name")
	WORKER_INCARNATION=$(store_ask "SELECT incarnation FROM rg.worker WHERE name = '$name'")
	RGRID_WORKER_DATABASE="${RGRID_TEST_CONNINFO/user=postgres/user=$login}" "$PROGRAM" --name "$name" \
		--state-dir "$TEST_DIR/$name" --api-url "$API_URL" "$@" >>"$WORKER_LOG" 2>&1 &
	WORKER_PID=$!
	wait_until 30 worker_is_active_or_gone "$name"
	if ! worker_is_active "$name"; then
		sed 's/^/# /' "$WORKER_LOG" >&3
		echo "Bail out! the worker does not start" >&3
		exit 1
	fi
}
worker_is_active_or_gone() { worker_is_active "$1" || worker_is_gone; }
exec 3>&1

WORKER_INCARNATION=0 # of the one before, whose row looks alive for a moment after it was killed
worker_is_active() {
	[ "$(store_ask "SELECT state = 2 AND incarnation > $WORKER_INCARNATION AND last_seen > now() - interval '5 s' AND (SELECT count(*) = 1
		FROM pg_stat_activity a WHERE a.usename = w.login) FROM rg.worker w WHERE name = '$1'")" = t ]
}
worker_is_gone() { ! kill -0 "$WORKER_PID" 2>/dev/null; }
worker_kill() { kill "-$1" "$WORKER_PID"; }

worker_wait() {
	local status=0
	wait_until 60 worker_is_gone || { worker_kill KILL; return 99; }
	wait "$WORKER_PID" || status=$?
	WORKER_PID=
	return "$status"
}

# The process that does the work: the innermost of the enclosure.
worker_inner() {
	local pid=$WORKER_PID child
	while child=$(pgrep -x rgrid-worker -P "$pid" | head -n 1) && [ -n "$child" ]; do
		pid=$child
	done
	echo "$pid"
}
# Its state directory's mark, by which its cgroups are named.
worker_cgroups() { # name
	find /sys/fs/cgroup -type d -name "rgrid-$(printf %s "$TEST_DIR/$1" | sha256sum | cut -c1-12)*" | wc -l
}

job_submit() { # runtime text [more]
	local spec
	spec=$(jq -nc --arg runtime "$1" --arg text "$2" \
		'{runtime: $runtime, script: {name: "script", content: $text}} * ('"${3:-{\}}"')')
	psql -X -A -t -q -v ON_ERROR_STOP=1 -v spec="$spec" -d "$RGRID_TEST_CONNINFO" <<-'SQL'
		SELECT rg.submit(1, NULL, ARRAY[:'spec'], ARRAY[NULL::text], ARRAY[NULL::text], ARRAY[0::int2]);
		NOTIFY rg_wake;
	SQL
}

job_state() {
	store_ask "SELECT CASE t.place($1) WHEN 'lease 1' THEN 'running' WHEN 'ready 1' THEN 'queued' ELSE t.place($1) END"
}
# Whether its place is as given: "ended 1 3" is attempt 1 with outcome 3.
job_is() { [ "$(job_state "$1")" = "$2" ]; }
job_ended() { wait_until "${3:-30}" job_is "$1" "ended $2" || { echo "it is: $(job_state "$1")"; return 1; }; }
job_field() { store_ask "SELECT $2 FROM rg.attempt WHERE job_id = $1 ORDER BY attempt DESC LIMIT 1"; }
# The bytes of one stream (1 stdout, 2 stderr, 3 system) of the last attempt.
job_log() {
	store_ask "SELECT encode(string_agg(data, '' ORDER BY seq), 'hex') FROM rg.log_chunk
		WHERE job_id = $1 AND stream = $2 AND attempt = (SELECT max(attempt) FROM rg.log_chunk WHERE job_id = $1)" |
		perl -ne 'chomp; print pack("H*", $_)'
}
job_log_has() { job_log "$1" "$2" | grep -qF -- "$3"; }

tap_at_exit() {
	# shellcheck disable=SC2154 # of tests/tap.sh
	[ "$tap_failed" -eq 0 ] || tail -n 40 "$WORKER_LOG" | cut -c1-400 | sed 's/^/# /'
	[ -z "$WORKER_PID" ] || { worker_kill KILL; wait "$WORKER_PID" 2>/dev/null; }
	if declare -F more_at_exit >/dev/null; then more_at_exit; fi
}

not_logged() { # text
	if grep -F -- "$1" "$WORKER_LOG"; then return 1; fi
}
