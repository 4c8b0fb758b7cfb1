#!/usr/bin/env bash
# What the roles of the grid may do in its database, and above all what a stolen login of a worker cannot.
set -u
cd "$(dirname "$0")/../.." || exit 1
if [ -z "${RGRID_TEST_CONNINFO-}" ]; then
	exec tests/with-postgres "$0" "$@"
fi
. tests/tap.sh
. tests/store/store.sh
tap_begin
store_migrate
worker=$(store_ask "SELECT login FROM rg.worker_create('thief', 'secret')")
victim=$(store_ask "SELECT login FROM rg.worker_create('victim', 'secret')")
store_ask "DROP SCHEMA t CASCADE" 2>/dev/null

denied() { # login SQL
	local answer
	if answer=$(store_ask_as "$1" "$2" 2>&1); then
		echo "it was allowed: $answer"
		return 1
	fi
	case $answer in
	*"permission denied"* | *"must be "*) ;;
	*)
		echo "$answer"
		return 1
		;;
	esac
}

# Lists

check_output "a worker may execute exactly these functions" \
	"artifacts_add enrol heartbeat join leave log_append release step" \
	store_ask "SELECT string_agg(p.proname, ' ' ORDER BY p.proname COLLATE \"C\") FROM pg_proc p
		WHERE p.pronamespace::regnamespace::text NOT IN ('pg_catalog', 'information_schema')
		AND has_function_privilege('$worker', p.oid, 'EXECUTE')
		AND has_schema_privilege('$worker', p.pronamespace, 'USAGE')"
check_output "a worker has no right on any table, view or sequence" "" \
	store_ask "SELECT string_agg(c.oid::regclass::text, ' ') FROM pg_class c
		WHERE c.relnamespace::regnamespace::text NOT IN ('pg_catalog', 'information_schema', 'pg_toast')
		AND c.relkind IN ('r', 'v', 'm', 'p', 'S', 'f')
		AND CASE WHEN c.relkind = 'S' THEN has_sequence_privilege('$worker', c.oid, 'USAGE, SELECT, UPDATE')
			ELSE has_table_privilege('$worker', c.oid, 'SELECT, INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER')
			OR has_any_column_privilege('$worker', c.oid, 'SELECT, INSERT, UPDATE, REFERENCES') END"
check_output "a worker may enter no schema but rg_worker, and create in none" "rg_worker" \
	store_ask "SELECT string_agg(nspname, ' ') FROM pg_namespace
		WHERE nspname NOT IN ('pg_catalog', 'information_schema') AND nspname NOT LIKE 'pg\_t%'
		AND (has_schema_privilege('$worker', oid, 'USAGE') OR has_schema_privilege('$worker', oid, 'CREATE'))"
check_output "a worker may connect to the database, and nothing else" "t f f" \
	store_ask "SELECT format('%s %s %s', has_database_privilege('$worker', current_database(), 'CONNECT'),
		has_database_privilege('$worker', current_database(), 'TEMP'),
		has_database_privilege('$worker', current_database(), 'CREATE'))"
check_output "a worker's login is a plain one, with few connections, in one group" "f f f f f 4 rgrid_worker" \
	store_ask "SELECT format('%s %s %s %s %s %s %s', rolsuper, rolcreaterole, rolcreatedb, rolreplication,
		rolbypassrls, rolconnlimit, (SELECT string_agg(roleid::regrole::text, ' ') FROM pg_auth_members
			WHERE member = r.oid)) FROM pg_roles r WHERE rolname = '$worker'"
check_output "nobody logs in as the owner or the group" "f f" \
	store_ask "SELECT string_agg(rolcanlogin::text, ' ') FROM (SELECT left(rolcanlogin::text, 1) AS rolcanlogin
		FROM pg_roles WHERE rolname IN ('rgrid_owner', 'rgrid_worker')) AS r"
check_output "of large objects and advisory locks a worker may execute nothing" "" \
	store_ask "SELECT string_agg(p.oid::regprocedure::text, ' ') FROM pg_proc p
		WHERE (p.proname LIKE '%advisory%' OR p.proname LIKE 'lo\_%' OR p.proname IN ('loread', 'lowrite'))
		AND has_function_privilege('$worker', p.oid, 'EXECUTE')"
check_output "PUBLIC may execute no function of the grid" "" \
	store_ask "SELECT string_agg(p.oid::regprocedure::text, ' ') FROM pg_proc p
		WHERE p.pronamespace IN ('rg'::regnamespace, 'rg_worker'::regnamespace)
		AND (p.proacl IS NULL OR EXISTS (SELECT FROM aclexplode(p.proacl) a WHERE a.grantee = 0))"
check_output "every granted function runs as its owner and pins its search path" "" \
	store_ask "SELECT string_agg(p.oid::regprocedure::text, ' ') FROM pg_proc p
		WHERE p.pronamespace IN ('rg'::regnamespace, 'rg_worker'::regnamespace)
		AND EXISTS (SELECT FROM aclexplode(p.proacl) a WHERE a.grantee <> p.proowner)
		AND p.proname NOT IN ('new_id', 'id_floor')
		AND NOT (p.prosecdef AND p.proconfig @> ARRAY['search_path=pg_catalog, pg_temp'])"
check_output "every function that runs as its owner is granted to somebody" "" \
	store_ask "SELECT string_agg(p.oid::regprocedure::text, ' ') FROM pg_proc p
		WHERE p.pronamespace IN ('rg'::regnamespace, 'rg_worker'::regnamespace) AND p.prosecdef
		AND NOT EXISTS (SELECT FROM aclexplode(p.proacl) a WHERE a.grantee <> p.proowner)"
check_output "everything belongs to rgrid_owner" "" \
	store_ask "SELECT string_agg(name, ' ') FROM (
		SELECT oid::regclass::text AS name, relowner AS owner, relnamespace AS space FROM pg_class
		UNION ALL SELECT oid::regprocedure::text, proowner, pronamespace FROM pg_proc
		UNION ALL SELECT nspname, nspowner, oid FROM pg_namespace) AS o
		WHERE space IN ('rg'::regnamespace, 'rg_worker'::regnamespace, 'rg_meta'::regnamespace)
		AND owner <> 'rgrid_owner'::regrole"
check_output "the API writes accounts only" "api_key blob project" \
	store_ask "SELECT string_agg(relname, ' ' ORDER BY relname) FROM pg_class
		WHERE relnamespace = 'rg'::regnamespace AND relkind = 'r'
		AND has_table_privilege('rgrid_api', oid, 'UPDATE, DELETE, TRUNCATE')"

# Attempts

check "a worker joins" store_ask_as "$worker" \
	"SELECT * FROM rg_worker.join(1, 1, 1, 'h', 'v', '{}', decode(repeat('00', 32), 'hex'))"
for table in job lease worker api_key log_chunk batch; do
	check "a worker cannot read rg.$table" denied "$worker" "SELECT * FROM rg.$table"
done
check "… nor use the functions behind its own" denied "$worker" "SELECT rg.attempts_end('{}')"
check "… nor those of the orchestrator" denied "$worker" "SELECT rg.tick()"
check "… nor submit" denied "$worker" "SELECT rg.submit(1, NULL, '{}', '{}', '{}', '{}')"
check "… nor make a temporary table" denied "$worker" "CREATE TEMP TABLE x (n int)"
check "… nor a table in public" denied "$worker" "CREATE TABLE public.x (n int)"
check "… nor a schema" denied "$worker" "CREATE SCHEMA x"
check "… nor a function in the place that its functions search" denied "$worker" \
	"CREATE FUNCTION pg_catalog.now2() RETURNS int LANGUAGE sql RETURN 1"
check "… nor run a DO block" denied "$worker" "DO 'BEGIN END'"
check "… nor take an advisory lock" denied "$worker" "SELECT pg_advisory_lock(1)"
check "… nor try to" denied "$worker" "SELECT pg_try_advisory_xact_lock_shared(1, 2)"
check "… nor make a large object" denied "$worker" "SELECT lo_create(0)"
check "… nor notify by function" denied "$worker" "SELECT pg_notify('rg_wake', '')"
check "… nor become the owner" denied "$worker" "SET ROLE rgrid_owner"
check "… nor another worker" denied "$worker" "SET SESSION AUTHORIZATION $victim"
check "… nor change its password" denied "$worker" "ALTER ROLE $victim PASSWORD 'mine'"
check "… nor make logins" denied "$worker" "CREATE ROLE x LOGIN"
coproc psql -X -q -d "${RGRID_TEST_CONNINFO/user=postgres/user=rgrid_api}"
api_is_connected() { store_ask "SELECT 1 FROM pg_stat_activity WHERE usename = 'rgrid_api'" | grep -q 1; }
check "(the API is connected)" wait_until 10 api_is_connected
check "… nor end the sessions of others" denied "$worker" \
	"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'rgrid_api'"
echo '\q' >&"${COPROC[1]}"
check "… nor read passwords" denied "$worker" "SELECT rolpassword FROM pg_authid"
check "… nor files" denied "$worker" "SELECT pg_read_file('/etc/passwd')"
check "… nor run programs" denied "$worker" "COPY (SELECT 1) TO PROGRAM 'true'"
check "a worker may change its own password" store_ask_as "$worker" "ALTER ROLE $worker PASSWORD 'new'"

check "the API cannot make workers" denied rgrid_api "SELECT rg.worker_create('x', 'y')"
check "… nor tick" denied rgrid_api "SELECT rg.tick()"
check "… nor write the queue" denied rgrid_api "DELETE FROM rg.lease"
check "… nor call what workers call" denied rgrid_api "SELECT rg_worker.leave(1, '')"
check "the API submits" store_ask_as rgrid_api \
	"INSERT INTO rg.project (id, name) VALUES (9, 'nine');
	SELECT rg.submit(9, NULL, '{\"{}\"}', '{NULL}', '{NULL}', '{0}')"
check "the orchestrator ticks" store_ask_as rgrid_orchestrator "SELECT rg.tick()"
check "… and makes and ends workers" store_ask_as rgrid_orchestrator \
	"SELECT rg.worker_dead(id, 'test', 4::int2) FROM rg.worker_create('x', 'y')"
store_ask 'SET ROLE rgrid_owner; CREATE FUNCTION rg_worker.later() RETURNS int LANGUAGE sql RETURN 1'
check "a function made later is not for PUBLIC either" denied "$worker" "SELECT rg_worker.later()"
tap_end
