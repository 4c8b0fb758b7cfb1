#!/usr/bin/env bash
# A worker that is drained and taken back, leaves, waits with leaving, or is deleted: it obeys in both
# directions, and in doubt the database decides.
set -u
cd "$(dirname "$0")/../.." || exit 1
[ -n "${RGRID_TEST_CONNINFO-}" ] || exec tests/with-postgres "$0" "$@"
. tests/tap.sh
# shellcheck source-path=SCRIPTDIR source=tests/worker/worker.sh
. tests/worker/worker.sh
tap_begin
worker_begin

# What an operator does, and the hint that the API sends after it.
operate() { # drain|undrain name
	store_ask "SELECT rg.worker_$1(id, 'test') FROM rg.worker WHERE name = '$2'" && store_ask 'NOTIFY rg_kill'
}
delete() { # name force
	store_ask "SELECT rg.worker_delete(id, $2, 'test') FROM rg.worker WHERE name = '$1'" && store_ask 'NOTIFY rg_kill'
}
fleet_drains() { # name cause
	store_ask "UPDATE rg.worker SET state = 3, drain_cause = $2, drain_at = now() WHERE name = '$1'" && store_ask 'NOTIFY rg_kill'
}
state_of() { store_ask "SELECT state FROM rg.worker WHERE name = '$1'"; }
said() { [ "$(grep -c "$1" "$WORKER_LOG")" -ge "$2" ]; } # event times
start_long() {
	long=$(job_submit bash 'echo started; sleep 1001')
	wait_until 60 job_log_has "$long" 1 started
}
end_long() { store_ask "SELECT rg.cancel_job(1, $long)" >/dev/null && store_ask 'NOTIFY rg_kill'; }
beats_since() { # name time
	[ "$(store_ask "SELECT last_seen > '$2' FROM rg.worker WHERE name = '$1'")" = t ]
}
now() { store_ask 'SELECT clock_timestamp()'; }

# Drained and taken back, with a job

worker_start w1 --slots 2
start_long
operate drain w1 >/dev/null
check 'it hears that it is to drain' wait_until 60 said worker.draining 1
later=$(job_submit bash true)
at=$(now)
check 'it lives on' wait_until 60 beats_since w1 "$at"
check 'it takes no more jobs' job_is "$later" queued
check 'its own goes on' job_is "$long" running
operate undrain w1 >/dev/null
check 'it hears that it is taken back' wait_until 60 said worker.undrained 1
check 'it takes jobs again' job_ended "$later" '1 1'
check 'its own has gone on all the time' job_is "$long" running
check_output 'and it is active' 2 state_of w1

# Taken back at the last moment: nobody tells it before its job has ended

operate drain w1 >/dev/null
wait_until 60 said worker.draining 2
store_ask "SELECT rg.worker_undrain(id, 'test') FROM rg.worker WHERE name = 'w1'; SELECT rg.cancel_job(1, $long); NOTIFY rg_kill" >/dev/null
check 'one that was taken back while it went stays' wait_until 60 said worker.undrained 2
job=$(job_submit bash true)
check 'and works' job_ended "$job" '1 1'

# Kept for new jobs until its paid hour ends

fleet_drains w1 2
wait_until 60 said worker.draining 3
job=$(job_submit bash true)
for _ in 1 2; do
	at=$(now)
	check 'one that is packed away stays, without a job' wait_until 60 beats_since w1 "$at"
done
check 'and takes none' job_is "$job" queued
operate undrain w1 >/dev/null
check 'until it is taken back' job_ended "$job" '1 1'
fleet_drains w1 2
wait_until 60 said worker.draining 4
at=$(now)
wait_until 60 beats_since w1 "$at"
delete w1 false >/dev/null
check 'or is sent away, which is as well as leaving' worker_wait

# Leaving

worker_start w2
operate drain w2 >/dev/null
check 'an idle worker leaves' worker_wait
check_output 'for good' 4 state_of w2
too_late() { ! operate undrain w2 2>/dev/null; }
check 'then it is too late to take it back' too_late

worker_start w3
start_long
operate drain w3 >/dev/null
wait_until 60 said 'worker.draining' 6
end_long
check 'a busy one leaves after its job' worker_wait
check_output 'for good, too' 4 state_of w3

worker_start w4
start_long
operate drain w4 >/dev/null
wait_until 60 said 'worker.draining' 7
worker_kill TERM
operate undrain w4 >/dev/null
end_long
check 'after SIGTERM it is not taken back' worker_wait
check_output 'it has left' 4 state_of w4

# Deleted

worker_start w5
start_long
delete w5 false >/dev/null
check 'deleting a busy worker drains it' wait_until 60 said worker.draining 8
check 'its job runs on' job_is "$long" running
delete w5 true >/dev/null
not_a_success() { ! worker_wait; }
check 'by force it goes at once, and says that it was not asked' not_a_success
check_output 'its job is queued again' 'delayed 2' store_ask "SELECT t.place($long)"
check_output 'its cgroups are gone' 0 worker_cgroups w5
worker_start w6
store_ask "SELECT * FROM rg.tick()" >/dev/null
second_attempt() {
	store_ask "SELECT * FROM rg.tick()" >/dev/null
	store_ask "NOTIFY rg_wake"
	[ "$(store_ask "SELECT t.place($long)")" = 'lease 2' ]
}
check 'another worker runs it' wait_until 60 second_attempt
delete w6 true >/dev/null
worker_wait
check_output 'nothing is left wrong' '' store_ask 'SELECT * FROM t.violations()'
tap_end
