-- Workers as the orchestrator sees them: each has a row, and a login of its own that can do nothing
-- but call the functions of rg_worker.

-- p_password: the login's first password, or a SCRAM verifier of it. Fails with 23505 when the name
-- is taken.
CREATE FUNCTION rg.worker_create(p_name text, p_password text, OUT id bigint, OUT login text)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	id := rg.new_id();
	login := 'rgrid_w' || id;
	INSERT INTO rg.worker (id, name, login) VALUES (id, p_name, login);
	EXECUTE format('CREATE ROLE %I LOGIN CONNECTION LIMIT 4 PASSWORD %L IN ROLE rgrid_worker',
		login, p_password);
	EXECUTE format('ALTER ROLE %I SET statement_timeout = ''30s''', login);
	EXECUTE format('ALTER ROLE %I SET lock_timeout = ''20s''', login);
	EXECUTE format('ALTER ROLE %I SET idle_in_transaction_session_timeout = ''15s''', login);
END
$$;

-- Drops a worker's login, and ends its sessions as far as the owner may.
CREATE FUNCTION rg.login_drop(p_login text) RETURNS void
LANGUAGE plpgsql
AS $$
BEGIN
	IF NOT EXISTS (SELECT FROM pg_roles r WHERE r.rolname = p_login) THEN
		RETURN;
	END IF;
	EXECUTE format('ALTER ROLE %I NOLOGIN', p_login);
	IF pg_has_role(current_user, 'pg_signal_backend', 'MEMBER') THEN
		PERFORM pg_terminate_backend(s.pid) FROM pg_stat_activity s WHERE s.usename = p_login;
	END IF;
	EXECUTE format('DROP ROLE %I', p_login);
END
$$;

-- Drops logins of workers that have ended by themselves (they cannot drop their own), or by an
-- operator: for ten seconds such a one may still hear that it has ended, which it learns from a
-- refused heartbeat, and stop its jobs. Cut off at once it would go on until it fences itself.
CREATE FUNCTION rg.logins_sweep() RETURNS void
LANGUAGE plpgsql
AS $$
BEGIN
	PERFORM rg.login_drop(w.login)
	FROM pg_auth_members m
	JOIN pg_roles r ON r.oid = m.member
	JOIN rg.worker w ON w.login = r.rolname
	WHERE m.roleid = 'rgrid_worker'::regrole AND w.state IN (4, 5, 6)
		AND (w.ended_at < clock_timestamp() - interval '10 s'
			OR NOT EXISTS (SELECT FROM pg_stat_activity s WHERE s.usename = w.login))
	LIMIT 20;
END
$$;

-- The end of a worker: p_state is 4 terminated, 5 dead, or 6 failed, which becomes dead if it has
-- come up after all. Its leases are lost, its login is dropped. May be repeated; the first end
-- stays. Returns the number of leases lost.
CREATE FUNCTION rg.worker_dead(p_worker bigint, p_reason text, p_state smallint) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_mergejoin = off
SET enable_hashjoin = off SET jit = off
AS $$
DECLARE
	v_login text;
	v_lost  bigint;
BEGIN
	IF p_state IS NULL OR p_state NOT IN (4, 5, 6) THEN
		RAISE EXCEPTION 'a worker ends as terminated, dead or failed' USING ERRCODE = 'RG422';
	END IF;
	PERFORM pg_advisory_xact_lock(p_worker);
	SELECT w.login INTO v_login FROM rg.worker w WHERE w.id = p_worker;
	IF NOT FOUND THEN
		RAISE EXCEPTION 'there is no such worker' USING ERRCODE = 'RG404';
	END IF;
	UPDATE rg.worker w SET
		state = CASE WHEN p_state = 6 AND w.state <> 1 THEN 5 ELSE p_state END, ended_at = now(),
		reason = left(p_reason, 500), blob_key_sha256 = NULL
	WHERE w.id = p_worker AND w.state IN (1, 2, 3);
	IF FOUND THEN
		INSERT INTO rg.event (kind, worker_id, reason)
		VALUES (CASE p_state WHEN 4 THEN 'worker.terminated' WHEN 5 THEN 'worker.dead'
			ELSE 'worker.failed' END, p_worker, left(p_reason, 500));
	END IF;
	v_lost := rg.leases_lose(p_worker, left(p_reason, 500));
	PERFORM rg.login_drop(v_login);
	RETURN v_lost;
END
$$;
