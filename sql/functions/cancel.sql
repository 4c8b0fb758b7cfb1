-- Cancelling. A queued job ends at once; of a running one the worker is told by its heartbeat.

-- Ends queued jobs as cancelled. p_gate: the gate of those that held a place of it.
CREATE FUNCTION rg.attempts_cancel(p_job bigint[], p_attempt integer[], p_gate bigint[],
	p_message text) RETURNS void
LANGUAGE plpgsql
AS $$
BEGIN
	PERFORM rg.attempts_end(array_agg((i.job_id, i.attempt, NULL, NULL, j.batch_id, i.gate_id, 5, NULL,
		p_message, NULL, NULL, NULL, NULL, NULL, NULL)::rg.ended))
	FROM unnest(p_job, p_attempt, p_gate) AS i (job_id, attempt, gate_id)
	CROSS JOIN LATERAL (SELECT q.batch_id FROM rg.job q WHERE q.id = i.job_id OFFSET 0) AS j
	HAVING count(*) > 0;
END
$$;

-- 1: it was queued and is cancelled now; 2: it runs and will be stopped; 3: it had ended before;
-- 0: there is no such job. The caller sends NOTIFY rg_kill after 2.
CREATE FUNCTION rg.cancel_job(p_project bigint, p_job bigint) RETURNS smallint
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_mergejoin = off
SET enable_hashjoin = off SET jit = off
AS $$
DECLARE
	v_batch   bigint;
	v_place   text;
	v_attempt integer;
	v_gate    bigint;
BEGIN
	SELECT j.batch_id INTO v_batch FROM rg.job j WHERE j.id = p_job AND j.project_id = p_project;
	IF NOT FOUND THEN
		RETURN 0;
	END IF;
	-- One snapshot sees the job in one place. If it has moved on when we want to lock it there, look
	-- again: each round means that somebody else has made progress with it.
	LOOP
		SELECT CASE
			WHEN EXISTS (SELECT FROM rg.ready r WHERE r.job_id = p_job) THEN 'ready'
			WHEN EXISTS (SELECT FROM rg.lease l WHERE l.job_id = p_job) THEN 'lease'
			WHEN EXISTS (SELECT FROM rg.delayed d WHERE d.job_id = p_job) THEN 'delayed'
			WHEN EXISTS (SELECT FROM rg.parked p WHERE p.gate_id = v_batch AND p.job_id = p_job)
				THEN 'parked'
			ELSE 'ended' END
		INTO v_place;
		CASE v_place
		WHEN 'ended' THEN
			RETURN 3;
		WHEN 'lease' THEN
			PERFORM FROM rg.lease l WHERE l.job_id = p_job FOR UPDATE;
			IF FOUND THEN
				INSERT INTO rg.cancel_request (job_id) VALUES (p_job) ON CONFLICT DO NOTHING;
				RETURN 2;
			END IF;
			CONTINUE;
		WHEN 'ready' THEN
			DELETE FROM rg.ready r WHERE r.job_id = p_job
			RETURNING r.attempt, r.gate_id INTO v_attempt, v_gate;
		WHEN 'delayed' THEN
			DELETE FROM rg.delayed d WHERE d.job_id = p_job RETURNING d.attempt INTO v_attempt;
		WHEN 'parked' THEN
			DELETE FROM rg.parked p WHERE p.gate_id = v_batch AND p.job_id = p_job
			RETURNING p.attempt INTO v_attempt;
		END CASE;
		IF FOUND THEN
			PERFORM rg.attempts_cancel(ARRAY[p_job], ARRAY[v_attempt], ARRAY[v_gate],
				'cancelled on request');
			RETURN 1;
		END IF;
	END LOOP;
END
$$;

-- Cancels what is left of a batch, which takes no more jobs then. cancelled: were queued; stopping:
-- run. Only to be called by those who have checked whose batch it is, and hold -p_batch
-- exclusively.
CREATE FUNCTION rg.batch_cancel_rest(p_batch bigint, p_message text,
	OUT cancelled bigint, OUT stopping bigint)
LANGUAGE plpgsql
AS $$
DECLARE
	v_chunk   constant integer := 100000; -- bounds the memory that one round takes
	v_job     bigint[];
	v_attempt integer[];
	v_count   bigint;
	v_found   bigint;
BEGIN
	cancelled := 0;
	stopping := 0;
	-- Jobs move on while we look (delayed to parked to ready to lease, and back by a failure), so look
	-- until a whole round finds none. A leased job with a request cannot come back.
	LOOP
		v_found := 0;

		WITH gone AS (
			DELETE FROM rg.delayed d WHERE d.ctid = ANY (ARRAY(
				SELECT q.ctid FROM rg.delayed q JOIN rg.job j ON j.id = q.job_id
				WHERE j.batch_id = p_batch LIMIT v_chunk FOR UPDATE OF q))
			RETURNING d.job_id, d.attempt)
		SELECT array_agg(g.job_id), array_agg(g.attempt), count(*)
		INTO v_job, v_attempt, v_count FROM gone g;
		PERFORM rg.attempts_cancel(v_job, v_attempt, NULL, p_message);
		v_found := v_found + v_count;

		WITH gone AS (
			DELETE FROM rg.parked p WHERE p.ctid = ANY (ARRAY(
				SELECT q.ctid FROM rg.parked q WHERE q.gate_id = p_batch
				LIMIT v_chunk FOR UPDATE))
			RETURNING p.job_id, p.attempt)
		SELECT array_agg(g.job_id), array_agg(g.attempt), count(*)
		INTO v_job, v_attempt, v_count FROM gone g;
		PERFORM rg.attempts_cancel(v_job, v_attempt, NULL, p_message);
		v_found := v_found + v_count;

		WITH gone AS (
			DELETE FROM rg.ready r WHERE r.ctid = ANY (ARRAY(
				SELECT q.ctid FROM rg.ready q JOIN rg.job j ON j.id = q.job_id
				WHERE j.batch_id = p_batch LIMIT v_chunk FOR UPDATE OF q))
			RETURNING r.job_id, r.attempt)
		SELECT array_agg(g.job_id), array_agg(g.attempt), count(*)
		INTO v_job, v_attempt, v_count FROM gone g;
		PERFORM rg.attempts_cancel(v_job, v_attempt, NULL, p_message);
		v_found := v_found + v_count;

		cancelled := cancelled + v_found;
		WITH held AS (
			SELECT l.job_id FROM rg.lease l WHERE l.batch_id = p_batch
				AND NOT EXISTS (SELECT FROM rg.cancel_request c WHERE c.job_id = l.job_id)
			ORDER BY l.job_id FOR UPDATE OF l)
		INSERT INTO rg.cancel_request (job_id) SELECT h.job_id FROM held h ON CONFLICT DO NOTHING;
		GET DIAGNOSTICS v_count = ROW_COUNT;
		stopping := stopping + v_count;
		EXIT WHEN v_found + v_count = 0;
	END LOOP;
	-- At the end, so that the row is not locked while all this goes on.
	UPDATE rg.batch b SET cancelled_at = coalesce(b.cancelled_at, now()) WHERE b.id = p_batch;
END
$$;

CREATE FUNCTION rg.cancel_batch(p_project bigint, p_batch bigint,
	OUT cancelled bigint, OUT stopping bigint)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF NOT EXISTS (SELECT FROM rg.batch b WHERE b.id = p_batch AND b.project_id = p_project) THEN
		RAISE EXCEPTION 'there is no such batch' USING ERRCODE = 'RG404';
	END IF;
	PERFORM pg_advisory_xact_lock(-p_batch);
	SELECT c.cancelled, c.stopping INTO cancelled, stopping
	FROM rg.batch_cancel_rest(p_batch, 'cancelled with its batch') AS c;
END
$$;
