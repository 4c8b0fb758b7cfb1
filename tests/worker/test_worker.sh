#!/bin/bash
# The worker against a real database and the real sandbox: what becomes of scripts, limits, cancellation,
# floods of output, drains and sudden deaths. Inline scripts only, so no API is needed.
# shellcheck disable=SC2016 # scripts of jobs are not ours to expand
cd "$(dirname "$0")/../.." || exit 1
[ -n "${RGRID_TEST_CONNINFO:-}" ] || exec tests/with-postgres "$0" "$@"
# shellcheck source=tests/tap.sh
. tests/tap.sh
# shellcheck source=tests/worker/worker.sh
. tests/worker/worker.sh
tap_begin
worker_begin

check 'a worker joins' worker_start w1 --slots 2

# Scripts

job=$(job_submit python '
import os, sys
print("args", sys.argv[1:], "cwd", os.getcwd())
print("attempt", os.environ["RGRID_ATTEMPT"], os.environ["KEY"], os.environ["RGRID_JOB_ID"][:4])
print("stdin", repr(sys.stdin.read()))
print("bad news", file=sys.stderr)
' '{args: ["a b", "--c", "$HOME"], env: {KEY: "value"}}')
check 'a script completes' job_ended "$job" '1 1'
check_output 'its arguments are verbatim, its directory /work, its environment set' \
	"args ['a b', '--c', '\$HOME'] cwd /work
attempt 1 value job_
stdin ''" job_log "$job" 1
check_output 'stderr is a stream of its own' 'bad news' job_log "$job" 2
check_output 'the bytes are counted' "$(job_log "$job" 1 | wc -c)|9" job_field "$job" "stdout_bytes || '|' || stderr_bytes"

job=$(job_submit bash 'exit 3')
check 'a script fails' job_ended "$job" '1 2'
check_output 'with its exit code' '3|the script ended with exit code 3' job_field "$job" "exit_code || '|' || message"

job=$(job_submit python 'import ctypes; ctypes.string_at(0)')
check 'a script dies of a signal' job_ended "$job" '1 2'
check_output 'which is named' '139|the script was killed by signal 11 (SIGSEGV)' job_field "$job" "exit_code || '|' || message"

job=$(job_submit exec $'#!/usr/bin/env bash\necho "$0 $1"' '{args: ["x"]}')
check 'a program runs by its first line' job_ended "$job" '1 1'
check_output 'with its arguments' '/work/script x' job_log "$job" 1

job=$(job_submit bash 'echo to /dev/stdout >/dev/stdout; echo to /dev/stderr >/dev/stderr')
check 'the output can be opened by name' job_ended "$job" '1 1'
check_output 'and arrives' 'to /dev/stdout' job_log "$job" 1

job=$(job_submit bash 'ln -s /etc/passwd link; mkfifo pipe')
check 'a job with nothing but refused outputs completes' job_ended "$job" '1 1'
check 'the refusals are in its log' job_log_has "$job" 3 'rgrid: output link is left out: it is a symbolic link'
check_output 'nothing was recorded' 0 store_ask "SELECT count(*) FROM rg.artifact WHERE job_id = $job"

# A fleet may be older than its API: what it cannot read it refuses.
job=$(store_ask "SELECT rg.submit(1, NULL, ARRAY['{\"runtime\": \"cobol\"}'], ARRAY[NULL::text], ARRAY[NULL::text], ARRAY[0::int2])")
check 'a specification that it cannot read is rejected' job_ended "$job" '1 10'

# Limits

job=$(job_submit bash 'sleep 1000 & sleep 1000' '{limits: {timeout_ms: 500}}')
check 'the time limit ends a job and all its children' job_ended "$job" '1 3'
check_output 'without an exit code' 'the time limit of 500 ms was reached' job_field "$job" "coalesce(exit_code::text, '') || message"

unenforced=$(store_ask "SELECT array_to_string(unenforced, ',') FROM rg.worker")
if [[ ,$unenforced, != *,memory,* ]]; then
	job=$(job_submit python 'x = bytearray(400 << 20); print(len(x))' '{limits: {memory_bytes: 67108864}}')
	check 'the memory limit ends a job' job_ended "$job" '1 4'
	check_output 'and is named' 'the memory limit of 64 MiB was reached' job_field "$job" message
else
	skip 'the memory limit ends a job' 'this machine cannot hold memory limits'
	job=$(job_submit bash true)
	job_ended "$job" '1 1'
	check 'a limit that is not held is said in the log' job_log_has "$job" 3 'cannot hold a limit: memory'
fi
check_output 'limits not held are recorded with the attempt' "$unenforced" job_field "$job" "coalesce(array_to_string(unenforced, ','), '')"

if [[ ,$unenforced, != *,pids,* ]]; then
	job=$(job_submit bash 'for i in $(seq 40); do sleep 1003 & done; wait' '{limits: {pids: 12}}')
	check 'the limit of processes is an outcome of its own' job_ended "$job" '1 7'
	check_output 'and is named' 'the limit of 12 processes was reached' job_field "$job" message
else
	skip 'the limit of processes is an outcome of its own' 'this machine cannot hold limits of processes'
fi

job=$(job_submit exec $'#!/usr/bin/no-such-interpreter\necho never')
check 'a script whose interpreter is not there ends' job_ended "$job" '1 2'
check 'and is named' job_log_has "$job" 2 'its interpreter /usr/bin/no-such-interpreter is not there'

# Cancelling

one=$(job_submit bash 'echo started; sleep 1000')
two=$(job_submit bash 'echo started; sleep 1000')
wait_until 60 job_log_has "$one" 1 started
wait_until 60 job_log_has "$two" 1 started
store_ask "SELECT rg.cancel_job(1, $one)" >/dev/null
store_ask 'NOTIFY rg_kill'
check 'a running job is cancelled' job_ended "$one" '1 5' 60
check 'the other one runs on' job_is "$two" running
store_ask "SELECT rg.cancel_job(1, $two)" >/dev/null
check 'a heartbeat brings the word too' job_ended "$two" '1 5' 60

# Many, and much

store_ask "SELECT count(*) FROM t.submit(300)" >/dev/null
store_ask 'NOTIFY rg_wake'
all_done() { [ "$(store_ask 'SELECT count(*) FROM rg.ready' | tr -d '\n')$(store_ask 'SELECT count(*) FROM rg.lease')" = 00 ]; }
check 'three hundred trivial jobs are run' wait_until 120 all_done
check_output 'each exactly once' '300' store_ask "SELECT count(*) FROM rg.attempt a JOIN rg.job j ON j.id = a.job_id
	WHERE j.spec->'script'->>'name' = 'a.sh' AND a.outcome = 1 AND a.attempt = 1"
check_output 'the queue is consistent' '' store_ask 'SELECT * FROM t.violations()'

inner=$(worker_inner)
high_water() { awk '/^VmHWM:/ {print $2}' "/proc/$inner/status"; }
resident() { awk '/^VmRSS:/ {print $2}' "/proc/$inner/status"; }
# From here on the high water mark is that of what follows.
echo 5 >"/proc/$inner/clear_refs"
before=$(resident)
job=$(job_submit python '
import sys
block = b"0123456789abcdef" * 4096
for i in range(1600):
    sys.stdout.buffer.write(block)
')
check '100 MB of output pass' job_ended "$job" '1 1' 120
check_output 'all of it' '104857600|104857600' store_ask "SELECT stdout_bytes || '|' ||
	(SELECT sum(octet_length(data)) FROM rg.log_chunk c WHERE c.job_id = a.job_id AND c.stream = 1) FROM rg.attempt a WHERE job_id = $job"
check_output 'in order, without a hole' 0 store_ask "SELECT count(*) FROM (SELECT start, octet_length(data) AS bytes, data,
	lag(start + octet_length(data), 1, 0::bigint) OVER (ORDER BY seq) AS expected FROM rg.log_chunk WHERE job_id = $job AND stream = 1) AS c
	WHERE start <> expected OR substr(data, 1 + ((16 - start % 16) % 16)::int, 16) <> '0123456789abcdef'"
grown=$(($(high_water) - before))
check "no more than 16 MB of it were held in memory ($grown kB)" test "$grown" -lt 16384

# Leaving

has_cgroups() { [ "$(worker_cgroups w1)" -gt 0 ] || [[ ,$unenforced, == *,memory,* ]]; }
check 'it has cgroups of its own, where it may' has_cgroups
long=$(job_submit bash 'echo started; while [ ! -e go ]; do sleep 0.05; done; echo done' )
wait_until 60 job_log_has "$long" 1 started
worker_kill TERM
draining() { grep -q worker.draining "$WORKER_LOG"; }
check 'SIGTERM drains' wait_until 60 draining
later=$(job_submit bash true)
check 'the running job runs on' job_is "$long" running
worker_kill TERM
check 'a second SIGTERM ends it' worker_wait
check_output 'its job is tried again' 'delayed 2' store_ask "SELECT t.place($long)"
check_output 'as lost' 6 job_field "$long" outcome
check_output 'nothing more was claimed' 'ready 1' store_ask "SELECT t.place($later)"
check_output 'the worker has left the fleet' 4 store_ask "SELECT state FROM rg.worker WHERE name = 'w1'"
check_output 'its cgroups are gone' 0 worker_cgroups w1

store_ask "SELECT rg.cancel_job(1, $long)" >/dev/null
check 'a second worker joins' worker_start w2 --slots 1
check 'it runs what waited' job_ended "$later" '1 1'
short=$(job_submit bash 'echo started; sleep 1; echo done')
wait_until 60 job_log_has "$short" 1 started
worker_kill TERM
check 'a drained worker leaves by itself' worker_wait
check_output 'after its job has ended' 'ended 1 1' store_ask "SELECT t.place($short)"

# Sudden death

worker_start w3 --slots 2
job=$(job_submit bash 'echo started; [ "$RGRID_ATTEMPT" = 2 ] || sleep 1004')
wait_until 60 job_log_has "$job" 1 started
sleeping() { pgrep -f '^sleep 1004$' >/dev/null; }
check 'a job sleeps' sleeping
worker_kill KILL
worker_wait
not_sleeping() { ! sleeping; }
check 'kill -9 of the worker takes the job with it' wait_until 60 not_sleeping
check 'a new worker of that name starts' worker_start w3 --slots 2
check_output 'as its second incarnation' 2 store_ask "SELECT incarnation FROM rg.worker WHERE name = 'w3'"
# What the orchestrator does all the time.
ticked() { store_ask 'SELECT rg.tick()' >/dev/null && job_is "$1" "$2"; }
check 'the lost job is tried again' wait_until 60 ticked "$job" 'ended 2 1'
worker_kill TERM
check 'and leaves clean' worker_wait
check_output 'without cgroups' 0 worker_cgroups w3
no_mounts() { ! grep "$TEST_DIR" /proc/self/mountinfo; }
check 'without mounts' no_mounts
check_output 'the queue is consistent at the end' '' store_ask 'SELECT * FROM t.violations()'
check 'the worker logged no error' not_logged '"level":"error"'

tap_end
