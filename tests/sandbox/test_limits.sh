#!/usr/bin/env bash
# Every limit of the sandbox holds, and is told apart from a script's own failure.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/tap.sh
tap_begin
RGRID_SANDBOX_INIT=$(realpath "${RGRID_BUILD:-build}/src/main/rgrid-sandbox-init")
export RGRID_SANDBOX_INIT
readonly PROBE=${RGRID_BUILD:-build}/tests/sandbox/sandbox_probe
readonly STATE=$TEST_DIR/state

# probe_is JQ-CONDITION [options] COMMAND…: runs it and checks the result.
probe_is() {
	local condition=$1 options=()
	shift
	while [[ $1 == --* ]]; do
		options+=("$1" "$2")
		shift 2
	done
	"$PROBE" "${options[@]}" "$STATE" "$@" 3>"$TEST_DIR/result.json" </dev/null
	cat "$TEST_DIR/result.json"
	jq -e "$condition" "$TEST_DIR/result.json" >/dev/null
}

if [ "$(id -u)" -ne 0 ]; then
	skip "limits held by cgroups" "only root may make cgroups on every machine"
	tap_end
fi

check "a script that ends well has no outcome of its own" \
	probe_is '.exit_code == 0 and (.out_of_memory or .out_of_pids or .out_of_disk or .start_failed | not)' true
check "its exit code comes through" probe_is '.exit_code == 42 and (.start_failed | not)' sh -c 'exit 42'
check "a signal is 128+n" probe_is '.exit_code == 139' sh -c 'kill -SEGV $$'
check "a script can end itself by any signal, as elsewhere" probe_is '.exit_code == 134' python3 -c 'import os; os.abort()'
check "too much memory: killed and told" \
	probe_is '.exit_code == 137 and .out_of_memory' --memory 64M python3 -c 'x = bytearray(300 << 20)'
check "just enough memory is not too much" \
	probe_is '.exit_code == 0 and .memory_peak_bytes > 100000000' --memory 160M python3 -c 'x = bytearray(100 << 20)'
check "memory in a child counts" \
	probe_is '.out_of_memory' --memory 64M python3 -c 'import subprocess; subprocess.run(["python3", "-c", "x = bytearray(300 << 20)"]).check_returncode()'
check "files in /tmp count as memory" \
	probe_is '.exit_code != 0' --memory 64M dd if=/dev/zero of=/tmp/x bs=1M count=200
check "too many processes: refused and told" \
	probe_is '.exit_code != 0 and .out_of_pids' --pids 20 python3 -c $'import os, time\nfor i in range(100):\n  if os.fork() == 0: time.sleep(60)'
check "as many processes as allowed are allowed" \
	probe_is '.exit_code == 0 and (.out_of_pids | not)' --pids 20 python3 -c $'import os, time\nfor i in range(18):\n  if os.fork() == 0: time.sleep(0.2); os._exit(0)\nfor i in range(18): os.wait()'
check "a full work directory: told" \
	probe_is '.exit_code != 0 and .out_of_disk' --disk 32M dd if=/dev/zero of=x bs=1M count=100
check "  of the job's own size, smaller than the worker would give" \
	probe_is '.exit_code != 0 and .out_of_disk' --volume 256M --disk 32M sh -c 'for i in 1 2 3 4 5 6; do dd if=/dev/zero of=$i bs=1M count=10 || exit; done'
too_large() { "$PROBE" --volume 64M --disk 128M "$STATE" true 2>&1 3>/dev/null | grep -q 'at most 64'; }
check "  and more than the worker gives is refused" too_large
second_one() {
	"$PROBE" "$STATE" sleep 20 3>/dev/null &
	local first=$!
	wait_until 10 pgrep -f -- "crun.*slot-0"
	"$PROBE" "$STATE" true 2>&1 3>/dev/null | grep -q 'another worker uses'
	local result=$?
	kill "$first"
	wait "$first" 2>/dev/null
	return "$result"
}
check "one state directory serves one worker" second_one
check "  also when many files fill it" \
	probe_is '.exit_code != 0 and .out_of_disk' --disk 16M python3 -c $'for i in range(10**6): open(str(i), "w").close()'
check "the time limit ends a script that ignores signals" \
	probe_is '.timed_out and .exit_code == 137 and .wall_us < 3000000' --timeout 500ms sh -c 'trap "" TERM INT; while :; do :; done'
check "  and its children" \
	probe_is '.timed_out and .wall_us < 3000000' --timeout 500ms sh -c 'sleep 100 & (setsid sleep 100 &) & wait'
own_crun() { # its pid; others may run one as well
	local pid
	for pid in $(pgrep -f -- "crun --root.*slot-0"); do
		grep -qz "$TEST_DIR" "/proc/$(ps -o ppid= -p "$pid" | tr -d ' ')/cmdline" && echo "$pid" && return 0
	done
	return 1
}
from_outside() {
	probe_is '.start_failed and (.message | test("from outside, by signal 9"))' sh -c 'sleep 30' &
	local probe=$!
	wait_until 10 own_crun
	kill -KILL "$(own_crun)"
	wait "$probe"
}
check "a sandbox that is killed from outside is not the script's failure" from_outside
check "half a processor is half a processor" \
	probe_is '.cpu_us < 700000' --cpus 0.5 --timeout 1s sh -c 'while :; do :; done'
check "a program that is not there is 127, as in a shell" probe_is '.exit_code == 127' no-such-program
check "a work directory is empty for the next script" \
	probe_is '.exit_code == 0' --runs 2 sh -c '[ -z "$(ls -A)" ] && mkdir -p a/b && touch a/b/c && chmod 0 a/b'

# Killed at once, whichever of its processes dies, with nothing left.
left_behind() {
	local found
	local name
	name=rgrid-$(realpath -m "$STATE" | tr -d '\n' | sha256sum | cut -c1-12)
	found=$( (ls -d /sys/fs/cgroup/*/"$name" /sys/fs/cgroup/*/*/*/"$name" 2>/dev/null
		losetup -l | grep "$TEST_DIR"
		grep -F "$TEST_DIR" /proc/self/mounts
		nft list tables 2>/dev/null | grep "$name"))
	[ -z "$found" ] || { echo "$found"; return 1; }
}
check "nothing is left behind" left_behind
is_gone() { ! kill -0 "$1" 2>/dev/null; }
killed() { # which: outer, init or worker
	"$PROBE" "$STATE" python3 -c 'import time; print("up", flush=True); time.sleep(1000)' 3>/dev/null >"$TEST_DIR/up" &
	local outer=$! init worker script
	wait_until 10 grep -q up "$TEST_DIR/up" || return 1
	init=$(pgrep -P "$outer")
	worker=$(pgrep -P "$init")
	script=$(pgrep -f 'time.sleep\(1000\)' -n)
	kill -KILL "${!1}"
	wait "$outer" 2>/dev/null
	wait_until 5 is_gone "$script" && wait_until 5 is_gone "$init" && wait_until 5 is_gone "$worker"
}
for victim in outer init worker; do
	check "kill -9 of the $victim process ends the script" killed $victim
done
check "and the next start cleans up" probe_is '.exit_code == 0' true
check "so that nothing is left behind" left_behind
tap_end
