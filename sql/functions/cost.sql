-- What jobs cost, and the limits on it. Integer micro-euros, net.
--
-- A job costs its share of the paid time of its worker, by slots: price of the hour * time / slots. What
-- nobody used is the fleet's idle cost: the ledger less the jobs. Shares are rounded down, so that the
-- two always sum to the bill.

CREATE FUNCTION rg.attempt_cost(p_price_hour bigint, p_slots integer, p_run interval) RETURNS bigint
LANGUAGE sql IMMUTABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT floor(p_price_hour::numeric * greatest(extract(epoch FROM p_run), 0)
		/ (3600 * greatest(coalesce(p_slots, 1), 1)))::bigint;
$$;

-- What the attempts that run now have cost so far, by project and batch.
CREATE FUNCTION rg.cost_running() RETURNS TABLE (project_id bigint, batch_id bigint, cost_micros bigint)
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT j.project_id, l.batch_id,
		sum(rg.attempt_cost(w.price_hour_micros, w.slots, clock_timestamp() - l.claimed_at))::bigint
	FROM rg.worker w
	JOIN rg.lease l ON l.worker_id = w.id
	JOIN rg.job j ON j.id = l.job_id
	WHERE w.price_hour_micros > 0 AND w.state <= 3
	GROUP BY j.project_id, l.batch_id;
$$;

-- What is in no day's sum and no batch's yet: what runs, and what has ended since the last fold.
CREATE FUNCTION rg.cost_open() RETURNS TABLE (project_id bigint, batch_id bigint, cost_micros bigint)
LANGUAGE sql STABLE
AS $$
	SELECT r.project_id, r.batch_id, r.cost_micros FROM rg.cost_running() r
	UNION ALL
	SELECT j.project_id, a.batch_id,
		sum(rg.attempt_cost(w.price_hour_micros, w.slots, a.finished_at - a.started_at))::bigint
	FROM rg.attempt a
	JOIN rg.job j ON j.id = a.job_id
	JOIN rg.worker w ON w.id = a.worker_id
	WHERE a.finished_at > (SELECT g.cost_folded_at FROM rg.grid g) AND a.started_at IS NOT NULL
		AND w.price_hour_micros > 0
	GROUP BY j.project_id, a.batch_id;
$$;

-- Adds up what ended attempts have cost. Those of the last ten seconds are left to the next time: their
-- transactions may still run.
CREATE FUNCTION rg.cost_fold() RETURNS void
LANGUAGE plpgsql
AS $$
DECLARE
	v_from timestamptz;
	v_upto timestamptz := now() - interval '10 seconds';
BEGIN
	SELECT g.cost_folded_at INTO v_from FROM rg.grid g FOR UPDATE;
	IF v_upto <= v_from THEN
		RETURN;
	END IF;
	UPDATE rg.grid g SET cost_folded_at = v_upto;
	WITH ended AS MATERIALIZED (
		SELECT j.project_id, a.batch_id, (a.finished_at AT TIME ZONE 'UTC')::date AS day,
			(extract(epoch FROM a.finished_at - a.started_at) * 1000000)::bigint AS run_us,
			rg.attempt_cost(w.price_hour_micros, w.slots, a.finished_at - a.started_at) AS cost
		FROM rg.attempt a
		JOIN rg.job j ON j.id = a.job_id
		LEFT JOIN rg.worker w ON w.id = a.worker_id
		WHERE a.finished_at > v_from AND a.finished_at <= v_upto AND a.started_at IS NOT NULL),
	by_batch AS (
		UPDATE rg.batch b SET cost_micros = b.cost_micros + e.cost
		FROM (SELECT batch_id, sum(cost) AS cost FROM ended WHERE batch_id IS NOT NULL
			GROUP BY batch_id HAVING sum(cost) > 0) AS e
		WHERE b.id = e.batch_id)
	INSERT INTO rg.cost_day AS d (project_id, day, attempts, run_us, cost_micros)
	SELECT e.project_id, e.day, count(*), sum(e.run_us), coalesce(sum(e.cost), 0)
	FROM ended e GROUP BY e.project_id, e.day
	ON CONFLICT (project_id, day) DO UPDATE SET attempts = d.attempts + excluded.attempts,
		run_us = d.run_us + excluded.run_us, cost_micros = d.cost_micros + excluded.cost_micros;
END
$$;

-- Batches whose jobs have cost what they may at most.
CREATE FUNCTION rg.batches_over_cost() RETURNS SETOF bigint
LANGUAGE sql
AS $$
	SELECT b.id FROM rg.batch b
	WHERE b.max_cost_micros IS NOT NULL AND b.cancelled_at IS NULL
		AND b.cost_micros + coalesce((SELECT sum(o.cost_micros) FROM rg.cost_open() o
			WHERE o.batch_id = b.id), 0) >= b.max_cost_micros
	ORDER BY b.id;
$$;

-- What a project has cost in this calendar month, UTC.
CREATE FUNCTION rg.month_cost(p_project bigint) RETURNS bigint
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT (coalesce((SELECT sum(d.cost_micros) FROM rg.cost_day d WHERE d.project_id = p_project
			AND d.day >= date_trunc('month', now() AT TIME ZONE 'UTC')::date), 0)
		+ coalesce((SELECT sum(o.cost_micros) FROM rg.cost_open() o
			WHERE o.project_id = p_project), 0))::bigint;
$$;

CREATE FUNCTION rg.is_held(p_project bigint) RETURNS boolean
LANGUAGE sql STABLE
AS $$
	SELECT EXISTS (SELECT FROM rg.project p WHERE p.id = p_project AND p.held_at IS NOT NULL);
$$;

CREATE FUNCTION rg.hold_reason() RETURNS text
LANGUAGE sql IMMUTABLE
AS $$
	SELECT 'the monthly spending limit of the project is reached; '
		'the job runs when the limit is raised or a new month begins';
$$;

-- Takes what waits of held projects out of the queue: held jobs stand in delayed with no end of their
-- delay. Rows that somebody else is at are left to the next time.
CREATE FUNCTION rg.jobs_hold(p_project bigint) RETURNS bigint
LANGUAGE plpgsql
AS $$
DECLARE
	v_count bigint;
	v_more  bigint;
BEGIN
	WITH gone AS (
		DELETE FROM rg.ready r WHERE r.ctid = ANY (ARRAY(
			SELECT q.ctid FROM rg.ready q JOIN rg.job j ON j.id = q.job_id
			WHERE j.project_id = p_project LIMIT 100000 FOR UPDATE OF q SKIP LOCKED))
		RETURNING r.*)
	INSERT INTO rg.delayed (job_id, attempt, gate_id, run_at, reason)
	SELECT g.job_id, g.attempt, g.gate_id, 'infinity', rg.hold_reason() FROM gone g;
	GET DIAGNOSTICS v_count = ROW_COUNT;
	WITH gone AS (
		DELETE FROM rg.parked p WHERE p.ctid = ANY (ARRAY(
			SELECT q.ctid FROM rg.parked q JOIN rg.job j ON j.id = q.job_id
			WHERE j.project_id = p_project LIMIT 100000 FOR UPDATE OF q SKIP LOCKED))
		RETURNING p.*)
	INSERT INTO rg.delayed (job_id, attempt, gate_id, run_at, reason)
	SELECT g.job_id, g.attempt, g.gate_id, 'infinity', rg.hold_reason() FROM gone g;
	GET DIAGNOSTICS v_more = ROW_COUNT;
	RETURN v_count + v_more;
END
$$;

-- Holds projects whose limit is reached, warns at 80 % of it, lets go when the limit was raised or a new
-- month has begun.
CREATE FUNCTION rg.projects_hold() RETURNS void
LANGUAGE plpgsql
AS $$
DECLARE
	v_project rg.project;
	v_cost    bigint;
BEGIN
	FOR v_project IN
		SELECT * FROM rg.project p WHERE p.monthly_limit_micros IS NOT NULL OR p.held_at IS NOT NULL
	LOOP
		v_cost := rg.month_cost(v_project.id);
		IF v_cost >= v_project.monthly_limit_micros THEN
			IF v_project.held_at IS NULL THEN
				UPDATE rg.project p SET held_at = now() WHERE p.id = v_project.id;
				INSERT INTO rg.event (kind, reason) VALUES ('project.held', format(
					'project %s has reached its monthly limit: %s of %s micro-euros',
					v_project.name, v_cost, v_project.monthly_limit_micros));
			END IF;
			PERFORM rg.jobs_hold(v_project.id);
		ELSIF v_project.held_at IS NOT NULL THEN
			UPDATE rg.project p SET held_at = NULL WHERE p.id = v_project.id;
			UPDATE rg.delayed d SET run_at = now() FROM rg.job j
			WHERE d.run_at = 'infinity' AND j.id = d.job_id AND j.project_id = v_project.id;
			INSERT INTO rg.event (kind, reason) VALUES ('project.released',
				format('jobs of project %s run again', v_project.name));
		ELSIF v_cost * 5 >= v_project.monthly_limit_micros * 4 AND (v_project.warned_at IS NULL
				OR v_project.warned_at < date_trunc('month', now(), 'UTC')) THEN
			UPDATE rg.project p SET warned_at = now() WHERE p.id = v_project.id;
			INSERT INTO rg.event (kind, reason) VALUES ('project.warned', format(
				'project %s has spent %s of the %s micro-euros of its monthly limit',
				v_project.name, v_cost, v_project.monthly_limit_micros));
		END IF;
	END LOOP;
END
$$;

-- NULL: no limit. At once, not at the next tick: who raises a limit wants to see jobs run.
CREATE FUNCTION rg.limit_set(p_project bigint, p_micros bigint) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	UPDATE rg.project p SET monthly_limit_micros = p_micros, warned_at = NULL WHERE p.id = p_project;
	PERFORM rg.projects_hold();
END
$$;

CREATE FUNCTION rg.batch_limit_cost(p_batch bigint, p_micros bigint) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	UPDATE rg.batch b SET max_cost_micros = p_micros WHERE b.id = p_batch;
END
$$;
