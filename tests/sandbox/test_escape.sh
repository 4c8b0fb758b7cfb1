#!/usr/bin/env bash
# Attempts to get out of the sandbox (tests/sandbox/escapes.py, each in a sandbox of its own): every one
# must be refused. And bombs: contained, with the machine usable and other slots untouched.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/tap.sh
tap_begin
RGRID_SANDBOX_INIT=$(realpath "${RGRID_BUILD:-build}/src/main/rgrid-sandbox-init")
export RGRID_SANDBOX_INIT
readonly PROBE=${RGRID_BUILD:-build}/tests/sandbox/sandbox_probe
readonly STATE=$TEST_DIR/state
if [ "$(id -u)" -ne 0 ]; then
	skip "escapes from root's sandbox" "not root; test_rootless.sh covers ordinary users"
	tap_end
fi

# What an escape would find: a file, a socket, an abstract socket and a port of the host.
echo secret >"$TEST_DIR/host-file"
chmod 644 "$TEST_DIR/host-file"
python3 - "$TEST_DIR" >"$TEST_DIR/port" <<'PY' &
import os, signal, socket, sys
port = socket.create_server(("127.0.0.1", 0))
local = socket.socket(socket.AF_UNIX); local.bind(sys.argv[1] + "/socket"); local.listen()
os.chmod(sys.argv[1] + "/socket", 0o666)
hidden = socket.socket(socket.AF_UNIX); hidden.bind("\0rgrid-escape-test"); hidden.listen()
print(port.getsockname()[1], flush=True)
signal.pause()
PY
host=$!
tap_at_exit() { kill "$host" 2>/dev/null; }
wait_until 10 test -s "$TEST_DIR/port" || exit 1
script=$(cat tests/sandbox/escapes.py)
readonly script

attempt() {
	"$PROBE" "$STATE" env HOST_FILE="$TEST_DIR/host-file" HOST_SOCKET="$TEST_DIR/socket" \
		HOST_ABSTRACT=rgrid-escape-test HOST_PORT="$(cat "$TEST_DIR/port")" \
		python3 -c "$script" "$1" 3>/dev/null </dev/null
	[ $? -eq 1 ]
}
for name in $(python3 tests/sandbox/escapes.py --list); do
	check "refused: $name" attempt "$name"
done

# That the attempts can work at all: some do, outside.
works_outside() { python3 tests/sandbox/escapes.py "$1" 2>&1 | grep -q '^escaped'; }
check "outside of the sandbox they do work: shadow" works_outside shadow
check "outside of the sandbox they do work: unshare" works_outside unshare-uts

bomb() { "$PROBE" --pids 50 --memory 64M --timeout 3s --disk 16M "$STATE" "$@" 3>"$TEST_DIR/bomb.json" >/dev/null 2>&1 </dev/null; }
fork_bomb() {
	bomb bash -c 'f() { f | f & }; f; wait'
	# The machine still starts processes, and none of the bomb is left.
	/bin/true && ! pgrep -f 'f() { f | f & }'
}
check "a fork bomb is contained" fork_bomb
memory_bomb() {
	bomb python3 -c $'import os\nfor i in range(8): os.fork()\nx = []\nwhile True: x.append(bytearray(1 << 20))'
	jq -e '.out_of_memory or .out_of_pids or .timed_out' "$TEST_DIR/bomb.json"
}
check "a memory bomb in many processes is contained" memory_bomb
disk_bomb() {
	local before after
	before=$(df --output=avail -B1M "$TEST_DIR" | tail -n 1)
	bomb sh -c 'for i in 1 2 3 4; do cat /dev/zero >"f$i"; done'
	after=$(df --output=avail -B1M "$TEST_DIR" | tail -n 1)
	[ $((before - after)) -lt 100 ]
}
check "a disk bomb fills its own work directory alone" disk_bomb
tap_end
