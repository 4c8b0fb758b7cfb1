-- The cluster's roles, made if absent. Run as whoever migrates: a superuser, or the owner of the
-- database with CREATEROLE. Passwords are not set here.

DO $roles$
DECLARE
	wanted record;
BEGIN
	FOR wanted IN
		SELECT * FROM (VALUES
			('rgrid_owner', 'NOLOGIN CREATEROLE'),  -- owns every object; nobody logs in as it
			('rgrid_api', 'LOGIN'),
			('rgrid_orchestrator', 'LOGIN'),
			('rgrid_worker', 'NOLOGIN')             -- group of all workers' logins
		) AS v (name, attributes)
	LOOP
		BEGIN
			IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = wanted.name) THEN
				EXECUTE pg_catalog.format('CREATE ROLE %I %s', wanted.name, wanted.attributes);
				-- A statement of theirs that takes longer holds up everybody else.
				IF wanted.attributes = 'LOGIN' THEN
					EXECUTE pg_catalog.format('ALTER ROLE %I SET statement_timeout = ''60s''', wanted.name);
				END IF;
			END IF;
		EXCEPTION WHEN duplicate_object OR unique_violation THEN
			NULL; -- another database of the cluster is being migrated at this moment
		END;
	END LOOP;

	-- Membership lets the migration act as the owner, and the owner make workers' logins.
	IF NOT pg_catalog.pg_has_role(current_user, 'rgrid_owner', 'MEMBER') THEN
		EXECUTE pg_catalog.format('GRANT rgrid_owner TO %I', current_user);
	END IF;
	IF NOT EXISTS (SELECT FROM pg_catalog.pg_auth_members
			WHERE roleid = 'rgrid_worker'::regrole AND member = 'rgrid_owner'::regrole
			AND admin_option) THEN
		GRANT rgrid_worker TO rgrid_owner WITH ADMIN OPTION;
	END IF;

	EXECUTE pg_catalog.format('GRANT CREATE, CONNECT ON DATABASE %I TO rgrid_owner',
		pg_catalog.current_database());
END
$roles$;
