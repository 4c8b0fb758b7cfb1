#!/usr/bin/env bash
# `rgrid up`: from nothing, again in the same directory, twice at once, with parts of it killed, as an
# ordinary user, and what it says when it cannot.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/tap.sh
tap_begin
. tests/grid.sh
GRID_DATA_DIR="$TEST_DIR/a grid's directory"

api() { curl -sf --max-time 10 -H "Authorization: Bearer $RGRID_TOKEN" "$RGRID_URL$1"; }
api_works() { api /api/v1/keys/self; }
has_workers() { [ "$(api /api/v1/workers | jq '[.items[] | select(.state == "active")] | length')" -eq "$1" ]; }
run_script() { # what it prints
	printf 'print("%s")\n' "$1" >"$TEST_DIR/$1.py" && (cd "$TEST_DIR" && "$RGRID" run "$1.py")
}
says() { grep -qF -- "$1" "$GRID_LOG" || { cat "$GRID_LOG"; return 1; }; }

# What must hold whenever the grid is up.
is_whole() {
	wait_until 30 api_works && wait_until 30 has_workers 2 && [ "$(run_script "whole")" = whole ]
}

child_of() { # pid of the grid's child whose command line contains $1
	local pid
	for pid in $(pgrep -P "$GRID_PID"); do
		if tr '\0' ' ' <"/proc/$pid/cmdline" 2>/dev/null | grep -qF -- "$1"; then echo "$pid"; fi
	done
}
is_replaced() {
	local now
	now=$(child_of "$1")
	[ -n "$now" ] && [ "$now" != "$2" ]
}
survives_kill() {
	local before
	before=$(child_of "$1")
	[ -n "$before" ] || { echo "there is no $1"; return 1; }
	kill -KILL "$before"
	wait_until 30 is_replaced "$1" "$before" && is_whole
}

# Fresh, stopped, again

grid_start --workers 2 --slots 2
check "a grid comes up from nothing, in a directory with spaces and a quote" is_whole
check "  it prints the lines to paste" says "export RGRID_URL=$RGRID_URL"
check "  also for the key" says "export RGRID_TOKEN=$RGRID_TOKEN"
check_output "  the environment file is its owner's alone" 600 stat -c %a "$GRID_ENV_FILE"
check_output "  and so are the secrets" $'600\n600' stat -c %a "$GRID_DATA_DIR"/secrets/{pgpass,token}
no_secret_in_arguments() {
	local pid secret
	for pid in $(grid_processes); do
		while IFS=: read -r _ _ _ _ secret; do
			if tr '\0' '\n' <"/proc/$pid/cmdline" | grep -qF -- "$secret"; then return 1; fi
		done <"$GRID_DATA_DIR/secrets/pgpass"
	done
}
check "  no password stands in a command line" no_secret_in_arguments
no_tcp() { ! ss -Hltnp | grep -F "pid=$(head -n 1 "$GRID_DATA_DIR/postgres/data/postmaster.pid"),"; }
check "  PostgreSQL listens on its socket only" no_tcp
superuser_is_shut_out() {
	! psql -XAtq "host='${GRID_DATA_DIR/\'/\\\'}/postgres/socket' user=rgrid_bootstrap dbname=rgrid" -w -c 'SELECT 1'
}
check "  nobody can log in as its superuser" superuser_is_shut_out
operator_sql() {
	PGPASSFILE=$GRID_DATA_DIR/secrets/pgpass psql -XAtq \
		"host='${GRID_DATA_DIR/\'/\\\'}/postgres/socket' user=rgrid_operator dbname=rgrid" -c "$1"
}
check_output "  none of its logins is one" 0 operator_sql \
	"SELECT count(*) FROM pg_roles WHERE rolsuper AND rolname <> 'rgrid_bootstrap'"
check_output "  commits are durable" $'on\non\non' operator_sql \
	"SELECT setting FROM pg_settings WHERE name IN ('fsync', 'full_page_writes', 'synchronous_commit')"

second_up() { "$RGRIDD" up --data-dir "$GRID_DATA_DIR" --listen 127.0.0.1:0 2>&1; }
check "a second one in the same directory is refused" test "$(second_up | grep -c 'another rgrid up uses this data directory')" -eq 1
check_exit 1 "  with exit code 1" second_up
check "  and the first one goes on" is_whole

first_token=$RGRID_TOKEN
run_script before >/dev/null
check "Ctrl-C ends it with exit code 0" grid_stop
check "  no process is left" grid_nothing_left
check "  the environment file is gone" test ! -e "$GRID_ENV_FILE"

grid_start --workers 2 --slots 2
check_output "the next one has the same key" "$first_token" printf '%s' "$RGRID_TOKEN"
last_job() { api /api/v1/jobs/last | jq -r '"\(.spec.script.name) \(.state)"'; }
check_output "  finds the jobs of the first" "before.py completed" last_job
log_of_last() { "$RGRID" logs last | grep -v '^rgrid: this worker cannot hold'; }
check_output "  with their logs" before log_of_last
check "  and is whole" is_whole

# Deaths

check "kill -9 of the API: it is restarted" survives_kill 'rgridd api'
check "kill -9 of the orchestrator: it is restarted, with new workers" survives_kill 'rgridd orchestrator'
check "kill -9 of PostgreSQL: it is restarted" survives_kill 'bin/postgres'
three_times() { survives_kill "$1" && survives_kill "$1" && survives_kill "$1"; }
check "  and the same three times in a row" three_times 'bin/postgres'
kill -KILL "$GRID_PID"
wait "$GRID_PID" 2>/dev/null
check "kill -9 of up itself: all its processes end" wait_until 30 grid_nothing_left
grid_start --workers 2 --slots 2
check "  the next one recovers" is_whole
kill -KILL "$GRID_PID"
wait "$GRID_PID" 2>/dev/null
grid_start --workers 2 --slots 2 --drain-timeout 10m
check "  also when it starts while the old one is still dying" is_whole

stops_at_once() {
	printf 'import time\nprint("up", flush=True)\ntime.sleep(600)\n' >"$TEST_DIR/sleep.py"
	(cd "$TEST_DIR" && exec "$RGRID" run sleep.py) >"$TEST_DIR/sleep.out" 2>&1 &
	local client=$!
	wait_until 60 grep -q up "$TEST_DIR/sleep.out" || return 1
	kill -INT "$GRID_PID"
	wait_until 60 says "Ctrl-C again stops at once" || return 1
	kill -INT "$GRID_PID"
	wait_until 60 grid_has_ended || return 1
	kill "$client" 2>/dev/null
	wait "$client" 2>/dev/null
	return 0
}
check "a second Ctrl-C does not wait for running jobs" stops_at_once
wait "$GRID_PID" 2>/dev/null
GRID_PID=
check "  no process is left" wait_until 60 grid_nothing_left
grid_start --workers 1 --slots 2 --drain-timeout 1s
requeued() { [ "$(api /api/v1/jobs | jq -r '.items[0].state')" != cancelled ] && "$RGRID" cancel last; }
check "  the job is there in the next one" requeued
check "a grid with one worker stops as well" grid_stop

# What it says

refuses() { # exit code, text, then options
	local code=$1 text=$2
	shift 2
	timeout 60 env PATH="${GRID_PATH:-$PATH}" "$RGRIDD" up "$@" >"$GRID_LOG" 2>&1
	local got=$?
	[ "$got" -eq "$code" ] || { cat "$GRID_LOG"; echo "exit code $got"; return 1; }
	says "$text"
}
mkdir "$TEST_DIR/somebody's"
echo precious >"$TEST_DIR/somebody's/file"
check "a directory of somebody is left alone" refuses 1 "is not a data directory of RGrid" --data-dir "$TEST_DIR/somebody's"
check_output "  as it was" file ls "$TEST_DIR/somebody's"
touch "$TEST_DIR/plain"
check "a file is no data directory" refuses 1 "is not a directory" --data-dir "$TEST_DIR/plain"
python3 -c '
import signal, socket
s = socket.socket(); s.bind(("127.0.0.1", 0)); s.listen()
print(s.getsockname()[1], flush=True); signal.pause()' >"$TEST_DIR/port" &
occupant=$!
wait_until 60 test -s "$TEST_DIR/port"
check "a port in use is named" refuses 1 "is in use by another program" --data-dir "$TEST_DIR/new" --listen "127.0.0.1:$(cat "$TEST_DIR/port")"
kill "$occupant"
wait "$occupant" 2>/dev/null
check "a bad address is explained" refuses 2 "is not an address and port" --data-dir "$TEST_DIR/new" --listen nonsense
check "missing server programs are named with their package" refuses 5 "postgres" --data-dir "$TEST_DIR/new" --postgres-bin-dir "$TEST_DIR"
without_crun() { GRID_PATH=$TEST_DIR refuses 5 "apt-get install crun" --data-dir "$TEST_DIR/new"; }
check "a missing crun is named with its package" without_crun
full_disk() {
	mkdir "$TEST_DIR/small" && mount -t tmpfs -o size=8m none "$TEST_DIR/small" || return 1
	refuses 6 "free some space" --data-dir "$TEST_DIR/small"
	local result=$?
	umount "$TEST_DIR/small"
	return "$result"
}
if [ "$EUID" -eq 0 ]; then
	check "a disk that is nearly full is named" full_disk
else
	skip "a disk that is nearly full is named" "mounting a small one needs root"
fi

long=$TEST_DIR/$(printf 'long%.0s' {1..40})
GRID_DATA_DIR=$long
grid_start --workers 1 --slots 1
check "a path too long for a socket gets a short one" api_works
check "  and works with its operator's verbs" "$RGRIDD" key list --data-dir "$long"
short=$(readlink "$long/postgres/socket")
stops_without_trace() { grid_stop && [ -n "$short" ] && [ ! -e "$short" ]; }
check "  that is gone at the end" stops_without_trace

# As an ordinary user

as_user() {
	is_whole && [ "$(stat -c %u "/proc/$(head -n 1 "$GRID_DATA_DIR/postgres/data/postmaster.pid")")" -ne 0 ]
}
users_of_grid() { grid_processes | xargs -r ps -o user:32= -p | sort -u; }
if [ "$EUID" -eq 0 ]; then
	GRID_USER=rgt$$
	GRID_HOME=$TEST_DIR/home
	user_gone() { userdel "$GRID_USER" 2>/dev/null; }
	eval "grid_$(declare -f tap_at_exit)"
	tap_at_exit() {
		grid_tap_at_exit
		user_gone
	}
	useradd --create-home --home-dir "$GRID_HOME" "$GRID_USER"
	# The build directory need not be open to others.
	mkdir "$TEST_DIR/bin" && cp -L "$RGRID_BUILD"/{rgrid,rgridd,rgrid-worker,src/main/rgrid-sandbox-init} "$TEST_DIR/bin/"
	RGRIDD=$TEST_DIR/bin/rgridd
	GRID_DATA_DIR=$GRID_HOME/grid
	grid_start --workers 2 --slots 2
	check "an ordinary user has a grid of his own" as_user
	check_output "  nothing of it runs as root" "$GRID_USER" users_of_grid
	check "  Ctrl-C ends it" grid_stop
	check "  no process is left" grid_nothing_left
else
	skip "an ordinary user has a grid of his own" "all of the above ran as one"
fi
tap_end
