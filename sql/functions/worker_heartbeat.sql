-- "I am alive, and hold these attempts." The first row of the answer has no job and says whether to
-- drain; each other names an attempt to stop: cancelled by wish, or (cancelled false) not the
-- caller's. A lease that the worker does not name was claimed by an answer that never arrived,
-- unless it is young: after 15 s the job is given back. So an attempt must be named until its end
-- is acknowledged.
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
	UPDATE rg.worker w SET last_seen = clock_timestamp(),
		busy_at = CASE WHEN cardinality(p_job) > 0 THEN clock_timestamp() ELSE w.busy_at END
	WHERE w.id = v_worker AND w.incarnation = p_incarnation AND w.state IN (2, 3);
	IF NOT FOUND THEN
		RAISE EXCEPTION 'this worker was given up' USING ERRCODE = 'RG403';
	END IF;

	SELECT array_agg(u.job_id), array_agg(u.token) INTO v_job, v_token FROM (
		SELECT l.job_id, l.token FROM rg.lease l
		WHERE l.worker_id = v_worker AND l.incarnation = p_incarnation
			AND l.claimed_at < clock_timestamp() - interval '15 s'
		EXCEPT SELECT * FROM unnest(p_job, p_token)) AS u;
	IF v_job IS NOT NULL THEN
		PERFORM rg.leases_give_back(v_job, v_token);
	ELSE
		-- Nothing but last_seen would be lost in a crash. (A function attribute would be reset before
		-- the commit.)
		PERFORM set_config('synchronous_commit', 'off', true);
	END IF;

	RETURN QUERY SELECT NULL::bigint, NULL::integer, false, v_state = 3;
	RETURN QUERY
	SELECT i.job_id, i.attempt, i.is_held, v_state = 3
	FROM (SELECT u.job_id, u.attempt,
			EXISTS (SELECT FROM rg.lease l WHERE l.job_id = u.job_id AND l.attempt = u.attempt
				AND l.token = u.token AND l.worker_id + 0 = v_worker
				AND l.incarnation = p_incarnation OFFSET 0) AS is_held,
			EXISTS (SELECT FROM rg.cancel_request c WHERE c.job_id = u.job_id OFFSET 0) AS is_unwanted
		FROM unnest(p_job, p_attempt, p_token) AS u (job_id, attempt, token)) AS i
	WHERE i.is_unwanted OR NOT i.is_held;
END
$$;
