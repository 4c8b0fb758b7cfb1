-- The one place where attempts end: completions, losses, cancellations of queued jobs.

-- What becomes of each job, by position: the outcome as it is to be recorded, and the delay until
-- the next attempt (NULL: none, this one is final). There is a next one after
--   a loss with the worker, or RGrid's own error: up to 3 times (LOST_BUDGET_DEFAULT)
--   a failure of the script: up to job.max_retries times
-- both counted since the user's last retry, that is, since the last final attempt. If somebody has
-- asked to cancel the job, then instead of being repeated it ends as cancelled.
CREATE FUNCTION rg.ended_decide(p_ended rg.ended[])
RETURNS TABLE ("position" bigint, outcome smallint, delay interval)
LANGUAGE plpgsql
AS $$
#variable_conflict use_column
BEGIN
	RETURN QUERY
	WITH strike AS (
		SELECT e.ordinality AS position, e.job_id, e.outcome,
			CASE WHEN e.outcome IN (1, 5, 10) THEN 0 -- completed, cancelled, rejected
			ELSE 1 + (
				SELECT count(*) FROM rg.attempt a
				WHERE a.job_id = e.job_id
				AND (a.outcome IN (6, 9)) = (e.outcome IN (6, 9)) -- lost, system_error
				AND a.attempt > (
					SELECT coalesce(max(f.attempt), 0) FROM rg.attempt f
					WHERE f.job_id = e.job_id AND f.final))
			END AS count,
			CASE WHEN e.outcome IN (1, 5, 10) THEN -1
			WHEN e.outcome IN (6, 9) THEN 3
			ELSE (SELECT j.max_retries FROM rg.job j WHERE j.id = e.job_id)
			END AS budget
		FROM unnest(p_ended) WITH ORDINALITY AS e),
	fate AS (
		SELECT s.*, s.count <= s.budget AS again, s.count <= s.budget AND EXISTS (
			SELECT FROM rg.cancel_request c WHERE c.job_id = s.job_id) AS unwanted
		FROM strike s)
	SELECT f.position, CASE WHEN f.unwanted THEN 5::smallint ELSE f.outcome END,
		CASE WHEN f.again AND NOT f.unwanted
			-- 1 s, 2 s, 4 s … 60 s, give or take a half
			THEN least(2 ^ least(f.count - 1, 6), 60) * (0.5 + random()) * interval '1 second'
		END
	FROM fate f;
END
$$;

-- Records the ends, lets go on what is not final, and passes freed places of gates on. The caller
-- has deleted the rows (lease, ready, …) in an earlier statement of this transaction: so each
-- attempt ends once, and a request to cancel it is visible here or comes too late.
CREATE FUNCTION rg.attempts_end(p_ended rg.ended[]) RETURNS void
LANGUAGE plpgsql
AS $$
DECLARE
	v_now     timestamptz := clock_timestamp();
	v_open    boolean;    -- something may not be final
	v_batched boolean;
	v_gate    bigint[];
	v_outcome smallint[]; -- by position, as decided; NULL: as told
	v_delay   interval[]; -- by position; NULL: final
BEGIN
	-- Most calls tell of completed jobs without a batch: one statement does for them.
	SELECT bool_or(e.outcome NOT IN (1, 5, 10)), bool_or(e.batch_id IS NOT NULL),
		array_agg(e.gate_id) FILTER (WHERE e.gate_id IS NOT NULL)
	INTO v_open, v_batched, v_gate FROM unnest(p_ended) AS e;
	IF v_open THEN
		SELECT array_agg(d.outcome ORDER BY d.position), array_agg(d.delay ORDER BY d.position)
		INTO v_outcome, v_delay FROM rg.ended_decide(p_ended) AS d;
	END IF;

	WITH answered AS (
		DELETE FROM rg.cancel_request c WHERE c.ctid = ANY (ARRAY(
			SELECT r.place FROM unnest(p_ended) AS e CROSS JOIN LATERAL (
				SELECT q.ctid AS place FROM rg.cancel_request q WHERE q.job_id = e.job_id
				OFFSET 0) AS r)))
	INSERT INTO rg.attempt (job_id, attempt, outcome, final, exit_code, message, token, worker_id,
		batch_id, started_at, finished_at, cpu_us, memory_peak_bytes, stdout_bytes,
		stderr_bytes, unenforced)
	SELECT e.job_id, e.attempt, coalesce(v_outcome[e.ordinality], e.outcome),
		v_delay[e.ordinality] IS NULL, e.exit_code, e.message, e.token, e.worker_id, e.batch_id,
		e.started_at, v_now, e.cpu_us, e.memory_peak_bytes, e.stdout_bytes, e.stderr_bytes,
		e.unenforced
	FROM unnest(p_ended) WITH ORDINALITY AS e;

	IF v_open THEN
		INSERT INTO rg.delayed (job_id, attempt, gate_id, run_at, reason)
		SELECT e.job_id, e.attempt + 1, e.gate_id, v_now + v_delay[e.ordinality],
			CASE e.outcome
			WHEN 6 THEN 'the worker was lost'
			WHEN 9 THEN 'RGrid could not run the script'
			ELSE 'the script failed' END
		FROM unnest(p_ended) WITH ORDINALITY AS e
		WHERE v_delay[e.ordinality] IS NOT NULL;
	END IF;
	IF v_batched THEN
		INSERT INTO rg.batch_delta (batch_id, completed, failed, cancelled)
		SELECT f.batch_id, count(*) FILTER (WHERE f.outcome = 1),
			count(*) FILTER (WHERE f.outcome NOT IN (1, 5)),
			count(*) FILTER (WHERE f.outcome = 5)
		FROM (SELECT e.batch_id, coalesce(v_outcome[e.ordinality], e.outcome) AS outcome
			FROM unnest(p_ended) WITH ORDINALITY AS e
			WHERE e.batch_id IS NOT NULL AND v_delay[e.ordinality] IS NULL) AS f
		GROUP BY f.batch_id;
	END IF;
	IF v_gate IS NOT NULL THEN
		PERFORM rg.gates_promote(v_gate);
	END IF;
END
$$;

-- Ends all leases of a worker as lost: it has died, left or started anew. The caller holds the
-- worker exclusively. Returns their number.
CREATE FUNCTION rg.leases_lose(p_worker bigint, p_reason text) RETURNS bigint
LANGUAGE plpgsql
AS $$
DECLARE
	v_ended rg.ended[];
BEGIN
	-- Without a token: should the worker still tell an end, it must hear "lost", not "already".
	WITH gone AS (
		DELETE FROM rg.lease l WHERE l.ctid = ANY (ARRAY(
			SELECT q.ctid FROM rg.lease q WHERE q.worker_id = p_worker
			ORDER BY q.job_id FOR UPDATE))
		RETURNING l.*),
	placed AS (
		SELECT g.*, row_number() OVER (ORDER BY g.claimed_at, g.job_id) <= w.slots AS has_slot
		FROM gone g LEFT JOIN rg.worker w ON w.id = p_worker)
	-- What it had fetched ahead had not started.
	SELECT array_agg((g.job_id, g.attempt, NULL, g.worker_id, g.batch_id, g.gate_id, 6, NULL,
		p_reason, CASE WHEN g.has_slot IS NOT FALSE THEN g.claimed_at END, NULL, NULL, NULL, NULL,
		NULL)::rg.ended)
	INTO v_ended FROM placed g;
	IF v_ended IS NULL THEN
		RETURN 0;
	END IF;
	PERFORM rg.attempts_end(v_ended);
	INSERT INTO rg.event (kind, worker_id, job_id, reason)
	SELECT 'lease.rescued', p_worker, e.job_id, p_reason FROM unnest(v_ended) AS e;
	RETURN cardinality(v_ended);
END
$$;

-- Gives leases of a worker back: the same attempts are ready again, with the same numbers, or end
-- as cancelled where that was asked for. What they may have written is forgotten. The caller holds
-- the worker shared, and names leases of it only.
CREATE FUNCTION rg.leases_give_back(p_job bigint[], p_token bigint[]) RETURNS void
LANGUAGE plpgsql
AS $$
DECLARE
	v_given rg.lease[];
	v_ended rg.ended[];
BEGIN
	WITH gone AS (
		DELETE FROM rg.lease l WHERE l.ctid = ANY (ARRAY(
			SELECT held.place
			FROM (SELECT * FROM unnest(p_job, p_token) AS i (job_id, token) ORDER BY i.job_id) AS i
			CROSS JOIN LATERAL (
				SELECT q.ctid AS place FROM rg.lease q
				WHERE q.job_id = i.job_id AND q.token = i.token FOR UPDATE) AS held))
		RETURNING l.*)
	SELECT array_agg(g) INTO v_given FROM gone g;
	IF v_given IS NULL THEN
		RETURN;
	END IF;
	DELETE FROM rg.log_chunk c USING unnest(v_given) AS g
	WHERE c.job_id = g.job_id AND c.attempt = g.attempt;
	DELETE FROM rg.artifact a USING unnest(v_given) AS g
	WHERE a.job_id = g.job_id AND a.attempt = g.attempt;

	SELECT array_agg((g.job_id, g.attempt, NULL, g.worker_id, g.batch_id, g.gate_id, 5, NULL,
		'cancelled before it started', NULL, NULL, NULL, NULL, NULL, NULL)::rg.ended)
	INTO v_ended FROM unnest(v_given) AS g JOIN rg.cancel_request c ON c.job_id = g.job_id;
	INSERT INTO rg.ready (job_id, attempt, gate_id)
	SELECT g.job_id, g.attempt, g.gate_id FROM unnest(v_given) AS g
	WHERE NOT EXISTS (SELECT FROM unnest(v_ended) AS e WHERE e.job_id = g.job_id)
	ORDER BY g.job_id;
	IF v_ended IS NOT NULL THEN
		PERFORM rg.attempts_end(v_ended);
	END IF;
END
$$;
