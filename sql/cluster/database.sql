-- Takes from PUBLIC what a worker's login must not have in this database. Run last, as whoever
-- migrates. The second half changes objects of pg_catalog: only a superuser can; without one it is
-- left undone, which costs defence in depth (a stolen worker login could take advisory locks, or
-- run DO blocks).

DO $database$
DECLARE
	wanted record;
BEGIN
	EXECUTE pg_catalog.format('REVOKE ALL ON DATABASE %I FROM PUBLIC', pg_catalog.current_database());
	EXECUTE pg_catalog.format(
		'GRANT CONNECT ON DATABASE %I TO rgrid_owner, rgrid_api, rgrid_orchestrator, rgrid_worker',
		pg_catalog.current_database());

	IF pg_catalog.pg_has_role(current_user,
			(SELECT nspowner FROM pg_catalog.pg_namespace WHERE nspname = 'public'), 'USAGE') THEN
		REVOKE ALL ON SCHEMA public FROM PUBLIC;
	END IF;

	IF NOT (SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = current_user) THEN
		RETURN;
	END IF;
	REVOKE USAGE ON LANGUAGE plpgsql, sql FROM PUBLIC;
	GRANT USAGE ON LANGUAGE plpgsql, sql TO rgrid_owner;
	FOR wanted IN
		SELECT p.oid::regprocedure AS signature,
			p.proname LIKE '%advisory%' AS is_lock
		FROM pg_catalog.pg_proc p
		WHERE p.pronamespace = 'pg_catalog'::regnamespace
			AND (p.proname LIKE 'pg\_advisory%' OR p.proname LIKE 'pg\_try\_advisory%'
				OR p.proname LIKE 'lo\_%' OR p.proname IN ('loread', 'lowrite', 'pg_notify'))
	LOOP
		EXECUTE pg_catalog.format('REVOKE EXECUTE ON FUNCTION %s FROM PUBLIC', wanted.signature);
		IF wanted.is_lock THEN
			EXECUTE pg_catalog.format(
				'GRANT EXECUTE ON FUNCTION %s TO rgrid_owner, rgrid_api, rgrid_orchestrator',
				wanted.signature);
		END IF;
	END LOOP;
	GRANT EXECUTE ON FUNCTION pg_catalog.pg_notify(text, text) TO rgrid_api, rgrid_orchestrator;
	-- To end the sessions of a worker whose login is dropped.
	GRANT pg_signal_backend TO rgrid_owner;
END
$database$;
