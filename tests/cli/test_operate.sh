#!/usr/bin/env bash
# The verbs that operate the fleet, against a real API; the test plays the workers and the orchestrator.
# shellcheck disable=SC2016,SC2119 # what is quoted is the inner shells'; submit without arguments means it
set -u
cd "$(dirname "$0")/../.." || exit 1
[ -n "${RGRID_TEST_CONNINFO-}" ] || exec tests/with-postgres "$0" "$@"
. tests/tap.sh
. tests/api/api.sh
. tests/cli/program.sh
tap_begin
api_start
KEY=$OP
export RGRID_URL=$URL RGRID_TOKEN=$OP HOME=$TEST_DIR
unset XDG_CONFIG_HOME RGRID_CA_FILE

says() { # pattern exit-code arguments…
	local pattern=$1 expected=$2 code=0
	shift 2
	"$RGRID" "$@" >"$TEST_DIR/said" 2>&1 </dev/null || code=$?
	cat "$TEST_DIR/said"
	[ "$code" -eq "$expected" ] && grep -qE -- "$pattern" "$TEST_DIR/said"
}
json() { # filter arguments…
	local filter=$1
	shift
	"$RGRID" "$@" 2>/dev/null | jq -rc "$filter"
}
id_of() { json ".items[] | select(.name == \"$1\") | .id" worker list --all --json; }
state_of() { json ".items[] | select(.name == \"$1\") | .state" worker list --all --json; }

worker_start a
worker_start b
a=$(id_of a)
b=$(id_of b)
submit >/dev/null
worker_claim

check "an idle worker drains" says "^rgrid: $a: draining$" 0 worker drain "$a"
check "undrain takes it back" says "^rgrid: $a: active$" 0 worker undrain "$a"
check "a busy one says what is left" says "$b: draining, 1 job end" 0 worker drain "$b"
check "several at once" says "$b: active" 0 worker undrain "$a" "$b"
check "delete waits for the job, and says how not to" says 'draining, 1 job end.*--force' 0 worker delete "$b"
check_output "as JSON" "[[\"$b\",\"draining\",1]]" json '[.[] | [.id, .state, .running]]' worker drain --json "$b"
check "--force does not wait" says "$b: terminated" 0 worker delete --force "$b"
check "too late to take it back" says 'the worker has ended' 1 worker undrain "$b"
check "with a hint" says 'new ones come as jobs need them' 1 worker undrain "$b"
check "nobody of that name" says 'there is no worker worker_zzz' 5 worker drain worker_zzz
check "with a hint where to look" says 'rgrid worker list' 5 worker drain worker_zzz
check "one that is wrong does not keep others from it" says "$a: draining" 5 worker drain worker_zzz "$a"
check_output "which is drained" draining state_of a
check_output "JSON of what was done, beside the error" "[\"$a\"]" json '[.[].id]' worker undrain --json "$a" worker_zzz
check "delete of an idle one" says "$a: terminated" 0 worker delete "${a:0:19}"
check "a worker has to be named" says 'usage: rgrid worker drain' 2 worker drain
check "worker alone" says 'one of: list, drain, undrain, delete' 2 worker
check "fleet alone" says 'one of: status, pause, resume' 2 fleet
worker_start c
c=$(id_of c)
without_admin() { RGRID_TOKEN=$ONE says "$@"; }
check "an ordinary key may not" without_admin 'admin' 4 worker drain "$c"
check "nor pause" without_admin 'admin' 4 fleet pause
check "but look" without_admin '^workers +1 active' 0 fleet status

check "no orchestrator" says 'no orchestrator runs' 0 fleet status
check "pause says for what" says 'paused .*: new network' 0 fleet pause --reason 'new network'
check "and how to go on" says 'rgrid fleet resume' 0 fleet status
check_output "as JSON" "new network" json .paused.reason fleet status --json
job=$(submit)
check "explain says so" says 'provisioning is paused: new network' 0 explain "$job"
check "a reason of many lines stays one" says 'paused .*: two.lines' 0 fleet pause --reason "two
lines"
check "a reason that is no text" says 'UTF-8' 2 fleet pause --reason $'\xff'
check "a reason that is too long" says 'reason' 2 fleet pause --reason "$(printf 'x%.0s' {1..501})"
check "resume" says '^servers ' 0 fleet resume
check_output "ends it" null json .paused fleet status --json
not_paused() { ! says 'paused' 0 explain "$job"; }
check "explain says so no more" not_paused
fence=$(sql "SELECT fence FROM rg.fleet_lead('test', '1 minute')")
sql "SELECT rg.fleet_publish($fence, '[]', '[{\"position\":0,\"cpu_millis\":1500,\"memory_bytes\":536870912,\"count\":7,
	\"code\":\"maximum\",\"reason\":\"all 3 servers are there\",\"next\":\"it runs later\",\"until_us\":0}]',
	'{\"workers_min\":0,\"workers_max\":3,\"workers_warm\":1,\"slots\":2,\"spend_limit_micros\":5000000,\"hour_margin_ms\":95000}')" >/dev/null
check "status says why jobs wait" says '7 jobs of 1.5 cpus.*all 3 servers are there' 0 fleet status
check "and what the fleet keeps to" says '0 to 3 workers, 1 kept idle; 2 slots' 0 fleet status
check "and when idle workers go" says '1m 35s before their next paid hour' 0 fleet status
check "and what may be spent" says 'of €5' 0 fleet status

check "completion of fleet's second words" bash -c '. <("$RGRID" completion bash); COMP_WORDS=(rgrid fleet p); COMP_CWORD=2; _rgrid; [ "${COMPREPLY[*]}" = pause ]'
check "completion of workers" bash -c 'PATH=$(dirname "$RGRID"):$PATH; . <("$RGRID" completion bash); COMP_WORDS=(rgrid worker drain worker_); COMP_CWORD=3; _rgrid; [ "${COMPREPLY[*]}" = "$1" ]' bash "$c"

check "SIGTERM ends the API well" api_stop
tap_end
