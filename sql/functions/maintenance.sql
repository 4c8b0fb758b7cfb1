-- What has to happen without anybody asking for it. The orchestrator calls rg.tick() every second.

-- Adds the deltas of batches up. Returns the batches that have reached their max_fails by it.
CREATE FUNCTION rg.deltas_fold() RETURNS SETOF bigint
LANGUAGE plpgsql
AS $$
BEGIN
	RETURN QUERY
	WITH gone AS (
		DELETE FROM rg.batch_delta d WHERE d.ctid = ANY (ARRAY(
			SELECT q.ctid FROM rg.batch_delta q LIMIT 100000 FOR UPDATE SKIP LOCKED))
		RETURNING d.*),
	summed AS (
		SELECT g.batch_id, sum(g.total) AS total, sum(g.completed) AS completed,
			sum(g.failed) AS failed, sum(g.cancelled) AS cancelled
		FROM gone g GROUP BY g.batch_id),
	folded AS (
		UPDATE rg.batch b SET total = b.total + s.total, completed = b.completed + s.completed,
			failed = b.failed + s.failed, cancelled = b.cancelled + s.cancelled
		FROM summed s WHERE b.id = s.batch_id
		RETURNING b.id, b.failed >= b.max_fails AND b.cancelled_at IS NULL AS is_over)
	SELECT f.id FROM folded f WHERE f.is_over ORDER BY f.id;
END
$$;

-- Since when heartbeats could have arrived.
CREATE FUNCTION rg.listening_since() RETURNS timestamptz
LANGUAGE plpgsql
AS $$
BEGIN
	RETURN pg_postmaster_start_time();
END
$$;

-- Locks the workers that hold leases and are silent for longer than the lease's TTL (30 s,
-- LEASE_TTL_MS of core/limits.h), or have ended, and makes their incarnation void. Returns them.
--
-- Silence is not trusted for one TTL after the server's start, and when at least three workers hold
-- leases and more than half of them are silent, only after two: then it is rather us.
CREATE FUNCTION rg.workers_give_up() RETURNS bigint[]
LANGUAGE plpgsql
AS $$
DECLARE
	v_ttl     interval := '30 s';
	v_worker  bigint;
	v_suspect bigint[];
	v_holders bigint;
	v_silent  bigint;
	v_given   bigint[] := '{}';
BEGIN
	IF now() < rg.listening_since() + v_ttl THEN
		RETURN v_given;
	END IF;
	WITH RECURSIVE holder AS ( -- each worker once, without reading all leases
		(SELECT l.worker_id FROM rg.lease l ORDER BY l.worker_id LIMIT 1)
		UNION ALL
		SELECT (SELECT l.worker_id FROM rg.lease l WHERE l.worker_id > h.worker_id
			ORDER BY l.worker_id LIMIT 1)
		FROM holder h WHERE h.worker_id IS NOT NULL)
	SELECT array_agg(w.id ORDER BY w.id)
			FILTER (WHERE w.last_seen < now() - v_ttl OR w.state NOT IN (2, 3)),
		count(*), count(*) FILTER (WHERE w.last_seen < now() - v_ttl)
	INTO v_suspect, v_holders, v_silent
	FROM holder h JOIN rg.worker w ON w.id = h.worker_id;
	IF v_holders >= 3 AND v_silent * 2 > v_holders THEN
		v_ttl := v_ttl * 2;
	END IF;
	FOREACH v_worker IN ARRAY coalesce(v_suspect[1:100], '{}') LOOP
		-- Taken: it is in the middle of a call, so not silent.
		CONTINUE WHEN NOT pg_try_advisory_xact_lock(v_worker);
		-- Asked again under the lock of the row, against a heartbeat that came meanwhile.
		UPDATE rg.worker w SET incarnation = w.incarnation + 1
		WHERE w.id = v_worker AND (w.last_seen < now() - v_ttl OR w.state NOT IN (2, 3));
		IF FOUND THEN
			v_given := v_given || v_worker;
		END IF;
	END LOOP;
	RETURN v_given;
END
$$;

-- Gates that tick has something to do with: jobs come back to them, lose their lease, or could
-- enter.
CREATE FUNCTION rg.gates_due(p_lost_worker bigint[]) RETURNS bigint[]
LANGUAGE plpgsql
AS $$
BEGIN
	RETURN ARRAY(
		WITH RECURSIVE waiting AS ( -- each gate once, without reading all of parked
			(SELECT p.gate_id FROM rg.parked p ORDER BY p.gate_id LIMIT 1)
			UNION ALL
			SELECT (SELECT p.gate_id FROM rg.parked p WHERE p.gate_id > w.gate_id
				ORDER BY p.gate_id LIMIT 1)
			FROM waiting w WHERE w.gate_id IS NOT NULL)
		SELECT w.gate_id FROM waiting w WHERE w.gate_id IS NOT NULL AND rg.gate_free(w.gate_id) > 0
		UNION
		SELECT due.gate_id FROM (
			SELECT d.gate_id FROM rg.delayed d WHERE d.run_at <= now()
			ORDER BY d.run_at LIMIT 5000) AS due
		WHERE due.gate_id IS NOT NULL
		UNION
		SELECT l.gate_id FROM rg.lease l
		WHERE l.worker_id = ANY (p_lost_worker) AND l.gate_id IS NOT NULL
		ORDER BY 1);
END
$$;

-- Moves what is due from delayed to ready, or to parked if it has a gate; only gates that the
-- caller holds exclusively.
CREATE FUNCTION rg.delayed_move(p_gate bigint[]) RETURNS bigint
LANGUAGE plpgsql
AS $$
DECLARE
	v_count bigint;
BEGIN
	WITH due AS (
		DELETE FROM rg.delayed d WHERE d.ctid = ANY (ARRAY(
			SELECT q.ctid FROM rg.delayed q
			WHERE q.run_at <= now() AND (q.gate_id IS NULL OR q.gate_id = ANY (p_gate))
			ORDER BY q.run_at LIMIT 5000 FOR UPDATE SKIP LOCKED))
		RETURNING d.job_id, d.attempt, d.gate_id),
	freed AS (
		INSERT INTO rg.ready (job_id, attempt)
		SELECT d.job_id, d.attempt FROM due d WHERE d.gate_id IS NULL ORDER BY d.job_id),
	gated AS (
		INSERT INTO rg.parked (gate_id, job_id, attempt)
		SELECT d.gate_id, d.job_id, d.attempt FROM due d WHERE d.gate_id IS NOT NULL
		ORDER BY d.gate_id, d.job_id)
	SELECT count(*) INTO v_count FROM due;
	RETURN v_count;
END
$$;

-- moved: jobs whose delay is over; rescued: leases taken from workers given up; topped_up: jobs
-- that entered a gate. All zero when another session is at it.
CREATE FUNCTION rg.tick(OUT moved bigint, OUT rescued bigint, OUT topped_up bigint)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_mergejoin = off
SET enable_hashjoin = off SET jit = off
AS $$
DECLARE
	v_batches bigint[];
	v_costly  bigint[];
	v_workers bigint[];
	v_gates   bigint[];
	v_id      bigint;
BEGIN
	moved := 0;
	rescued := 0;
	topped_up := 0;
	IF NOT pg_try_advisory_xact_lock(1) THEN
		RETURN;
	END IF;
	PERFORM rg.cost_fold();
	v_batches := ARRAY(SELECT rg.deltas_fold());
	v_costly := ARRAY(SELECT rg.batches_over_cost());
	DELETE FROM rg.submit_key k WHERE k.ctid = ANY (ARRAY(
		SELECT q.ctid FROM rg.submit_key q WHERE q.created_at < now() - interval '72 hours'
		LIMIT 10000));
	PERFORM rg.logins_sweep();
	UPDATE rg.worker w SET gone_at = clock_timestamp()
	WHERE w.state > 3 AND w.gone_at IS NULL AND w.server_id IS NULL
		AND w.ended_at < now() - interval '1 hour';

	-- Cancelling locks rows of leases, which nobody may wait for with gates in his hands: so it is all
	-- that this tick does.
	IF cardinality(v_batches) + cardinality(v_costly) > 0 THEN
		FOREACH v_id IN ARRAY v_batches LOOP
			PERFORM pg_advisory_xact_lock(-v_id);
			PERFORM rg.batch_cancel_rest(v_id, 'cancelled: too many jobs of the batch failed');
		END LOOP;
		FOREACH v_id IN ARRAY v_costly LOOP
			PERFORM pg_advisory_xact_lock(-v_id);
			PERFORM rg.batch_cancel_rest(v_id, 'cancelled: the cost limit of the batch is reached');
		END LOOP;
		RETURN;
	END IF;

	v_workers := rg.workers_give_up();
	v_gates := rg.gates_due(v_workers);
	FOREACH v_id IN ARRAY v_gates LOOP
		PERFORM pg_advisory_xact_lock(v_id);
	END LOOP;
	moved := rg.delayed_move(v_gates);
	FOREACH v_id IN ARRAY v_workers LOOP
		rescued := rescued + rg.leases_lose(v_id, 'the worker fell silent');
	END LOOP;
	FOREACH v_id IN ARRAY v_gates LOOP
		topped_up := topped_up + rg.gate_top_up(v_id);
	END LOOP;
	PERFORM rg.projects_hold();
END
$$;
