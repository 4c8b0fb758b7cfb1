#!/usr/bin/env bash
# A job with a network reaches the public internet and nothing else. The internet here is a network
# namespace of the test: a public host 198.18.0.1 that also has the database's address and the metadata
# service's, all of which the worker itself can reach.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/tap.sh
tap_begin
readonly PROBE=${RGRID_BUILD:-build}/tests/sandbox/sandbox_probe
RGRID_SANDBOX_INIT=$(realpath "${RGRID_BUILD:-build}/src/main/rgrid-sandbox-init")
export RGRID_SANDBOX_INIT
if [ "$(id -u)" -ne 0 ]; then
	skip "networks of jobs" "only root can make them"
	tap_end
fi
readonly OUTSIDE=rgt-out-$$ WORKER=rgt-wrk-$$
servers=()
tap_at_exit() {
	kill "${servers[@]}" 2>/dev/null
	wait 2>/dev/null
	ip netns del "$WORKER" 2>/dev/null
	ip netns del "$OUTSIDE" 2>/dev/null
}

ip netns add $OUTSIDE && ip netns add $WORKER || exit 1
ip -n $OUTSIDE link add veth0 type veth peer name eth0 netns $WORKER
for address in 198.18.0.1/24 10.0.1.2/24 169.254.169.254/32 192.168.7.7/32 100.64.1.1/32; do
	ip -n $OUTSIDE addr add $address dev veth0
done
ip -n $OUTSIDE link set veth0 up
ip -n $OUTSIDE link set lo up
ip -n $WORKER link set lo up
ip -n $WORKER addr add 198.18.0.3/24 dev eth0
ip -n $WORKER addr add 10.0.1.3/24 dev eth0
ip -n $WORKER link set eth0 up
ip -n $WORKER route add default via 198.18.0.1

serve() { # namespace port
	nsenter --net=/run/netns/"$1" python3 -c '
import socket, sys
s = socket.create_server(("0.0.0.0", int(sys.argv[1])))
print("ready", flush=True)
while True:
    c, _ = s.accept(); c.sendall(b"hello"); c.close()' "$2" >"$TEST_DIR/serve-$1-$2" &
	servers+=($!)
	wait_until 10 grep -q ready "$TEST_DIR/serve-$1-$2"
}
serve $OUTSIDE 8000
serve $WORKER 8001

readonly CONNECT='
import socket, sys
s = socket.socket(); s.settimeout(3)
s.connect((sys.argv[1], int(sys.argv[2]))); print(s.recv(9).decode())'
from_worker() { nsenter --net=/run/netns/"$WORKER" python3 -c "$CONNECT" "$1" "$2"; }
from_job() { nsenter --net=/run/netns/"$WORKER" "$PROBE" --network "$TEST_DIR/state" python3 -c "$CONNECT" "$1" "$2" 3>/dev/null </dev/null; }
job_fails() { ! from_job "$1" "$2"; }

check_output "the public side is reachable" hello from_job 198.18.0.1 8000
for address in 10.0.1.2 169.254.169.254 192.168.7.7 100.64.1.1; do
	check_output "the worker itself reaches $address" hello from_worker $address 8000
	check "a job does not" job_fails $address 8000
done
for address in 198.18.0.3 10.0.1.3 127.0.0.1; do
	check_output "the worker itself reaches its own $address" hello from_worker $address 8001
	check "a job does not" job_fails $address 8001
done
serve $OUTSIDE 8443
kept() { # port: of the public side, where another one is the grid's own
	nsenter --net=/run/netns/"$WORKER" "$PROBE" --network --kept-address 198.18.0.1 --kept-port 8443 "$TEST_DIR/state" \
		python3 -c "$CONNECT" 198.18.0.1 "$1" 3>/dev/null </dev/null
}
check_output "the worker itself reaches the grid's public port" hello from_worker 198.18.0.1 8443
check_exit 1 "a job does not" kept 8443
check_output "… and reaches others there" hello kept 8000
gateway() { nsenter --net=/run/netns/"$WORKER" "$PROBE" --network "$TEST_DIR/state" python3 -c '
import socket, struct
for line in open("/proc/net/route").read().splitlines()[1:]:
    fields = line.split()
    if fields[1] == "00000000":
        s = socket.socket(); s.settimeout(3)
        s.connect((socket.inet_ntoa(struct.pack("<L", int(fields[2], 16))), 8001)); print("reached")' 3>/dev/null </dev/null; }
check_exit 1 "a job does not reach the worker through its own gateway" gateway
without() { nsenter --net=/run/netns/"$WORKER" "$PROBE" "$TEST_DIR/state" python3 -c "$CONNECT" 198.18.0.1 8000 3>/dev/null </dev/null; }
check_exit 1 "without --network nothing is reachable, the public side included" without
resolvers() { nsenter --net=/run/netns/"$WORKER" "$PROBE" --network "$TEST_DIR/state" cat /etc/resolv.conf 3>/dev/null </dev/null | grep -q nameserver; }
check "a job with a network has resolvers" resolvers

nothing_left() {
	[ -z "$(nsenter --net=/run/netns/"$WORKER" nft list tables)" ] && ! ip -n "$WORKER" link | grep rgj
}
check "rules and interfaces are gone afterwards" nothing_left
# Rules that do not load must cost the job its network, not its walls.
broken_rules() {
	mkdir -p "$TEST_DIR/bin"
	printf '#!/bin/sh\nexit 1\n' >"$TEST_DIR/bin/nft"
	chmod +x "$TEST_DIR/bin/nft"
	local code=0
	PATH=$TEST_DIR/bin:$PATH from_job 198.18.0.1 8000 || code=$?
	[ "$code" -eq 126 ]
}
check "without rules the job is refused" broken_rules
killed_leaves_nothing_for_long() {
	nsenter --net=/run/netns/"$WORKER" "$PROBE" --network "$TEST_DIR/state" python3 -c 'import time; print("up", flush=True); time.sleep(99)' 3>/dev/null >"$TEST_DIR/up" </dev/null &
	local outer=$!
	wait_until 10 grep -q up "$TEST_DIR/up" && kill -KILL "$outer"
	wait "$outer" 2>/dev/null
	wait_until 5 no_interface && from_job 198.18.0.1 8000 && nothing_left
}
no_interface() { ! ip -n "$WORKER" link | grep -q rgj; }
check "a killed worker's interfaces go with it, its rules with the next start" killed_leaves_nothing_for_long
tap_end
