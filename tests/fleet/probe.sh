# shellcheck shell=bash
# The fleet's loop, stepped by a test (fleet_probe.c). Source it after tap.sh, ../sim/sim.sh and
# ../store/store.sh; the simulator is the test's to start.
#
#   probe_start CHOICES OPTIONS…   begins; probe_end SIGNAL ends it, as a leader that dies
#   step [N], steps_until S CMD…   what was done, a line each; steps until the command succeeds
#   submit N [LIMITS]              jobs; join [NAME]: a worker comes up; servers EXPR, count: the project's

probe_pid=
probe_start() { # CHOICES options…
	local conninfo=${RGRID_TEST_CONNINFO/user=postgres/user=rgrid_orchestrator}
	rm -f "$TEST_DIR/in" "$TEST_DIR/out"
	mkfifo "$TEST_DIR/in" "$TEST_DIR/out"
	"$RGRID_BUILD/tests/fleet/fleet_probe" "$conninfo" "$@" <"$TEST_DIR/in" >"$TEST_DIR/out" 2>>"$TEST_DIR/probe.err" &
	probe_pid=$!
	exec 8>"$TEST_DIR/in" 9<"$TEST_DIR/out"
}
probe_end() {
	[ -z "$probe_pid" ] || { kill -s "$1" "$probe_pid" && wait "$probe_pid"; } 2>/dev/null
	probe_pid=
}
tap_at_exit() {
	probe_end KILL
	sim_stop TERM
	sed 's/^/# /' "$TEST_DIR/probe.err" | head -30
}
# Sends a line, and prints the answer up to the line that ends it.
ask() { # line end
	local line
	echo "$1" >&8
	while IFS= read -r -t 60 line <&9; do
		[ "$line" != "$2" ] || return 0
		printf '%s\n' "$line"
	done
	return 1
}
step() { ask "step ${1-1}" stepped | tee -a "$TEST_DIR/steps"; }
waits() { ask waits told; }
submit() { # count [limits]
	store_ask "SELECT count(*) FROM rg.submit(1, NULL, array_fill('{\"limits\": ${2-{\}}}'::text, ARRAY[$1]),
		array_fill(NULL::text, ARRAY[$1]), array_fill(NULL::text, ARRAY[$1]), array_fill(0::int2, ARRAY[$1]))"
}
servers() { field "' '.join(sorted($1 for s in a['servers']))" api GET "/servers?per_page=50"; }
count() { field "len(a['servers'])" api GET "/servers?per_page=50"; }
# The worker of the newest row, or the one of that name, joins with 2 slots.
join() { # [name]
	local login
	login=$(store_ask "SELECT login FROM rg.worker WHERE name = '${1-}' OR '${1-}' = '' ORDER BY id DESC LIMIT 1")
	store_ask_as "$login" "SELECT worker_id FROM rg_worker.join(2, 2000, 4000000000, 'h', 'v', '{}', decode(repeat('00', 32), 'hex'))"
}
as_worker() { # name SQL
	store_ask_as "$(store_ask "SELECT login FROM rg.worker WHERE name = '$1'")" "$2"
}
dead= # the worker that is silent, for its server is gone
beat() { store_ask "UPDATE rg.worker SET last_seen = clock_timestamp() WHERE state IN (2, 3) AND name <> '$dead'"; }
# Steps until COMMAND succeeds.
steps_until() { # deadline command…
	local deadline=$((SECONDS + $1))
	shift
	while ! "$@"; do
		[ "$SECONDS" -lt "$deadline" ] || { echo "deadline passed for: $*"; return 1; }
		beat
		step >/dev/null
		read -rt 0.2 <> <(:) || true
	done
}
sql_is() { [ "$(store_ask "$1")" = "$2" ]; }
