-- Gates: a batch with a parallel limit N lets at most N of its jobs stand in ready and lease; the
-- others wait in parked (or delayed). Who frees a place promotes the next.
--
-- Advisory locks, all of the transaction, keyed by the id of the noun:
--   worker id   shared: acts upon its own leases;  exclusive: join, rescue, end of a worker
--   -batch id   exclusive: adds jobs to the batch, cancels or retries it as a whole
--   batch id    the gate. shared: frees places and promotes;  exclusive: counts free places and
--               fills them. A completer holds it from before it looks at parked until it commits, so that
--               whoever counts sees either the place taken or its promotion done.
-- Order: worker, -batch, rows of leases, gates by rising id. Nobody who holds a gate exclusively
-- waits for the row of a lease.

-- Passes freed places on: for each gate, as many parked jobs become ready. One array element per
-- freed place; NULLs are skipped.
CREATE FUNCTION rg.gates_promote(p_gate bigint[]) RETURNS void
LANGUAGE plpgsql
AS $$
DECLARE
	v_gate bigint;
	v_free bigint;
BEGIN
	FOR v_gate, v_free IN
		SELECT g, count(*) FROM unnest(p_gate) AS g WHERE g IS NOT NULL GROUP BY g ORDER BY g
	LOOP
		PERFORM pg_advisory_xact_lock_shared(v_gate);
		-- A statement of its own: its snapshot must be younger than the lock.
		WITH promoted AS (
			DELETE FROM rg.parked p WHERE p.ctid = ANY (ARRAY(
				SELECT q.ctid FROM rg.parked q WHERE q.gate_id = v_gate
				ORDER BY q.gate_id, q.job_id LIMIT v_free FOR UPDATE SKIP LOCKED))
			RETURNING p.job_id, p.attempt)
		INSERT INTO rg.ready (job_id, attempt, gate_id)
		SELECT job_id, attempt, v_gate FROM promoted ORDER BY job_id;
	END LOOP;
END
$$;

-- Free places of a gate; negative after the limit was lowered. The caller holds the gate
-- exclusively.
CREATE FUNCTION rg.gate_free(p_gate bigint) RETURNS bigint
LANGUAGE plpgsql
AS $$
BEGIN
	RETURN (SELECT coalesce(b.parallel_limit, 2147483647)
			- (SELECT count(*) FROM rg.ready r WHERE r.gate_id = p_gate)
			- (SELECT count(*) FROM rg.lease l WHERE l.gate_id = p_gate)
		FROM rg.batch b WHERE b.id = p_gate);
END
$$;

-- Jobs enter their gate: as many as it has room for become ready, the rest is parked. Takes the
-- gate exclusively.
CREATE FUNCTION rg.gate_enter(p_gate bigint, p_job bigint[], p_attempt integer[]) RETURNS void
LANGUAGE plpgsql
AS $$
DECLARE
	v_free bigint;
BEGIN
	PERFORM pg_advisory_xact_lock(p_gate);
	v_free := rg.gate_free(p_gate);
	WITH entering AS (
		SELECT e.job_id, e.attempt, row_number() OVER (ORDER BY e.job_id) <= v_free AS has_place
		FROM unnest(p_job, p_attempt) AS e (job_id, attempt)),
	placed AS (
		INSERT INTO rg.ready (job_id, attempt, gate_id)
		SELECT job_id, attempt, p_gate FROM entering WHERE has_place ORDER BY job_id)
	INSERT INTO rg.parked (gate_id, job_id, attempt)
	SELECT p_gate, job_id, attempt FROM entering WHERE NOT has_place ORDER BY job_id;
END
$$;

-- Fills the free places of a gate from parked; the number of jobs promoted. Takes the gate
-- exclusively.
CREATE FUNCTION rg.gate_top_up(p_gate bigint) RETURNS bigint
LANGUAGE plpgsql
AS $$
DECLARE
	v_free  bigint;
	v_count bigint;
BEGIN
	PERFORM pg_advisory_xact_lock(p_gate);
	v_free := rg.gate_free(p_gate);
	IF v_free <= 0 THEN
		RETURN 0;
	END IF;
	WITH promoted AS (
		DELETE FROM rg.parked p WHERE p.ctid = ANY (ARRAY(
			SELECT q.ctid FROM rg.parked q WHERE q.gate_id = p_gate
			ORDER BY q.gate_id, q.job_id LIMIT v_free FOR UPDATE SKIP LOCKED))
		RETURNING p.job_id, p.attempt)
	INSERT INTO rg.ready (job_id, attempt, gate_id)
	SELECT job_id, attempt, p_gate FROM promoted ORDER BY job_id;
	GET DIAGNOSTICS v_count = ROW_COUNT;
	RETURN v_count;
END
$$;
