#!/usr/bin/env bash
# An operator's day on a whole grid: workers drained, taken back and deleted while jobs run, provisioning
# paused and resumed.
# shellcheck disable=SC2016 # what is quoted is the inner shells'
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/tap.sh
. tests/grid.sh
tap_begin
export HOME=$TEST_DIR XDG_CONFIG_HOME=$TEST_DIR/config
grid_start --workers 2 --slots 1
RGRID_TOKEN=$("$RGRIDD" key create --data-dir "$GRID_DATA_DIR" --scopes read,run,admin operator | grep -o 'rgk_[0-9A-Za-z_]*')
export RGRID_TOKEN
cd "$TEST_DIR" || exit 1
cat >long.sh <<'END'
echo "attempt $RGRID_ATTEMPT"
[ "$RGRID_ATTEMPT" = 2 ] || sleep 1001
END

workers() { "$RGRID" worker list --json | jq -r ".items[] | select($1) | .id"; }
active() { [ "$(workers '.state == "active"' | wc -l)" -eq "$1" ]; }
field() { "$RGRID" status "$1" --json | jq -r ".$2"; }
runs() { [ "$(field "$1" state)" = running ]; }
runs_again() { runs "$1" && [ "$(field "$1" attempt)" = 2 ]; }
state_is() { [ "$("$RGRID" worker list --all --json | jq -r ".items[] | select(.id == \"$1\") | .state")" = "$2" ]; }
hears() { "$RGRID" fleet status --json | jq -e "$1"; }
explained() { "$RGRID" explain "$1" | grep -q "$2"; }

wait_until 30 active 2
job=$("$RGRID" run --detach long.sh | grep -o 'job_[0-9a-z]*')
wait_until 30 runs "$job"
busy=$(field "$job" worker_id)
idle=$(workers ".id != \"$busy\"")

# Taken back while it drains
"$RGRID" worker drain "$busy" 2>/dev/null
check 'a worker with a job drains' state_is "$busy" draining
"$RGRID" worker undrain "$busy" 2>/dev/null
check 'and is taken back' state_is "$busy" active
check 'its job runs on' runs "$job"

# The fleet shrinks while provisioning is paused, and jobs are told why they wait
check 'provisioning is paused' "$RGRID" fleet pause --reason 'the machine is needed'
"$RGRID" worker drain "$idle" 2>/dev/null
check 'an idle worker that is drained leaves' wait_until 20 state_is "$idle" terminated
waiting=$("$RGRID" run --detach long.sh | grep -o 'job_[0-9a-z]*')
check 'a job that waits is told that provisioning is paused' wait_until 20 explained "$waiting" 'provisioning is paused: the machine is needed'
check 'also by the orchestrator' wait_until 20 hears '.waits[] | select(.code == "paused")'
check 'no worker comes instead' active 1
check_output 'the limits are known' '2 2' sh -c '"$RGRID" fleet status --json | jq -r "\"\(.limits.workers_min) \(.limits.workers_max)\""'
"$RGRID" cancel "$waiting" 2>/dev/null

# Resumed, the fleet is whole again; a worker deleted by force gives its job to another one
"$RGRID" fleet resume >/dev/null
check 'resumed, another one comes' wait_until 30 active 2
name=$("$RGRID" worker list --json | jq -r ".items[] | select(.id == \"$busy\") | .name")
process_of() { pgrep -f -- "--name $1( |\$)"; }
gone() { ! process_of "$name"; }
check '(the worker is a process)' process_of "$name"
check 'a worker is deleted by force' "$RGRID" worker delete --force "$busy"
check 'its job runs on another one, as a second attempt, and ends' wait_until 60 "$RGRID" attach "$job"
check_output 'once' 2 field "$job" attempt
check_output 'the first one was lost with its worker' lost sh -c 'curl -sS -H "Authorization: Bearer $RGRID_TOKEN" "$RGRID_URL/api/v1/jobs/$1/attempts" | jq -r ".items[0].outcome"' sh "$job"
check 'and the fleet is whole again' wait_until 30 active 2
check 'nothing is left of its process' wait_until 20 gone

check 'Ctrl-C ends the grid' grid_stop
tap_end
