#!/usr/bin/env bash
# tests/with-postgres gives a command a PostgreSQL of its own, and leaves nothing behind.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/tap.sh
tap_begin
export -n RGRID_TEST_CONNINFO

# shellcheck disable=SC2016 # for bash -c
ask='exec psql -X -A -t -d "$RGRID_TEST_CONNINFO" -c "$1"'
is_gone() { # the directory that a conninfo names, and its server
	local directory
	directory=$(sed 's/host=\([^ ]*\).*/\1/' "$1")
	[ -n "$directory" ] && [ ! -e "$directory" ] && ! pgrep -f -- "-k $directory" >/dev/null
}

check_output "the command is a superuser of an empty database" "t rgrid 0" tests/with-postgres bash -c "$ask" _ \
	"SELECT format('%s %s %s', usesuper, current_database(), (SELECT count(*) FROM pg_namespace WHERE nspname LIKE 'rg%'))
		FROM pg_user WHERE usename = current_user"
check_output "or a plain owner of it" "f t t" tests/with-postgres --owner bash -c "$ask" _ \
	"SELECT format('%s %s %s', rolsuper, rolcreaterole, pg_has_role(datdba, 'USAGE'))
		FROM pg_roles, pg_database WHERE rolname = current_user AND datname = current_database()"
check_output "there is no TCP" "" tests/with-postgres bash -c "$ask" _ "SHOW listen_addresses"
check_exit 7 "its exit status is the command's" tests/with-postgres bash -c 'exit 7'
check_exit 2 "no command is an error of usage" tests/with-postgres
check_output "stdin is handed on" "hello" tests/with-postgres cat <<<"hello"
check_output "SIGINT is not ignored by the command" "default" tests/with-postgres \
	bash -c 'trap "echo default; exit 0" INT; kill -INT $$; echo ignored'

# shellcheck disable=SC2016
remember='echo "$RGRID_TEST_CONNINFO" >"$TEST_DIR/conninfo"'
tests/with-postgres bash -c "$remember"
check "afterwards all is gone" is_gone "$TEST_DIR/conninfo"
for signal in TERM INT HUP; do
	rm -f "$TEST_DIR/conninfo" "$TEST_DIR/pid"
	set -m # else our child would ignore SIGINT
	tests/with-postgres bash -c "$remember; echo \$\$ >\"\$TEST_DIR/pid\"; exec sleep 1000" 2>/dev/null &
	set +m
	with_postgres=$!
	check "(started)" wait_until 60 test -s "$TEST_DIR/pid"
	kill -"$signal" "$with_postgres"
	wait "$with_postgres" 2>/dev/null
	check "after SIG$signal all is gone" is_gone "$TEST_DIR/conninfo"
	check_exit 1 "… and the command too" kill -0 "$(cat "$TEST_DIR/pid")"
done

if [ "$(id -u)" -eq 0 ]; then
	check_output "an ordinary user may run it" "t" setpriv --reuid=nobody --regid=nogroup --clear-groups \
		tests/with-postgres bash -c "$ask" _ "SELECT usesuper FROM pg_user WHERE usename = current_user"
fi
tap_end
