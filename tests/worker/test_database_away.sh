#!/bin/bash
# The worker while its database dies under it: sessions killed, a restart, and an absence long enough for
# the worker to fence itself.
cd "$(dirname "$0")/../.." || exit 1
[ -n "${RGRID_TEST_CONNINFO:-}" ] || exec tests/with-postgres "$0" "$@"
# shellcheck source=tests/tap.sh
. tests/tap.sh
# shellcheck source=tests/worker/worker.sh
. tests/worker/worker.sh
tap_begin
worker_begin

SOCKET_DIR=${RGRID_TEST_CONNINFO#*host=}
SOCKET_DIR=${SOCKET_DIR%% *}
SERVER_PID=$(head -n 1 "$SOCKET_DIR/data/postmaster.pid")
mapfile -d '' -t SERVER_COMMAND <"/proc/$SERVER_PID/cmdline"
SERVER_PROGRAM=$(readlink "/proc/$SERVER_PID/exe")
OWN_SERVER=
server_answers() { psql -X -q -d "$RGRID_TEST_CONNINFO" -c 'SELECT 1'; }
server_is_gone() { ! kill -0 "$SERVER_PID" 2>/dev/null; }
server_stop() { # signal
	kill "-$1" "$SERVER_PID"
	wait_until 30 server_is_gone
	[ -z "$OWN_SERVER" ] || wait "$OWN_SERVER" 2>/dev/null
	OWN_SERVER=
}
server_start() {
	local as=()
	[ "$EUID" -ne 0 ] || as=(setpriv --reuid=postgres --regid=postgres --clear-groups --)
	(cd / && exec "${as[@]}" "$SERVER_PROGRAM" "${SERVER_COMMAND[@]:1}") >"$TEST_DIR/server.log" 2>&1 &
	OWN_SERVER=$!
	SERVER_PID=$OWN_SERVER
	wait_until 60 server_answers
}
more_at_exit() {
	[ -z "$OWN_SERVER" ] || { kill -INT "$OWN_SERVER"; wait "$OWN_SERVER" 2>/dev/null; }
}

check 'a worker joins' worker_start w1 --slots 4
login=$(worker_login w1)

# A job that prints without end until it is told to stop by its time.
counting='import time
end = time.monotonic() + %s
n = 0
while time.monotonic() < end:
    print("line", n)
    n += 1
    time.sleep(0.001)
print("last", n)'
# Its log is "line 0", "line 1", … "last n": nothing missing, nothing twice.
log_is_whole() {
	job_log "$1" 1 | awk '/^line/ && $2 != NR - 1 {exit 1} /^last/ {ok = $2 == NR - 1} END {exit !ok}'
}

# Sessions killed

# shellcheck disable=SC2059
job=$(job_submit python "$(printf "$counting" 3)")
wait_until 60 job_log_has "$job" 1 'line 100'
terminate() { [ "$(store_ask "SELECT count(*) FROM (SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '$login') AS t")" = 1 ]; }
check 'its session is terminated' terminate
check 'again, when it is back' wait_until 60 terminate
check 'and again' wait_until 60 terminate
check 'the job completes on its first attempt' job_ended "$job" '1 1'
check 'its log is whole' log_is_whole "$job"
store_ask 'SELECT count(*) FROM t.submit(200)' >/dev/null
store_ask 'NOTIFY rg_wake'
all_done() { [ "$(store_ask 'SELECT (SELECT count(*) FROM rg.ready) + (SELECT count(*) FROM rg.lease)')" = 0 ]; }
storm() { terminate; all_done; }
check 'jobs get done while sessions die all the time' wait_until 90 storm
check_output 'each exactly once' '200' store_ask 'SELECT count(*) FROM rg.attempt WHERE attempt = 1 AND outcome = 1 AND stdout_bytes = 0'
check_output 'the queue is consistent' '' store_ask 'SELECT * FROM t.violations()'

# A restart

# shellcheck disable=SC2059
job=$(job_submit python "$(printf "$counting" 4)")
done_meanwhile=$(job_submit bash 'echo started; sleep 1; echo done')
wait_until 60 job_log_has "$job" 1 'line 100'
wait_until 60 job_log_has "$done_meanwhile" 1 started
check 'the server is stopped' server_stop QUIT
meanwhile_is_over() { ! pgrep -f '^sleep 1$' >/dev/null; }
wait_until 60 meanwhile_is_over
check 'and started' server_start
check 'the job that ended meanwhile is recorded' job_ended "$done_meanwhile" '1 1'
check 'the other one completes' job_ended "$job" '1 1'
check 'its log is whole' log_is_whole "$job"
check_output 'the worker is the same incarnation' 1 store_ask 'SELECT incarnation FROM rg.worker'

# Long away

job=$(job_submit bash 'echo started; exec sleep 1002')
wait_until 60 job_log_has "$job" 1 started
sleeping() { pgrep -f '^sleep 1002$' >/dev/null; }
not_sleeping() { ! sleeping; }
check 'a job sleeps' sleeping
from=$SECONDS
check 'the server goes away' server_stop INT
check 'the worker kills the job before its lease can end' wait_until 30 not_sleeping
took=$((SECONDS - from))
check "neither at once nor too late ($took s)" test "$took" -ge 15 -a "$took" -lt 30
check 'the server comes back' server_start
is_back() { [ "$(store_ask 'SELECT incarnation FROM rg.worker')" = 2 ]; }
check 'the worker joins anew' wait_until 60 is_back
check_output 'its job is to be tried again' 'delayed 2' store_ask "SELECT t.place($job)"
store_ask "SELECT rg.cancel_job(1, $job)" >/dev/null
job=$(job_submit bash 'echo alive')
check 'it works on' job_ended "$job" '1 1'
worker_kill TERM
check 'and leaves' worker_wait
check_output 'the queue is consistent at the end' '' store_ask 'SELECT * FROM t.violations()'
tap_end
