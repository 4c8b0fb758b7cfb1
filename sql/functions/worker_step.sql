-- The heart of the queue: a worker tells what it finished and claims what it has room for, in one
-- call.

-- Rows of kind 1: a verdict per completion, in the order given (1 recorded, 2 already recorded by
-- an earlier sending, 3 lost: the lease is no longer the caller's). Rows of kind 2: claims. A
-- draining worker claims nothing.
--
-- p_floor is a hint where to start claiming, past the index entries of jobs taken before that are
-- not vacuumed yet; when that gives too few, the start is tried as well.
CREATE FUNCTION rg_worker.step(p_incarnation integer, p_job bigint[], p_attempt integer[],
	p_token bigint[], p_outcome smallint[], p_exit integer[], p_message text[], p_started boolean[],
	p_run_us bigint[], p_cpu_us bigint[], p_memory_peak bigint[], p_stdout_bytes bigint[],
	p_stderr_bytes bigint[], p_unenforced text[], p_want integer, p_floor bigint)
RETURNS TABLE (kind smallint, job_id bigint, attempt integer, token bigint, verdict smallint,
	batch_id bigint, batch_index integer, spec text)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_mergejoin = off
SET enable_hashjoin = off SET jit = off
AS $$
#variable_conflict use_column
DECLARE
	v_count  integer := cardinality(p_job);
	v_want   integer := least(p_want, 1000);
	v_worker bigint;
	v_state  smallint;
	v_cpu    integer; -- larger jobs are left to larger workers
	v_memory bigint;
	v_now    timestamptz := clock_timestamp();
	v_ended  rg.ended[];
	v_token  bigint;
	v_floor  bigint := coalesce(p_floor, 0);
	v_got    integer;
BEGIN
	PERFORM rg.check_arrays(1000, v_count, cardinality(p_attempt), cardinality(p_token),
		cardinality(p_outcome), cardinality(p_exit), cardinality(p_message),
		cardinality(p_started), cardinality(p_run_us), cardinality(p_cpu_us),
		cardinality(p_memory_peak), cardinality(p_stdout_bytes), cardinality(p_stderr_bytes),
		cardinality(p_unenforced));
	SELECT s.worker_id, s.state, s.claim_cpu_millis, s.claim_memory_bytes
	INTO v_worker, v_state, v_cpu, v_memory FROM rg.session_worker(p_incarnation) AS s;

	IF v_count > 0 THEN
		-- By rising id, as everybody locks who locks several leases. A later statement reads what was
		-- asked about these jobs until their leases were gone. Pinned as well: a probe of the primary
		-- key per job (OFFSET 0 keeps the lateral from becoming a join, "+ 0" from the other index).
		WITH gone AS (
			DELETE FROM rg.lease l
			USING (SELECT i.*, held.place
				FROM (SELECT * FROM unnest(p_job, p_attempt, p_token, p_outcome, p_exit,
						p_message, p_started, p_run_us, p_cpu_us, p_memory_peak,
						p_stdout_bytes, p_stderr_bytes, p_unenforced)
					AS i (job_id, attempt, token, outcome, exit_code, message, started,
						run_us, cpu_us, memory_peak, stdout_bytes, stderr_bytes,
						unenforced)
					ORDER BY i.job_id) AS i
				CROSS JOIN LATERAL (
					SELECT q.ctid AS place FROM rg.lease q
					WHERE q.job_id = i.job_id AND q.attempt = i.attempt
						AND q.token = i.token AND q.worker_id + 0 = v_worker
						AND q.incarnation = p_incarnation
					OFFSET 0) AS held) AS i
			WHERE l.ctid = i.place
			RETURNING i.*, l.batch_id, l.gate_id)
		SELECT array_agg((g.job_id, g.attempt, g.token, v_worker, g.batch_id, g.gate_id, g.outcome,
			nullif(g.exit_code, -1), left(g.message, 500),
			CASE WHEN g.started THEN v_now - interval '1 microsecond'
				* least(greatest(g.run_us, 0), 31536000000000) END, -- a year: no overflow
			g.cpu_us, g.memory_peak, g.stdout_bytes, g.stderr_bytes,
			CASE WHEN g.unenforced <> '' THEN string_to_array(g.unenforced, ',') END)::rg.ended)
		INTO v_ended FROM gone g;

		IF v_ended IS NOT NULL THEN
			PERFORM rg.attempts_end(v_ended);
		END IF;
		IF cardinality(v_ended) = v_count THEN
			RETURN QUERY SELECT 1::smallint, i.job_id, i.attempt, i.token, 1::smallint,
				NULL::bigint, NULL::integer, NULL::text
			FROM unnest(p_job, p_attempt, p_token) AS i (job_id, attempt, token);
		ELSE
			RETURN QUERY SELECT 1::smallint, i.job_id, i.attempt, i.token,
				coalesce((
					SELECT CASE WHEN a.xid = pg_current_xact_id() THEN 1 ELSE 2 END
					FROM rg.attempt a
					WHERE a.job_id = i.job_id AND a.attempt = i.attempt
						AND a.token = i.token AND a.worker_id = v_worker),
					3)::smallint,
				NULL::bigint, NULL::integer, NULL::text
			FROM unnest(p_job, p_attempt, p_token) AS i (job_id, attempt, token);
		END IF;
	END IF;

	IF v_state <> 2 THEN
		RETURN;
	END IF;
	-- 60 random bits of a version 4 UUID; its version digit keeps it from being zero.
	v_token := ('x' || left(translate(gen_random_uuid()::text, '-', ''), 16))::bit(64)::bigint;
	WHILE v_want > 0 LOOP
		-- The plan is pinned: rows are locked through the primary key in order, then found again by
		-- ctid. Joins in place of the ctids, or with the jobs, become scans of whole tables where the
		-- plan was made while these were empty.
		RETURN QUERY
		WITH taken AS (
			DELETE FROM rg.ready r WHERE r.ctid = ANY (ARRAY(
				SELECT q.ctid FROM rg.ready q WHERE q.job_id >= v_floor
					AND (v_cpu IS NULL OR NOT EXISTS (
						SELECT FROM rg.job_size s WHERE s.job_id = q.job_id
							AND (s.cpu_millis > v_cpu OR s.memory_bytes > v_memory)
						OFFSET 0))
				ORDER BY q.job_id LIMIT v_want FOR UPDATE SKIP LOCKED))
			RETURNING r.job_id, r.attempt, r.gate_id),
		claimed AS MATERIALIZED (
			SELECT t.job_id, t.attempt, t.gate_id, j.batch_id, j.batch_index, j.spec
			FROM taken t CROSS JOIN LATERAL (
				SELECT q.batch_id, q.batch_index, q.spec FROM rg.job q
				WHERE q.id = t.job_id OFFSET 0) AS j),
		leased AS (
			INSERT INTO rg.lease (job_id, attempt, token, worker_id, incarnation, batch_id,
				gate_id, claimed_at)
			SELECT c.job_id, c.attempt, v_token, v_worker, p_incarnation, c.batch_id,
				c.gate_id, v_now
			FROM claimed c)
		SELECT 2::smallint, c.job_id, c.attempt, v_token, NULL::smallint, c.batch_id,
			c.batch_index, c.spec::text
		FROM claimed c;
		GET DIAGNOSTICS v_got = ROW_COUNT;
		EXIT WHEN v_floor = 0;
		v_want := v_want - v_got;
		v_floor := 0;
	END LOOP;
END
$$;

-- Gives back what was claimed and not started. Always 1: what is not there any more needs no
-- giving.
CREATE FUNCTION rg_worker.release(p_incarnation integer, p_job bigint[], p_attempt integer[],
	p_token bigint[]) RETURNS smallint
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_mergejoin = off
SET enable_hashjoin = off SET jit = off
AS $$
DECLARE
	v_worker bigint;
	v_job    bigint[];
	v_token  bigint[];
BEGIN
	PERFORM rg.check_arrays(1000, cardinality(p_job), cardinality(p_attempt), cardinality(p_token));
	SELECT s.worker_id INTO v_worker FROM rg.session_worker(p_incarnation) AS s;
	SELECT array_agg(l.job_id), array_agg(l.token) INTO v_job, v_token
	FROM unnest(p_job, p_attempt, p_token) AS i (job_id, attempt, token)
	CROSS JOIN LATERAL (
		SELECT q.job_id, q.token FROM rg.lease q
		WHERE q.job_id = i.job_id AND q.attempt = i.attempt AND q.token = i.token
			AND q.worker_id + 0 = v_worker AND q.incarnation = p_incarnation
		OFFSET 0) AS l;
	IF v_job IS NOT NULL THEN
		PERFORM rg.leases_give_back(v_job, v_token);
	END IF;
	RETURN 1;
END
$$;
