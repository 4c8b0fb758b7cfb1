# shellcheck shell=bash
# A whole grid for end-to-end tests. Source after tests/tap.sh, then:
#
#   grid_start [options of rgrid up]   a grid of its own; exports RGRID_URL, RGRID_TOKEN
#   grid_stop                          Ctrl-C, and waits until it has ended
#
# Sets GRID_PID (its supervisor), GRID_DATA_DIR, GRID_LOG (what it printed), RGRID and RGRIDD (the programs).
# A second grid_start after grid_stop uses the same data directory, unless GRID_DATA_DIR is changed.
# The test's exit stops it, however it comes; a grid that failed shows its logs. GRID_USER, when set, names
# the user to run as.

RGRID_BUILD=$(realpath "${RGRID_BUILD:-build}")
RGRID=$RGRID_BUILD/rgrid
RGRIDD=$RGRID_BUILD/rgridd
export RGRID_BUILD RGRID RGRIDD
unset RGRID_URL RGRID_TOKEN RGRID_DATABASE RGRID_DATA_DIR RGRID_CONFIG
GRID_DATA_DIR=
GRID_PID=

# Replaces this process.
grid_exec() {
	if [ -n "${GRID_USER:-}" ]; then
		export HOME=$GRID_HOME
		exec setpriv --reuid="$GRID_USER" --regid="$(id -g "$GRID_USER")" --init-groups -- "$@"
	fi
	exec "$@"
}

# Starts without waiting; the caller looks for what it expects in $GRID_LOG.
grid_launch() {
	: "${GRID_DATA_DIR:=$TEST_DIR/grid}"
	local directory=${GRID_USER:+$GRID_HOME}
	GRID_ENV_FILE=${directory:-$TEST_DIR}/grid.env
	GRID_LOG=$TEST_DIR/grid.log
	rm -f "$GRID_ENV_FILE"
	(grid_exec "$RGRIDD" up --data-dir "$GRID_DATA_DIR" --listen 127.0.0.1:0 --env-file "$GRID_ENV_FILE" "$@") \
		>"$GRID_LOG" 2>&1 </dev/null &
	GRID_PID=$!
}

grid_has_ended() { ! kill -0 "$GRID_PID" 2>/dev/null; }
grid_is_ready_or_gone() { [ -s "$GRID_ENV_FILE" ] || grid_has_ended; }

grid_read_env() {
	local name value
	while IFS='=' read -r name value; do
		export "$name=$value"
	done <"$GRID_ENV_FILE"
}

grid_show() {
	sed 's/^/# up: /' "$GRID_LOG"
	local log
	for log in "$GRID_DATA_DIR"/log/*.log; do
		[ ! -f "$log" ] || tail -n 40 "$log" | cut -c1-400 | sed "s|^|# $(basename "$log"): |"
	done
}

grid_start() {
	grid_launch "$@"
	if ! wait_until 90 grid_is_ready_or_gone || ! [ -s "$GRID_ENV_FILE" ]; then
		echo "# the grid did not start"
		grid_show
		grid_kill
		echo "Bail out! no grid"
		exit 1
	fi
	grid_read_env
}

grid_stop() {
	[ -n "$GRID_PID" ] || return 0
	kill -INT "$GRID_PID" 2>/dev/null
	if ! wait_until 60 grid_has_ended; then
		grid_show
		grid_kill
		return 1
	fi
	wait "$GRID_PID" 2>/dev/null
	GRID_STATUS=$?
	GRID_PID=
	return "$GRID_STATUS"
}

# At once, with all that belongs to it: its children die with it.
grid_kill() {
	[ -n "$GRID_PID" ] || return 0
	kill -KILL "$GRID_PID" 2>/dev/null
	wait "$GRID_PID" 2>/dev/null
	GRID_PID=
	wait_until 30 grid_nothing_left
}

# Processes that have the data directory open as theirs: PostgreSQL by its working directory, the others by
# their arguments. By the path, which is unique to this test, not by name.
grid_processes() {
	local entry
	[ -n "$GRID_DATA_DIR" ] || return 0
	for entry in /proc/[0-9]*; do
		[ "${entry#/proc/}" != "$$" ] || continue
		case $(readlink "$entry/cwd" 2>/dev/null) in "$GRID_DATA_DIR"*) echo "${entry#/proc/}" && continue ;; esac
		if tr '\0' '\n' <"$entry/cmdline" 2>/dev/null | grep -qF -- "$GRID_DATA_DIR"; then
			echo "${entry#/proc/}"
		fi
	done
}
grid_nothing_left() { [ -z "$(grid_processes)" ]; }

tap_at_exit() {
	[ -z "$GRID_PID" ] || { kill -INT "$GRID_PID" 2>/dev/null; kill -INT "$GRID_PID" 2>/dev/null; wait_until 10 grid_has_ended || true; }
	grid_kill
}
