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
check 'an idle worker that is drained leaves' wait_until 60 state_is "$idle" terminated
waiting=$("$RGRID" run --detach long.sh | grep -o 'job_[0-9a-z]*')
check 'a job that waits is told that provisioning is paused' wait_until 60 explained "$waiting" 'provisioning is paused: the machine is needed'
check 'also by the orchestrator' wait_until 60 hears '.waits[] | select(.code == "paused")'
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
check 'nothing is left of its process' wait_until 60 gone

# Money: what paid workers would cost, a batch's limit, and the project's
sql() {
	PGPASSFILE=$GRID_DATA_DIR/secrets/pgpass psql -XAtq \
		"host='$GRID_DATA_DIR/postgres/socket' user=rgrid_operator dbname=rgrid" -c "$1"
}
says() { # pattern command…
	local pattern=$1
	shift
	"$@" >"$TEST_DIR/said" 2>&1
	grep -q -- "$pattern" "$TEST_DIR/said" || {
		cat "$TEST_DIR/said"
		return 1
	}
}
# shellcheck disable=SC2016 # the script's own
printf 'sleep ${1:-0}\n' >nap.sh
printf '1\n2\n300\n301\n302\n303\n' >naps
check 'with nothing known, a run is guessed' says 'a guess' "$RGRID" estimate --runtime node
check 'what is free costs nothing' says 'not paid for' "$RGRID" estimate --runtime bash --jobs 5
check_exit 2 'of an unknown runtime' "$RGRID" estimate --runtime cobol
check_exit 2 'of no jobs' "$RGRID" estimate --jobs 0
for amount in 0 -1 x 1.0000001 99999999999; do
	check_exit 2 "a batch may not cost at most $amount" "$RGRID" run --each-line naps "--max-cost=$amount" nap.sh
done
check_exit 2 'a single job has no limit' "$RGRID" run --max-cost 1 nap.sh
sql "UPDATE rg.worker SET price_hour_micros = 36000000, server_created_at = now() - interval '10 s' WHERE state = 2"
check 'a batch whose cost reaches its limit says so' says 'the cost limit of the batch is reached' \
	"$RGRID" run --each-line naps --max-cost 0.03 nap.sh
check 'the rest of it was cancelled' grep -q ', [1-9] cancelled' "$TEST_DIR/said"
batch=$(grep -o 'batch_[0-9a-z]*' "$TEST_DIR/said" | head -n 1)
cost_of() { "$RGRID" cost --json "$1" | jq .cost_micros; }
costs_its_limit() { [ "$(cost_of "$batch")" -ge 30000 ]; }
check 'it costs what its jobs did' wait_until 60 costs_its_limit
check 'as a user reads it' says '^limit  *€0.03$' "$RGRID" cost "$batch"
"$RGRID" run nap.sh 0.1 2>/dev/null
check 'a job, too' says '^cost  *€0\.' "$RGRID" cost last
check 'the project by day' says "^$(date -u +%F) .*€" "$RGRID" cost
check_exit 2 'of one job there are no days' "$RGRID" cost --since 2026-01-01 last
check_exit 2 'a limit must be an amount' "$RGRID" cost limit much
# Beside what was spent before, what these jobs take, however slow they are here, is little.
sql "INSERT INTO rg.cost_day AS d SELECT id, (now() AT TIME ZONE 'UTC')::date, 0, 0, 100000000 FROM rg.project
	ON CONFLICT (project_id, day) DO UPDATE SET cost_micros = d.cost_micros + EXCLUDED.cost_micros"
spent=$("$RGRID" cost --json | jq .month.cost_micros)
limit_to() { "$RGRID" cost limit "$(printf '%d.%06d' $(($1 / 1000000)) $(($1 % 1000000)))"; } # micro-euros
limit_to $((spent * 100 / 60)) >/dev/null
quiet() { "$RGRID" run nap.sh 2>"$TEST_DIR/said" && ! grep -q monthly "$TEST_DIR/said"; }
check 'far from it nothing is said' quiet
limit_to $((spent * 100 / 82)) >/dev/null
warned() { [ "$("$RGRID" run "$@" nap.sh 2>&1 | grep -c '80 % of the .* monthly limit')" -eq 1 ]; }
check 'near it a run warns, once' wait_until 60 warned
printf '0\n' >nap_0
check 'a batch too' warned --each-line nap_0
check 'one that is not waited for, too' warned --detach
check 'and the cost' says '80 % of it are spent' "$RGRID" cost limit
limit_to $((spent / 2)) >/dev/null
"$RGRID" run nap.sh >"$TEST_DIR/run.log" 2>&1 &
run_pid=$!
held() { grep -q 'waits: the monthly spending limit of the project is reached' "$TEST_DIR/run.log"; }
check 'at the limit a run says that it waits' wait_until 60 held
check 'and what to do' grep -q 'rgrid cost limit EUROS.*rgrid attach job_' "$TEST_DIR/run.log"
check 'the project is held' says 'none is lost' "$RGRID" cost
check 'without a limit it runs' "$RGRID" cost limit none
check 'to its end' wait "$run_pid"

check 'Ctrl-C ends the grid' grid_stop
tap_end
