#!/usr/bin/env bash
# Parts of a grid die in the middle of a batch of real scripts. Each time the batch must end with every
# job recorded exactly once and every output byte for byte what the script writes locally.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/tap.sh
. tests/grid.sh
tap_begin

readonly ITEMS=24
work=$TEST_DIR/work
mkdir -p "$work/in"
for i in $(seq -w 1 $ITEMS); do
	seq "1$i" "9$i" | sha256sum | cut -c1-40 >"$work/in/$i.txt"
	seq 1 $((10#$i * 50)) >>"$work/in/$i.txt"
done
cat >"$work/slow.py" <<'PY'
import hashlib, os, sys, time
path = sys.argv[1]
data = open(path, "rb").read()
print("begin", path, flush=True)
time.sleep(0.4)
os.makedirs("out", exist_ok=True)
with open("out/digest.txt", "w") as f:
    f.write(hashlib.sha256(data).hexdigest() + "\n")
with open("out/twice.bin", "wb") as f:
    f.write(data * 2)
print("end", path)
PY

# The newest descendant of the grid whose command line contains $1.
grid_pid_of() { grid_pids_of "$1" | tail -n 1; }
grid_pids_of() {
	local queue=("$GRID_PID") pid child
	while [ ${#queue[@]} -gt 0 ]; do
		pid=${queue[0]}
		queue=("${queue[@]:1}")
		for child in $(pgrep -P "$pid"); do
			queue+=("$child")
			if tr '\0' ' ' <"/proc/$child/cmdline" 2>/dev/null | grep -q -- "$1"; then
				echo "$child"
			fi
		done
	done
}

# batch_under NAME COMMAND…: starts the batch, runs COMMAND once some jobs have completed, waits.
batch_under() {
	local name=$1
	shift
	rm -rf "$work/outputs"
	(cd "$work" && exec "$RGRID" run --batch 'in/*.txt' --parallel 8 --output-dir outputs slow.py) \
		>"$TEST_DIR/$name.out" 2>"$TEST_DIR/$name.err" &
	local client=$!
	wait_until 60 some_completed || return 1
	"$@" || return 1
	wait "$client"
	local code=$?
	[ "$code" -eq 0 ] || { tail -n 20 "$TEST_DIR/$name.err"; return 1; }
}

batch_count() { "$RGRID" batch status last --json | jq -e ".counts.$1"; }
some_completed() { [ "$(batch_count completed 2>/dev/null || echo 0)" -ge 2 ]; }

outputs_intact() {
	local i file
	for i in $(seq -w 1 "$ITEMS"); do
		file=$work/in/$i.txt
		[ "$(cat "$work/outputs/in/$i.txt/out/digest.txt")" = "$(sha256sum <"$file" | cut -d' ' -f1)" ] || { echo "digest of $i"; return 1; }
		cmp <(cat "$file" "$file") "$work/outputs/in/$i.txt/out/twice.bin" || return 1
	done
}

# Every job of the last batch: state completed, one final attempt, log with one whole last attempt.
recorded_once() {
	local id
	[ "$(batch_count total)" -eq "$ITEMS" ] || return 1
	[ "$(batch_count completed)" -eq "$ITEMS" ] || return 1
	for id in $("$RGRID" list --batch last --json | jq -r '.items[].id'); do
		local attempts
		attempts=$(curl -sf -H "Authorization: Bearer $RGRID_TOKEN" "$RGRID_URL/api/v1/jobs/$id/attempts") || return 1
		[ "$(jq '[.items[] | select(.final)] | length' <<<"$attempts")" -eq 1 ] || { echo "$attempts"; return 1; }
		[ "$("$RGRID" logs "$id" --stream stdout | sed 's/ .*//' | tr '\n' ' ')" = "begin end " ] || { "$RGRID" logs "$id"; return 1; }
	done
}

kill_one() {
	local pid
	pid=$(grid_pid_of "$1")
	[ -n "$pid" ] || { echo "no process matches $1"; return 1; }
	kill -KILL "$pid"
}
kill_postmaster() { kill -KILL "$(head -n 1 "$GRID_DATA_DIR/postgres/data/postmaster.pid")"; }

# All processes of PostgreSQL stand still for 20 s, as when its machine is cut off.
freeze_database() {
	local postmaster pids
	postmaster=$(head -n 1 "$GRID_DATA_DIR/postgres/data/postmaster.pid")
	pids="$postmaster $(pgrep -P "$postmaster" | tr '\n' ' ')"
	# shellcheck disable=SC2086 # a list of pids
	kill -STOP $pids
	local end=$((SECONDS + 20))
	wait_until 30 test_past "$end"
	# shellcheck disable=SC2086
	kill -CONT $pids
}
test_past() { [ "$SECONDS" -ge "$1" ]; }

grid_start --workers 2 --slots 2
for victim in worker:rgrid-worker api:'rgridd api' orchestrator:'rgridd orchestrator'; do
	name=${victim%%:*}
	check "a batch survives kill -9 of the $name" batch_under "$name" kill_one "${victim#*:}"
	check "  every job is recorded once ($name)" recorded_once
	check "  every output is intact ($name)" outputs_intact
done
check "a batch survives kill -9 of PostgreSQL" batch_under postgres kill_postmaster
check "  every job is recorded once (postgres)" recorded_once
check "  every output is intact (postgres)" outputs_intact
check "a batch survives a database that stands still for 20 s" batch_under freeze freeze_database
check "  every job is recorded once (freeze)" recorded_once
check "  every output is intact (freeze)" outputs_intact

# A client that goes away: the job goes on, and another client picks it up with nothing missing.
client_disconnects() {
	printf 'import time\nfor i in range(30):\n    print(i, flush=True)\n    time.sleep(0.1)\n' >"$work/count.py"
	(cd "$work" && exec "$RGRID" run --name leaver count.py) >"$TEST_DIR/leaver.out" 2>&1 &
	local client=$!
	wait_until 60 grep -q '^3$' "$TEST_DIR/leaver.out" || return 1
	kill -KILL "$client"
	wait "$client" 2>/dev/null
	[ "$("$RGRID" attach last | tr '\n' ' ')" = "$(seq 0 29 | tr '\n' ' ')" ]
}
check "a client that disconnects leaves its job alone, and attach sees all of it" client_disconnects
grid_stop
tap_end
