# shellcheck shell=bash
# A simulated Hetzner Cloud for shell tests. Source it after tap.sh, then:
#
#   sim_start [options of hcloud-sim]    starts it; HCLOUD_ENDPOINT, HCLOUD_TOKEN, HCLOUD_SIM_URL are set
#   sim_stop SIGNAL                      ends it and waits; tap_at_exit of this file does so too
#   api METHOD PATH [BODY]               prints "STATUS BODY" of a request with the token
#   sim METHOD PATH [BODY]               prints the body of a request to the simulator's own endpoints

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
	[ -n "$sim_pid" ] || return 0
	kill -s "$1" "$sim_pid" 2>/dev/null
	wait "$sim_pid" 2>/dev/null
	sim_pid=
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
