#!/bin/bash
# A worker enrols over TLS at a real PostgreSQL that it knows by its CA alone, goes on under its own login
# after a restart, and says what is wrong where something is.
cd "$(dirname "$0")/../.." || exit 1
if [ -z "${RGRID_TEST_CONNINFO:-}" ]; then
	DIR=$(mktemp -d /tmp/rgrid-tls-XXXXXX)
	chmod 755 "$DIR"
	# An address of its own in 127/8, so that the usual port is free there.
	ADDRESS=127.$((RANDOM % 250 + 1)).$((RANDOM % 250 + 1)).$((RANDOM % 250 + 1))
	tests/tools/make-certificates "$DIR" "$ADDRESS" >/dev/null 2>&1 || exit 1
	printf 'local all all trust\nhostssl all all 127.0.0.0/8 scram-sha-256\n' >"$DIR/hba"
	[ "$(id -u)" -ne 0 ] || chown postgres "$DIR/server.key"
	export DIR ADDRESS
	RGRID_TEST_PG_OPTIONS="-c listen_addresses=$ADDRESS -c ssl=on -c ssl_cert_file=$DIR/server.crt \
		-c ssl_key_file=$DIR/server.key -c hba_file=$DIR/hba" tests/with-postgres "$0" "$@"
	status=$?
	rm -rf "$DIR"
	exit "$status"
fi
# shellcheck source=tests/tap.sh
. tests/tap.sh
# shellcheck source=tests/worker/worker.sh
. tests/worker/worker.sh
tap_begin
worker_begin

# The API as workers see it: over TLS, with a bundle among its blobs.
more_at_exit() { [ -z "$API_PID" ] || kill "$API_PID" 2>/dev/null; }
API_PID=
printf 'not really programs' >"$TEST_DIR/bundle"
digest=$(sha256sum "$TEST_DIR/bundle" | cut -c1-64)
RGRIDD=$(dirname "$PROGRAM")/rgridd
"$RGRIDD" api --database "${RGRID_TEST_CONNINFO/user=postgres/user=rgrid_api}" --listen "$ADDRESS:0" \
	--tls-file "$DIR/server.pem" --blob-dir "$TEST_DIR/blobs" >"$TEST_DIR/api.log" 2>&1 &
API_PID=$!
api_is_up() { grep -q '"api.ready"' "$TEST_DIR/api.log"; }
check "the API speaks TLS" wait_until 60 api_is_up
API_URL=https://$(sed -n 's/.*"api.ready".*"address":"\([^"]*\)".*/\1/p' "$TEST_DIR/api.log")
mkdir -p "$TEST_DIR/blobs/objects/${digest:0:2}" && cp "$TEST_DIR/bundle" "$TEST_DIR/blobs/objects/${digest:0:2}/${digest:2}"
bundle() { # token [curl's options…]
	local token=$1
	shift
	curl -s --noproxy '*' --cacert "$DIR/ca.crt" -H "Authorization: Bearer $token" "$@" "$API_URL/bundle/$digest.tar.gz"
}
bundle_status() { bundle "$1" -o /dev/null -w '%{http_code}'; }

worker_new() { # name
	login=$(store_ask "SELECT login FROM rg.worker_create('$1', 'first')")
	id=${login#rgrid_w}
	store_ask "SELECT rg.worker_must_enrol($id, 600000, 3600000, sha256('token$1'))" >/dev/null
	first="host=$ADDRESS port=5432 dbname=rgrid user=$login password=first"
}
enrol_start() { # name first-login [options…]
	local name=$1
	export RGRID_WORKER_DATABASE=$2
	[ -n "$2" ] || unset RGRID_WORKER_DATABASE
	shift 2
	"$PROGRAM" --name "$name" --state-dir "$TEST_DIR/$name" --api-url "$API_URL" --enrol \
		--ca-file "$DIR/ca.crt" "$@" >>"$WORKER_LOG" 2>&1 &
	WORKER_PID=$!
	unset RGRID_WORKER_DATABASE
}
enrol_exit() { # its exit status; its last words in $TEST_DIR/said
	: >"$WORKER_LOG"
	enrol_start "$@"
	local status=0
	worker_wait || status=$?
	cp "$WORKER_LOG" "$TEST_DIR/said"
	return "$status"
}
says() { grep -F -- "$1" "$TEST_DIR/said" || { cat "$TEST_DIR/said"; return 1; }; }

worker_new w1
check_output "a machine's token fetches its bundle" "not really programs" bundle tokenw1
check_output "… by range, to go on where it broke off" "programs" bundle tokenw1 -r 11-
check_output "… another token does not" 401 bundle_status other
check_output "… nor does none" 401 bundle_status ""
check_exit 60 "who does not know the CA is not served" bundle tokenw1 --cacert "$DIR/other.crt"
plain() { ! curl -s --noproxy '*' "${API_URL/https/http}/livez" | grep ok; }
check "… nor who speaks no TLS" plain
# systemd's side of the watchdog.
python3 - "$TEST_DIR/notify" >"$TEST_DIR/notified" 2>&1 <<'PY' &
import os, socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(sys.argv[1])
os.chmod(sys.argv[1], 0o777)
s.settimeout(120)
while True:
    try:
        text = s.recv(4096).decode()
    except TimeoutError:
        break
    print(text, flush=True)
    if text == "end":
        break
PY
listener=$!
notify_ready() { [ -S "$TEST_DIR/notify" ]; }
check "(systemd's socket stands)" wait_until 60 notify_ready
export NOTIFY_SOCKET=$TEST_DIR/notify WATCHDOG_USEC=1000000 WATCHDOG_PID=1
enrol_start w1 "$first"
unset NOTIFY_SOCKET WATCHDOG_USEC WATCHDOG_PID
check "a worker enrols over TLS and joins" wait_until 60 worker_is_active w1
check_output "… which is written down" 1 store_ask \
	"SELECT count(*) FROM rg.event WHERE kind = 'worker.enrolled' AND worker_id = $id AND reason LIKE 'from 127.%'"
check_output "… its session is encrypted" t store_ask \
	"SELECT bool_and(s.ssl) FROM pg_stat_activity a JOIN pg_stat_ssl s USING (pid) WHERE a.usename = '$login'"
check_output "the token is dead as well" 403 bundle_status tokenw1
check_output "… and says who showed it" 1 store_ask "SELECT count(*) FROM rg.event
	WHERE kind = 'worker.stale_user_data' AND worker_id = $id AND reason LIKE '%asked for from 127.%'"
job=$(job_submit python 'open("out.txt", "w").write("made")')
check "a job's output goes to the API over TLS" job_ended "$job" '1 1'
check_output "… where it is" 1 store_ask "SELECT count(*) FROM rg.artifact WHERE job_id = $job AND path = 'out.txt'"
check "it says READY" wait_until 30 grep -qx READY=1 "$TEST_DIR/notified"
check "… and feeds the watchdog from its loop" wait_until 30 grep -qx WATCHDOG=1 "$TEST_DIR/notified"
check_output "its login is for its owner only" "600 $(id -u)" stat -c '%a %u' "$TEST_DIR/w1/login"
check "the first login is dead" bash -c "! psql -X '$first sslmode=require' -c 'SELECT 1' 2>'$TEST_DIR/said'"
check "… as its password is wrong" says "password authentication failed"
check "the own password stands in no log" not_logged "$(sed -n "s/.*password='\([^']*\)'.*/\1/p" "$TEST_DIR/w1/login")"
worker_kill KILL
wait "$WORKER_PID" 2>/dev/null
enrol_start w1 ""
check "after a restart it goes on under its own login, without the first" wait_until 60 worker_is_active w1
worker_kill KILL
wait "$WORKER_PID" 2>/dev/null
perl -MSocket -e 'socket(S, AF_UNIX, SOCK_DGRAM, 0); send(S, "end", 0, sockaddr_un($ARGV[0]))' "$TEST_DIR/notify"
wait "$listener"

# What can be wrong
hba() { # how workers log in from then on
	printf 'local all all trust\nhostssl all all 127.0.0.0/8 %s\n' "$1" >"$DIR/hba"
	hba_loaded=$(store_ask 'SELECT pg_conf_load_time()')
	store_ask 'SELECT pg_reload_conf()' >/dev/null
	wait_until 60 hba_is_reloaded
}
hba_is_reloaded() { [ "$(store_ask 'SELECT pg_conf_load_time()')" != "$hba_loaded" ]; }
mv "$TEST_DIR/w1" "$TEST_DIR/w1.gone"
check_exit 4 "a stolen first login is worth nothing afterwards" enrol_exit w1 "$first"
check "… which is said" says "refuses the login"
hba reject
check_exit 4 "a database that lets nobody in is not waited for as one that is away" \
	enrol_exit w1 "$first" --give-up-after 30m --give-up-refused-after 1s
check "… which is said" says "pg_hba.conf rejects connection"
worker_new w3
: >"$WORKER_LOG"
enrol_start w3 "$first"
check "… at once, at least: the rule may be on its way" wait_until 60 grep -q waiting_to_enrol "$WORKER_LOG"
check "(it comes)" hba scram-sha-256
check "… and lets in who has waited" wait_until 60 worker_is_active w3
worker_kill KILL
wait "$WORKER_PID" 2>/dev/null
check_exit 2 "a machine without any login ends" enrol_exit w9 ""
check "… and says so" says "was given none"
worker_new w2
check_exit 2 "another CA's database is refused" enrol_exit w2 "$first" --ca-file "$DIR/other.crt"
check "… and named as such" says "is not who it should be"
check_exit 2 "… as is one under another name" enrol_exit w2 "${first/host=$ADDRESS/host=localhost hostaddr=$ADDRESS}"
check "(a database that wants no proof)" hba trust
check_exit 2 "… is refused: it may have nobody's passwords" enrol_exit w2 "$first"
check "… and named as such" says "is not who it should be"
check "(and one that does)" hba scram-sha-256
check_output "… and none has cost the login" t store_ask "SELECT enrolled_at IS NULL FROM rg.worker WHERE id = $id"
check_exit 7 "a database that is away is waited for, and then given up" \
	enrol_exit w2 "${first/port=5432/port=1}" --give-up-after 1s
check "… with the reason" says "not reachable"
enrol_start w2 "$first" --give-up-after 3s
check "(the next one is in)" wait_until 60 worker_is_active w2
store_ask "ALTER ROLE $login NOLOGIN; SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '$login'" >/dev/null
wait_until 90 worker_is_gone >/dev/null
check_exit 7 "who has lost the grid for too long ends by itself" worker_wait
store_ask "ALTER ROLE $login LOGIN" >/dev/null
enrol_start w2 "" --give-up-after 30m --give-up-refused-after 2s
check "(it comes back)" wait_until 60 worker_is_active w2
store_ask "ALTER ROLE $login NOLOGIN; SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '$login'" >/dev/null
wait_until 90 worker_is_gone >/dev/null
check_exit 4 "who is refused by a grid that answers ends much sooner" worker_wait
tap_end
