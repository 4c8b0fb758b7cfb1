-- Running ended jobs again, as new attempts of the same jobs.

-- Whether a job is queued or running, at the moment that the asking statement looks at everything
-- else (STABLE): a job that ends meanwhile would seem ended, with its last attempt not seen yet.
CREATE FUNCTION rg.job_is_open(p_job bigint, p_batch bigint) RETURNS boolean
LANGUAGE plpgsql STABLE
AS $$
BEGIN
	RETURN EXISTS (SELECT FROM rg.ready r WHERE r.job_id = p_job)
		OR EXISTS (SELECT FROM rg.lease l WHERE l.job_id = p_job)
		OR EXISTS (SELECT FROM rg.delayed d WHERE d.job_id = p_job)
		OR EXISTS (SELECT FROM rg.parked p WHERE p.gate_id = p_batch AND p.job_id = p_job);
END
$$;

-- The new attempt's number. RG404, or RG409 when the job has not ended.
CREATE FUNCTION rg.retry_job(p_project bigint, p_job bigint) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_mergejoin = off
SET enable_hashjoin = off SET jit = off
AS $$
DECLARE
	v_batch   bigint;
	v_attempt integer;
	v_outcome smallint;
BEGIN
	SELECT j.batch_id INTO v_batch FROM rg.job j WHERE j.id = p_job AND j.project_id = p_project;
	IF NOT FOUND THEN
		RAISE EXCEPTION 'there is no such job' USING ERRCODE = 'RG404';
	END IF;
	-- One retry of it at a time.
	IF v_batch IS NOT NULL THEN
		PERFORM pg_advisory_xact_lock(-v_batch);
	ELSE
		PERFORM FROM rg.job j WHERE j.id = p_job FOR NO KEY UPDATE;
	END IF;
	IF rg.job_is_open(p_job, v_batch) THEN
		RAISE EXCEPTION 'the job has not ended' USING ERRCODE = 'RG409',
			HINT = 'cancel it first, or wait for its end';
	END IF;
	SELECT a.attempt, a.outcome INTO STRICT v_attempt, v_outcome
	FROM rg.attempt a WHERE a.job_id = p_job ORDER BY a.attempt DESC LIMIT 1;
	PERFORM rg.jobs_enqueue(p_project, v_batch, ARRAY[p_job], ARRAY[v_attempt + 1]);
	IF v_batch IS NOT NULL THEN
		INSERT INTO rg.batch_delta (batch_id, completed, failed, cancelled)
		VALUES (v_batch, -(v_outcome = 1)::integer, -(v_outcome NOT IN (1, 5))::integer,
			-(v_outcome = 5)::integer);
	END IF;
	RETURN v_attempt + 1;
END
$$;

-- Retries the failed jobs of a batch, and the cancelled ones too if the batch was cancelled as a
-- whole; or, unless p_only_failed, all that have ended. The batch takes jobs again. Returns their
-- number.
CREATE FUNCTION rg.retry_batch(p_project bigint, p_batch bigint, p_only_failed boolean)
RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_was_cancelled boolean;
	v_job           bigint[];
	v_attempt       integer[];
	v_delta         integer[];
BEGIN
	PERFORM pg_advisory_xact_lock(-p_batch);
	SELECT b.cancelled_at IS NOT NULL INTO v_was_cancelled
	FROM rg.batch b WHERE b.id = p_batch AND b.project_id = p_project;
	IF NOT FOUND THEN
		RAISE EXCEPTION 'there is no such batch' USING ERRCODE = 'RG404';
	END IF;
	SELECT array_agg(j.id), array_agg(a.attempt + 1),
		ARRAY[count(*) FILTER (WHERE a.outcome = 1), count(*) FILTER (WHERE a.outcome NOT IN (1, 5)),
			count(*) FILTER (WHERE a.outcome = 5)]
	INTO v_job, v_attempt, v_delta
	FROM rg.job j
	CROSS JOIN LATERAL (
		SELECT l.attempt, l.outcome FROM rg.attempt l WHERE l.job_id = j.id
		ORDER BY l.attempt DESC LIMIT 1) AS a
	WHERE j.batch_id = p_batch
		AND (NOT p_only_failed OR a.outcome NOT IN (1, 5) OR (a.outcome = 5 AND v_was_cancelled))
		AND NOT rg.job_is_open(j.id, p_batch);
	UPDATE rg.batch b SET cancelled_at = NULL WHERE b.id = p_batch AND b.cancelled_at IS NOT NULL;
	IF v_job IS NULL THEN
		RETURN 0;
	END IF;
	PERFORM rg.jobs_enqueue(p_project, p_batch, v_job, v_attempt);
	INSERT INTO rg.batch_delta (batch_id, completed, failed, cancelled)
	VALUES (p_batch, -v_delta[1], -v_delta[2], -v_delta[3]);
	RETURN cardinality(v_job);
END
$$;
