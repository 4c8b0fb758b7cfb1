#!/usr/bin/env bash
# Enrolment as the database sees it: what the first login may do, that it is dead afterwards, that there is
# one winner, and what a stale token leaves behind. With passwords, over the private socket.
set -u
cd "$(dirname "$0")/../.." || exit 1
if [ -z "${RGRID_TEST_CONNINFO-}" ]; then
	HBA=$(mktemp /tmp/rgrid-hba-XXXXXX)
	printf 'local all postgres trust\nlocal all all scram-sha-256\n' >"$HBA"
	chmod 644 "$HBA"
	RGRID_TEST_PG_OPTIONS="-c hba_file=$HBA" tests/with-postgres "$0" "$@"
	status=$?
	rm -f "$HBA"
	exit "$status"
fi
. tests/tap.sh
. tests/store/store.sh
tap_begin
store_migrate

# The verifier of a password, made by PostgreSQL itself.
verifier() {
	store_ask "BEGIN; CREATE ROLE rgrid_scratch PASSWORD '$1';
		SELECT rolpassword FROM pg_authid WHERE rolname = 'rgrid_scratch'; ROLLBACK"
}
as() { # password SQL
	PGPASSWORD=$1 store_ask_as "$login" "$2"
}
refuses() { # text command…
	local text=$1 answer
	shift
	if answer=$("$@" 2>&1); then
		echo "it was allowed: $answer"
		return 1
	fi
	[[ $answer == *"$text"* ]] || { echo "$answer"; return 1; }
}
worker_new() { # name [start-ms]
	login=$(store_ask "SELECT login FROM rg.worker_create('$1', '$(verifier first)')")
	id=${login#rgrid_w}
	store_ask "SELECT rg.worker_must_enrol($id, ${2:-600000}, 3600000, sha256('token of $1'))" >/dev/null
}
events() { store_ask "SELECT count(*) FROM rg.event WHERE worker_id = $id AND kind = '$1'"; }
bundle() { store_ask_as rgrid_api "SELECT rg.bundle_token_check(sha256('$1'), '${2:-10.0.1.9}')"; }
store_ask "ALTER ROLE rgrid_api PASSWORD 'api'; ALTER ROLE rgrid_orchestrator PASSWORD 'api'"
export PGPASSWORD=api
join="SELECT rg_worker.join(1, 1000, 1, 'h', 'v', '{}', sha256('x'))"
own=$(verifier own)

worker_new w1
check_output "the first login ends with the time to start" t store_ask \
	"SELECT rolvaliduntil BETWEEN now() + interval '9 min' AND now() + interval '11 min' FROM pg_roles WHERE rolname = '$login'"
check "before enrolment it cannot join" refuses "has not enrolled" as first "$join"
check "… nor step" refuses "no longer part" as first \
	"SELECT rg_worker.step(0, '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', 1, 0)"
check "… nor beat" refuses "no longer part" as first "SELECT rg_worker.heartbeat(0, '{}', '{}', '{}')"
check "… nor leave" refuses "no longer part" as first "SELECT rg_worker.leave(0, '')"
store_ask "SELECT rg.worker_drain($id, 'test')" >/dev/null
check "… not even when it is draining: beat" refuses "since it joined" as first \
	"SELECT rg_worker.heartbeat(0, '{}', '{}', '{}')"
check "… leave" refuses "no longer part" as first "SELECT rg_worker.leave(0, '')"
check_output "its token fetches the bundle" 1 bundle "token of w1"
check_output "… again, as after a broken download" 1 bundle "token of w1"
check "a plain password is no verifier" refuses "SCRAM-SHA-256" as first "SELECT rg_worker.enrol('secret')"
check "… nor is one with more behind it" refuses "SCRAM-SHA-256" as first "SELECT rg_worker.enrol('$own'' VALID UNTIL')"
check "… nor nothing" refuses "SCRAM-SHA-256" as first "SELECT rg_worker.enrol(NULL)"
check_output "it enrols" t as first "SELECT rg_worker.enrol('$own')"
check "the first password is dead" refuses "password authentication failed" as first "SELECT 1"
check_output "its own is not" 1 as own "SELECT 1"
check_output "the login ends at the worker's greatest age" t store_ask \
	"SELECT rolvaliduntil BETWEEN now() + interval '59 min' AND now() + interval '61 min' FROM pg_roles WHERE rolname = '$login'"
check_output "an event tells of it" 1 events worker.enrolled
check_output "a second enrolment is refused" f as own "SELECT rg_worker.enrol('$(verifier other)')"
check_output "… again" f as own "SELECT rg_worker.enrol('$(verifier other)')"
check_output "… and the password stays" 1 as own "SELECT 1"
check_output "… it leaves one event in a minute, not one for each" 1 events worker.enrol_refused
check_output "its token is stale" 2 bundle "token of w1"
check_output "… which says who asked" "its bundle was asked for from 10.0.1.9" store_ask \
	"SELECT reason FROM rg.event WHERE worker_id = $id AND kind = 'worker.stale_user_data'"
check_output "a token of nobody is none" 0 bundle "token of nobody"
check_output "… nor is nothing" "0" store_ask_as rgrid_api "SELECT rg.bundle_token_check(NULL, NULL)"
check "an enrolled worker joins" as own "$join"
check "it cannot be made to enrol again" refuses "is to enrol already" store_ask_as rgrid_orchestrator \
	"SELECT rg.worker_must_enrol($id, 1, 1, NULL)"
check "the API cannot ask for enrolments" refuses "permission denied" store_ask_as rgrid_api \
	"SELECT rg.worker_must_enrol($id, 1, 1, NULL)"
check "a worker cannot look at tokens" refuses "permission denied" as own "SELECT rg.bundle_token_check(sha256('x'), '')"

# A pass to the bundle for who becomes no worker
pass_give() { store_ask_as rgrid_orchestrator "SELECT rg.bundle_pass_give(sha256('$1'), $2)"; }
check "a pass is given to one that becomes no worker" pass_give "a pass" 60000
check_output "… and fetches the bundle" 1 bundle "a pass"
check "… which ends by itself" pass_give "a short pass" 0
check_output "… then it is none" 0 bundle "a short pass"
check_output "… or is taken back" "" store_ask_as rgrid_orchestrator "SELECT rg.bundle_pass_take(sha256('a pass'))"
check_output "… and is none at once" 0 bundle "a pass"
check "the API cannot give any" refuses "permission denied" store_ask_as rgrid_api "SELECT rg.bundle_pass_give(sha256('x'), 60000)"
check "… nor can a worker" refuses "permission denied" as own "SELECT rg.bundle_pass_give(sha256('x'), 60000)"
pass_give "another" 60000 >/dev/null
check_output "passes that have ended are swept" 1 store_ask "SELECT count(*) FROM rg.bundle_pass"

# Ten at a time: one wins
worker_new w2
store_ask "ALTER ROLE $login CONNECTION LIMIT 20"
for i in 1 2 3 4 5 6 7 8 9 10; do
	as first "SELECT rg_worker.enrol('$(verifier "p$i")')" >"$TEST_DIR/race.$i" 2>&1 &
done
wait
check_output "of ten who enrol at once, one does" 1 bash -c "cat '$TEST_DIR'/race.* | grep -cx t"
check_output "… with one event" 1 events worker.enrolled
winner=$(basename "$(grep -lx t "$TEST_DIR"/race.*)")
check_output "… and it is the winner's password that counts" 1 as "p${winner#race.}" "SELECT 1"

# Too late, and gone
worker_new w3
store_ask "UPDATE rg.worker SET enrol_until = now() WHERE id = $id"
check_output "who is late is refused" f as first "SELECT rg_worker.enrol('$own')"
check_output "… its token as well" 2 bundle "token of w3"
worker_new w4 1
check "the first login is dead after the time to start" refuses "password authentication failed" as first "SELECT 1"
worker_new w5
store_ask "SELECT rg.worker_dead($id, 'test', 6::int2)" >/dev/null
check_output "an ended worker has no login" 0 store_ask "SELECT count(*) FROM pg_roles WHERE rolname = '$login'"
check_output "… and its token is stale" 2 bundle "token of w5"
tap_end
