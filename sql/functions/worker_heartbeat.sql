-- "I am alive, and hold these attempts." The first row of the answer has no job and says whether to
-- drain; each other names an attempt to stop: cancelled by wish, or (cancelled false) not the caller's.
-- A lease that the worker does not name was claimed by an answer that never arrived, unless it is young:
-- after 15 s the job is given back. So an attempt must be named until its end is acknowledged.
CREATE FUNCTION rg_worker.heartbeat(p_incarnation integer, p_job bigint[], p_attempt integer[],
	p_token bigint[])
RETURNS TABLE (job_id bigint, attempt integer, cancelled boolean, drain boolean)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_mergejoin = off
SET enable_hashjoin = off SET jit = off
AS $$
#variable_conflict use_column
DECLARE
	v_worker bigint;
	v_state  smallint;
	v_job    bigint[];
	v_token  bigint[];
BEGIN
	PERFORM rg.check_arrays(4096, cardinality(p_job), cardinality(p_attempt), cardinality(p_token));
	SELECT s.worker_id, s.state INTO v_worker, v_state FROM rg.session_worker(p_incarnation) AS s;
	-- The row's lock decides between us and a rescue.
	UPDATE rg.worker w SET last_seen = clock_timestamp()
	WHERE w.id = v_worker AND w.incarnation = p_incarnation AND w.state IN (2, 3);
	IF NOT FOUND THEN
		RAISE EXCEPTION 'this worker was given up' USING ERRCODE = 'RG403';
	END IF;

	SELECT array_agg(l.job_id), array_agg(l.token) INTO v_job, v_token
	FROM rg.lease l
	WHERE l.worker_id = v_worker AND l.incarnation = p_incarnation
		AND l.claimed_at < clock_timestamp() - interval '15 s'
		AND NOT EXISTS (SELECT FROM unnest(p_job, p_token) AS i (job_id, token)
			WHERE i.job_id = l.job_id AND i.token = l.token);
	IF v_job IS NOT NULL THEN
		PERFORM rg.leases_give_back(v_job, v_token);
	ELSE
		-- Nothing but last_seen would be lost in a crash. (A function attribute would be reset before
		-- the commit.)
		PERFORM set_config('synchronous_commit', 'off', true);
	END IF;

	RETURN QUERY SELECT NULL::bigint, NULL::integer, false, v_state = 3;
	RETURN QUERY
	SELECT i.job_id, i.attempt, c.job_id IS NOT NULL AND l.job_id IS NOT NULL, v_state = 3
	FROM unnest(p_job, p_attempt, p_token) AS i (job_id, attempt, token)
	LEFT JOIN rg.lease l ON l.job_id = i.job_id AND l.attempt = i.attempt AND l.token = i.token
		AND l.worker_id = v_worker AND l.incarnation = p_incarnation
	LEFT JOIN rg.cancel_request c ON c.job_id = i.job_id
	WHERE l.job_id IS NULL OR c.job_id IS NOT NULL;
END
$$;
