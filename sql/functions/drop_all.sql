-- Functions are re-created by every migration: what no file defines any more is gone. Only what the
-- schema itself is built upon stays.

DO $drop_all$
DECLARE
	old record;
BEGIN
	FOR old IN
		SELECT p.oid::regprocedure AS signature
		FROM pg_catalog.pg_proc p
		WHERE p.pronamespace IN ('rg'::regnamespace, 'rg_worker'::regnamespace)
			AND p.proname NOT IN ('id_floor', 'new_id', 'worker_state_guard')
	LOOP
		EXECUTE pg_catalog.format('DROP FUNCTION %s', old.signature);
	END LOOP;
END
$drop_all$;

-- Nothing made from here on is for everybody.
ALTER DEFAULT PRIVILEGES REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;
