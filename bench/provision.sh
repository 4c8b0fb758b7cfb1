#!/bin/bash
# bench/provision.sh ROUNDS: on the simulator of Hetzner Cloud, from the moment a job is submitted that no worker
# has room for to the moment its server is ordered and the order was answered, in ms. bench/run calls it.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1
[ -n "${RGRID_TEST_CONNINFO-}" ] || exec tests/with-postgres "$0" "$@"
. tests/tap.sh
. tests/sim/sim.sh
. tests/store/store.sh
RGRID_BUILD=$(realpath "${RGRID_BUILD:-build}")
rounds=${1:-30}
tap_begin
store_migrate
sim_start --listen 127.0.0.1:0 --token T || exit 1
network=$(field "a['network']['id']" api POST /networks \
	'{"name":"private","ip_range":"10.0.0.0/16","subnets":[{"type":"cloud","ip_range":"10.0.1.0/24","network_zone":"eu-central"}]}')
echo "-----BEGIN CERTIFICATE-----" >"$TEST_DIR/ca.crt"
"$RGRID_BUILD/rgridd" orchestrator --provider hetzner --database "${RGRID_TEST_CONNINFO/user=postgres/user=rgrid_orchestrator}" \
	--worker-ca "$TEST_DIR/ca.crt" --worker-api-url https://10.0.1.2:8443 --worker-bundle "$(printf '0%.0s' {1..64})" \
	--server-types cx23:nbg1 --slots 1 --workers-max 90 --network-id "$network" --private-db-ip 10.0.1.2 \
	2>"$TEST_DIR/orchestrator.log" &
orchestrator_pid=$!
tap_at_exit() {
	kill "$orchestrator_pid" && wait "$orchestrator_pid"
	sim_stop TERM
}
provisioned() { grep '"event":"Worker [^"]* provisioned successfully"' "$TEST_DIR/orchestrator.log"; }
is_provisioned() { [ "$(provisioned | wc -l)" = "$1" ]; }
wait_until 30 grep -q '"event":"orchestrator.leads"' "$TEST_DIR/orchestrator.log" || exit 1
for ((i = 1; i <= rounds; i++)); do
	store_ask "SELECT extract(epoch FROM clock_timestamp()) FROM rg.submit(1, NULL, ARRAY['{\"limits\": {}}'], ARRAY[NULL::text],
		ARRAY[NULL::text], ARRAY[0::int2])" >>"$TEST_DIR/submitted"
	wait_until 60 is_provisioned "$i" || exit 1
done
provisioned | /usr/bin/python3 -c '
import datetime, json, sys
ordered = [datetime.datetime.fromisoformat(json.loads(line)["time"].replace("Z", "+00:00")).timestamp() for line in sys.stdin]
submitted = [float(line) for line in open(sys.argv[1])]
ms = sorted((a - b) * 1000 for a, b in zip(ordered, submitted))
print("| a job that no worker has room for, ms | median | slowest |\n|---|--:|--:|")
print(f"| submitted → its server is ordered | {ms[len(ms) // 2]:.0f} | {ms[-1]:.0f} |")
' "$TEST_DIR/submitted"
