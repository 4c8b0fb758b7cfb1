# shellcheck shell=bash
# A whole RGrid on a simulated Hetzner Cloud whose servers are real hosts of this computer, set up by the words
# of docs/deploy-private-network.md. Source it after tap.sh:
#
#   deployment_enter SCRIPT "$@"    starts the script anew in a system of its own (private_system.sh)
#   deployment_cloud [options]      hcloud-sim with machines; the server "control" runs
#   on_control COMMAND…             runs COMMAND on it: its network, with the API's address and token
#   deployment_setup                network setup, db expose, server setup; nothing runs yet but PostgreSQL
#   deployment_start [NAME=VALUE…]  API, the workers' API and the orchestrator, with more settings for the latter
#   daemon_start NAME COMMAND…      starts it on the control server; its log is $TEST_DIR/NAME.log
#   daemon_kill NAME SIGNAL         ends it, and waits for it
#   sql STATEMENT                   as the database's superuser
#   on_server ID COMMAND…           runs COMMAND in that server's network; in_server ID COMMAND… in its system
#   workers EXPRESSION              of each worker's server; workers_count; workers_bill, in micro-euros
#   is EXPECTED COMMAND…            whether it prints just that
#   deployment_down                 ends everything; tap_at_exit does so, too, and shows the logs after a failure
#   deployment_show                 the ends of all logs
#
# Sets CONTROL (the server's id), RGRID, RGRIDD, RGRID_NETWORK_ID, RGRID_URL, RGRID_TOKEN.

. tests/private_system.sh
. tests/machines.sh
. tests/sim/sim.sh

RGRID_BUILD=$(realpath "${RGRID_BUILD:-build}")
RGRID=$RGRID_BUILD/rgrid
RGRIDD=$RGRID_BUILD/rgridd
DEPLOYMENT_API_PORT=8420 # on the control server's loopback
declare -A daemon_pids=()

deployment_enter() {
	machines_needed
	private_system_enter "$@"
}

on_server() { machine_net "$deployment_instance" "$@"; }
in_server() { machine_exec "$deployment_instance" "$@"; }
exec_on_control() {
	exec nsenter --net="/run/netns/hcs-$deployment_instance-$CONTROL" -- \
		env HCLOUD_ENDPOINT="http://127.0.0.1:$DEPLOYMENT_API_PORT/v1" HCLOUD_TOKEN="$HCLOUD_TOKEN" "$@"
}
on_control() { (exec_on_control "$@"); }

daemon_start() {
	local name=$1
	shift
	# No shell between, so that it is the daemon that is killed.
	exec_on_control "$@" >>"$TEST_DIR/$name.log" 2>&1 </dev/null &
	daemon_pids[$name]=$!
}
daemon_kill() {
	local pid=${daemon_pids[$1]-}
	unset "daemon_pids[$1]"
	[ -n "$pid" ] || return 0
	kill -s "$2" "$pid" 2>/dev/null
	wait "$pid" 2>/dev/null
	return 0
}
daemon_says() { grep -qF -- "$2" "$TEST_DIR/$1.log"; }

server_is_booted() { [ "$(field "a['booted']" sim GET "/servers/$1")" = True ]; }

deployment_cloud() {
	local root
	private_system_up
	deployment_instance=$(machines_instance)
	root=$(machines_root) || return 1
	sim_start --token secret-of-the-cloud --machines netns --ip-order next --machine-root "$root" --machine-dir "$TEST_DIR/machines" \
		--instance "$deployment_instance" "$@" || return 1
	CONTROL=$(field "a['server']['id']" api POST /servers '{"name":"control","server_type":"cx23","image":"debian-12",
		"location":"nbg1","labels":{"rgrid-role":"control"}}') || return 1
	wait_until 120 server_is_booted "$CONTROL" || return 1
	tests/tools/forward-into "/run/netns/hcs-$deployment_instance-$CONTROL" "$DEPLOYMENT_API_PORT" \
		"${HCLOUD_SIM_URL#http://}" >"$TEST_DIR/forward.log" 2>&1 &
	daemon_pids[forward]=$!
	wait_until 20 daemon_says forward ready
}

sql() {
	setpriv --reuid=postgres --regid=postgres --clear-groups --reset-env -- \
		psql -XAtq -h /run/postgresql -v ON_ERROR_STOP=1 -c "$1" rgrid
}

workers() { # a Python expression over each server `s`, oldest first
	field "' '.join(str($1) for s in sorted(a['servers'], key=lambda s: s['id']) if s['name'].startswith('rgrid-worker-'))" \
		api GET '/servers?per_page=50'
}
workers_count() { workers "s['id']" | wc -w; }
workers_bill() { # in micro-euros
	sim GET /bill | python3 -c '
import json, sys
print(sum(i["cost_micros"] for b in json.load(sys.stdin)["bills"] for i in b["items"] if i["name"].startswith("rgrid-worker-")))'
}
is() { [ "$("${@:2}")" = "$1" ]; }

deployment_database() {
	on_control pg_createcluster 15 main >/dev/null 2>&1 || return 1
	on_control pg_ctlcluster 15 main start </dev/null >/dev/null 2>&1
}
deployment_setup() {
	on_control "$RGRID" network setup && deployment_database && on_control "$RGRID" db expose && deployment_server
}
deployment_server() {
	on_control "$RGRID" server setup --env-file "$TEST_DIR/user.env" || return 1
	# shellcheck disable=SC2034
	RGRID_NETWORK_ID=$(sed -n 's/^RGRID_NETWORK_ID=//p' /etc/rgrid/orchestrator.env)
	set -a
	# shellcheck disable=SC1091
	. "$TEST_DIR/user.env"
	set +a
}
deployment_daemon() { # name, verb, its files of environment, more settings
	local name=$1 verb=$2 files=$3
	shift 3
	# As systemd starts it.
	# shellcheck disable=SC2016
	daemon_start "$name" sh -c 'set -a
		for file in $1; do . "/etc/rgrid/$file.env"; done
		shift
		exec env HOME=/var/lib/rgrid "$@"' - "$files" "$@" \
		setpriv --reuid=rgrid --regid=rgrid --init-groups "$RGRIDD" "$verb"
}
api_answers() { on_control curl -sf -m 5 "$RGRID_URL/livez"; }
deployment_api() { deployment_daemon api api api; }
deployment_workers_api() { deployment_daemon workers-api api 'api api-workers'; }
deployment_orchestrator() { deployment_daemon orchestrator orchestrator orchestrator "${orchestrator_settings[@]}"; }
deployment_start() {
	orchestrator_settings=("$@")
	deployment_api
	deployment_workers_api
	deployment_orchestrator && wait_until 20 api_answers
}

deployment_down() {
	local name
	for name in orchestrator api workers-api forward; do daemon_kill "$name" TERM; done
	sim_stop TERM
	private_system_down
}

# What failed is looked for in the logs.
# shellcheck disable=SC2154 # tap.sh counts
tap_at_exit() {
	[ "$tap_failed" -eq 0 ] || deployment_show
	deployment_down
}

deployment_show() {
	local log
	for log in "$TEST_DIR"/*.log; do
		tail -n 30 "$log" | cut -c1-600 | sed "s|^|# $(basename "$log"): |"
	done
}
