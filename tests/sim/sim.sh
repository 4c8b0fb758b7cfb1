# shellcheck shell=bash
# A simulated Hetzner Cloud for shell tests. Source it after tap.sh, then:
#
#   sim_start [options of hcloud-sim]    starts it; HCLOUD_ENDPOINT, HCLOUD_TOKEN, HCLOUD_SIM_URL are set
#   sim_stop SIGNAL                      ends it, waits, returns its exit code; tap_at_exit does so, too
#   api METHOD PATH [BODY]               prints "STATUS BODY" of a request with the token
#   sim METHOD PATH [BODY]               prints the body of a request to the simulator's own endpoints
#   field EXPRESSION api…|sim…           evaluates a Python expression over the answer: `status`, and `a`, its body
#   status api…; code api…               the status; status and error code
#   fault SPEC                           adds a fault
#   action_ends ID [STATUS]              waits until the action has ended, as success or as STATUS

sim_pid=

sim_start() {
	rm -f "$TEST_DIR/sim.env"
	"$RGRID_BUILD/hcloud-sim" --env-file "$TEST_DIR/sim.env" "$@" >"$TEST_DIR/sim.log" 2>&1 &
	sim_pid=$!
	wait_until 30 test -s "$TEST_DIR/sim.env" || {
		cat "$TEST_DIR/sim.log" >&2
		return 1
	}
	set -a
	# shellcheck disable=SC1091
	. "$TEST_DIR/sim.env"
	set +a
}

sim_stop() {
	local pid=$sim_pid code=0
	[ -n "$pid" ] || return 0
	sim_pid=
	kill -s "$1" "$pid" 2>/dev/null
	wait "$pid" 2>/dev/null || code=$?
	[ "$code" -eq 0 ] || [ "$1" = KILL ] || cat "$TEST_DIR/sim.log"
	return "$code"
}

tap_at_exit() { sim_stop TERM; }

api() {
	local body=()
	[ $# -lt 3 ] || body=(--data "$3")
	curl -sS -m 60 -g -X "$1" -H "Authorization: Bearer $HCLOUD_TOKEN" -H 'Content-Type: application/json' \
		"${body[@]}" -o "$TEST_DIR/.body" -w '%{http_code} ' "$HCLOUD_ENDPOINT$2"
	cat "$TEST_DIR/.body"
	rm -f "$TEST_DIR/.body"
}

sim() {
	local body=()
	[ $# -lt 3 ] || body=(--data "$3")
	curl -sS -m 60 -X "$1" "${body[@]}" "$HCLOUD_SIM_URL/_sim$2"
}

field() { # python expression over the answer `a` of a request
	local expression=$1
	shift
	"$@" | /usr/bin/python3 -c "
import json, sys
text = sys.stdin.read()
status, _, body = text.partition(' ') if text[:1].isdigit() else ('', '', text)
a = json.loads(body or 'null')
print($expression)"
}
status() { field status "$@"; }
code() { field "status + ' ' + a['error']['code']" "$@"; }

fault() { sim POST /faults "{\"spec\":\"$1\"}" >/dev/null; }

action_has() { # id, status
	[ "$(field "a['action']['status']" api GET "/actions/$1")" = "$2" ]
}
action_ends() { wait_until 60 action_has "$1" "${2:-success}"; }
