-- What jobs cost, and the limits on it. Integer micro-euros, net.
--
-- Each row of the ledger, a paid hour, is divided among the attempts that ran within it: an attempt gets
-- price * (its time within the hour / the hour) / slots, rounded down. The rest is idle: nobody's job, what
-- nobody used and what rounding left. So shares and idle time sum to the ledger to the micro-euro, and a
-- share belongs to the day (UTC) on which its hour began, as on the bill.

-- The shares of an attempt that held one slot of the worker, by paid hour. Where nothing is paid: its
-- time, on the day on which it ended.
CREATE FUNCTION rg.paid_shares(p_worker rg.worker, p_since timestamptz, p_until timestamptz)
RETURNS TABLE (day date, run_us bigint, cost_micros bigint)
LANGUAGE sql STABLE
AS $$
	SELECT (CASE WHEN t.price > 0 THEN t.origin + h.n * t.hour ELSE p_until END
			AT TIME ZONE 'UTC')::date,
		s.run_us, floor(t.price::numeric * s.run_us / (t.hour_us * t.slots))::bigint
	FROM (
		SELECT coalesce((p_worker).price_hour_micros, 0) AS price, o.origin,
			coalesce((p_worker).hour_ms, 3600000) * interval '1 millisecond' AS hour,
			coalesce((p_worker).hour_ms, 3600000) * 1000::bigint AS hour_us,
			greatest(coalesce((p_worker).slots, 1), 1) AS slots,
			greatest((extract(epoch FROM p_since - o.origin) * 1000000)::bigint, 0) AS since_us,
			(extract(epoch FROM p_until - o.origin) * 1000000)::bigint AS until_us
		FROM (SELECT coalesce((p_worker).server_created_at, (p_worker).created_at, p_since) AS origin) o
	) t
	CROSS JOIN LATERAL generate_series(
		CASE WHEN t.price > 0 THEN t.since_us / t.hour_us ELSE 0 END,
		CASE WHEN t.price > 0 THEN greatest(t.until_us - 1, t.since_us) / t.hour_us ELSE 0 END) AS h (n)
	CROSS JOIN LATERAL (
		SELECT greatest(CASE WHEN t.price > 0
			THEN least(t.until_us, (h.n + 1) * t.hour_us) - greatest(t.since_us, h.n * t.hour_us)
			ELSE (extract(epoch FROM p_until - p_since) * 1000000)::bigint END, 0) AS run_us
	) s;
$$;

-- The leases that hold a slot: the oldest ones of each worker. Further ones are fetched ahead and wait.
CREATE FUNCTION rg.leases_on_slots() RETURNS SETOF rg.lease
LANGUAGE sql STABLE
AS $$
	SELECT l.* FROM rg.worker w
	CROSS JOIN LATERAL (
		SELECT q.* FROM rg.lease q WHERE q.worker_id = w.id
		ORDER BY q.claimed_at, q.job_id LIMIT coalesce(w.slots, 1)) AS l
	WHERE w.state <= 3 AND w.price_hour_micros > 0;
$$;

-- What the attempts that run now have cost so far.
CREATE FUNCTION rg.cost_running()
RETURNS TABLE (project_id bigint, batch_id bigint, day date, run_us bigint, cost_micros bigint)
LANGUAGE sql STABLE
AS $$
	SELECT j.project_id, l.batch_id, s.day, s.run_us, s.cost_micros
	FROM rg.leases_on_slots() l
	JOIN rg.worker w ON w.id = l.worker_id
	JOIN rg.job j ON j.id = l.job_id
	CROSS JOIN LATERAL rg.paid_shares(w, l.claimed_at, clock_timestamp()) s;
$$;

-- The shares of attempts that ended within (p_after, p_upto]. ended: 1 in one of an attempt's rows.
CREATE FUNCTION rg.cost_ended(p_after timestamptz, p_upto timestamptz)
RETURNS TABLE (project_id bigint, batch_id bigint, day date, ended integer, run_us bigint,
	cost_micros bigint)
LANGUAGE sql STABLE
AS $$
	SELECT j.project_id, a.batch_id, s.day,
		(row_number() OVER (PARTITION BY a.job_id, a.attempt ORDER BY s.day DESC) = 1)::integer,
		s.run_us, s.cost_micros
	FROM rg.attempt a
	JOIN rg.job j ON j.id = a.job_id
	LEFT JOIN rg.worker w ON w.id = a.worker_id
	CROSS JOIN LATERAL rg.paid_shares(w, a.started_at, a.finished_at) s
	WHERE a.finished_at > p_after AND a.finished_at <= p_upto AND a.started_at IS NOT NULL;
$$;

-- What is in no day's sum and no batch's yet: what runs, and what has ended since the last fold.
CREATE FUNCTION rg.cost_open()
RETURNS TABLE (project_id bigint, batch_id bigint, day date, ended integer, run_us bigint,
	cost_micros bigint)
LANGUAGE sql STABLE
AS $$
	SELECT r.project_id, r.batch_id, r.day, 0, r.run_us, r.cost_micros FROM rg.cost_running() r
	UNION ALL
	SELECT e.* FROM rg.cost_ended((SELECT g.cost_folded_at FROM rg.grid g), 'infinity') e;
$$;

-- Adds up what ended attempts have cost, up to the moment that an earlier call has noted, once no
-- transaction of before it runs any more: one that is late is not passed over.
CREATE FUNCTION rg.cost_fold() RETURNS void
LANGUAGE plpgsql
AS $$
DECLARE
	v_from     timestamptz;
	v_upto     timestamptz;
	v_xid      xid8;
	v_now      timestamptz := clock_timestamp(); -- before the snapshot
	v_snapshot pg_snapshot := pg_current_snapshot();
BEGIN
	SELECT g.cost_folded_at, g.cost_fold_at, g.cost_fold_xid INTO v_from, v_upto, v_xid
	FROM rg.grid g FOR UPDATE;
	IF v_upto IS NOT NULL AND v_xid > pg_snapshot_xmin(v_snapshot) THEN
		RETURN;
	END IF;
	-- Whoever takes an id from here on ends attempts later than now.
	UPDATE rg.grid g SET cost_fold_at = v_now, cost_fold_xid = pg_snapshot_xmax(v_snapshot),
		cost_folded_at = greatest(v_upto, v_from);
	IF v_upto IS NULL OR v_upto <= v_from THEN
		RETURN;
	END IF;
	WITH ended AS MATERIALIZED (SELECT * FROM rg.cost_ended(v_from, v_upto)),
	by_batch AS (
		UPDATE rg.batch b SET cost_micros = b.cost_micros + e.cost
		FROM (SELECT batch_id, sum(cost_micros) AS cost FROM ended WHERE batch_id IS NOT NULL
			GROUP BY batch_id HAVING sum(cost_micros) > 0) AS e
		WHERE b.id = e.batch_id)
	INSERT INTO rg.cost_day AS d (project_id, day, attempts, run_us, cost_micros)
	SELECT e.project_id, e.day, sum(e.ended), sum(e.run_us), sum(e.cost_micros)
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
LANGUAGE sql STABLE
AS $$
	SELECT (coalesce((SELECT sum(d.cost_micros) FROM rg.cost_day d WHERE d.project_id = p_project
			AND d.day >= date_trunc('month', now() AT TIME ZONE 'UTC')::date), 0)
		+ coalesce((SELECT sum(o.cost_micros) FROM rg.cost_open() o
			WHERE o.project_id = p_project
			AND o.day >= date_trunc('month', now() AT TIME ZONE 'UTC')::date), 0))::bigint;
$$;

-- How a project stands to its limit (NULL: it has none). Held also while its jobs have not been let go.
CREATE FUNCTION rg.limit_status(p_cost bigint, p_limit bigint, p_is_held boolean) RETURNS text
LANGUAGE sql IMMUTABLE
AS $$
	SELECT CASE
		WHEN p_limit IS NULL THEN 'unlimited'
		WHEN p_is_held OR p_cost >= p_limit THEN 'held'
		WHEN p_cost::numeric * 5 >= p_limit::numeric * 4 THEN 'warning' -- 80 %
		ELSE 'ok' END;
$$;

-- The month so far, the limit (NULL: none), how the project stands to it; what runs now has cost so far;
-- the fleet's bill of this month and what of it is jobs', of all projects.
CREATE FUNCTION rg.project_month(p_project bigint, OUT cost_micros bigint, OUT limit_micros bigint,
	OUT status text, OUT running_micros bigint, OUT paid_micros bigint, OUT jobs_micros bigint)
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_month date := date_trunc('month', now() AT TIME ZONE 'UTC')::date;
BEGIN
	cost_micros := rg.month_cost(p_project);
	SELECT p.monthly_limit_micros, rg.limit_status(cost_micros, p.monthly_limit_micros,
		p.held_at IS NOT NULL)
	INTO limit_micros, status FROM rg.project p WHERE p.id = p_project;
	running_micros := coalesce((SELECT sum(r.cost_micros) FROM rg.cost_running() r
		WHERE r.project_id = p_project), 0);
	paid_micros := coalesce((SELECT sum(l.price_micros) FROM rg.cost_ledger l
		WHERE l.from_at >= date_trunc('month', now(), 'UTC')), 0);
	jobs_micros := coalesce((SELECT sum(d.cost_micros) FROM rg.cost_day d WHERE d.day >= v_month), 0)
		+ coalesce((SELECT sum(o.cost_micros) FROM rg.cost_open() o WHERE o.day >= v_month), 0);
END
$$;

-- Attempts of the project by day, UTC, the last included; those that run with what they have cost so far.
CREATE FUNCTION rg.project_days(p_project bigint, p_since date, p_until date)
RETURNS TABLE (day date, attempts bigint, run_us bigint, cost_micros bigint)
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT c.day, sum(c.ended)::bigint, sum(c.run_us)::bigint, sum(c.cost_micros)::bigint
	FROM (
		SELECT d.day, d.attempts AS ended, d.run_us, d.cost_micros
		FROM rg.cost_day d WHERE d.project_id = p_project
		UNION ALL
		SELECT o.day, o.ended, o.run_us, o.cost_micros FROM rg.cost_open() o
		WHERE o.project_id = p_project
	) c
	WHERE c.day BETWEEN p_since AND p_until GROUP BY c.day;
$$;

-- What all attempts of a job have cost, that which runs included.
CREATE FUNCTION rg.job_cost(p_job bigint) RETURNS bigint
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT coalesce(sum(s.cost_micros), 0)::bigint
	FROM (
		SELECT a.worker_id, a.started_at AS since, a.finished_at AS until FROM rg.attempt a
		WHERE a.job_id = p_job AND a.started_at IS NOT NULL
		UNION ALL
		SELECT l.worker_id, l.claimed_at, clock_timestamp() FROM rg.lease l WHERE l.job_id = p_job
	) t JOIN rg.worker w ON w.id = t.worker_id
	CROSS JOIN LATERAL rg.paid_shares(w, t.since, t.until) s;
$$;

-- Which of the projects are held at their limit. They stay so until this transaction ends: whoever makes jobs
-- of theirs wait for the limit must not come too late for being let go.
CREATE FUNCTION rg.projects_held(p_projects bigint[]) RETURNS bigint[]
LANGUAGE sql
AS $$
	SELECT ARRAY(SELECT p.id FROM rg.project p WHERE p.held_at IS NOT NULL AND p.id = ANY (p_projects)
		ORDER BY p.id FOR SHARE);
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

-- Holds the project if its limit is reached, warns at 80 % of it, lets go when the limit was raised or a new
-- month has begun. Whoever has its row locked, for jobs that are to wait as held, is not waited for: the next
-- time is soon.
CREATE FUNCTION rg.project_hold(p_project bigint) RETURNS void
LANGUAGE plpgsql
AS $$
DECLARE
	v_project rg.project;
	v_cost    bigint := rg.month_cost(p_project);
BEGIN
	SELECT * INTO v_project FROM rg.project p WHERE p.id = p_project FOR NO KEY UPDATE SKIP LOCKED;
	IF NOT FOUND THEN
		RETURN;
	END IF;
	IF v_cost >= v_project.monthly_limit_micros THEN
		IF v_project.held_at IS NULL THEN
			UPDATE rg.project p SET held_at = now() WHERE p.id = p_project;
			INSERT INTO rg.event (kind, reason) VALUES ('project.held', format(
				'project %s has reached its monthly limit: %s of %s micro-euros',
				v_project.name, v_cost, v_project.monthly_limit_micros));
		END IF;
		PERFORM rg.jobs_hold(p_project);
	ELSIF v_project.held_at IS NOT NULL THEN
		UPDATE rg.project p SET held_at = NULL WHERE p.id = p_project;
		UPDATE rg.delayed d SET run_at = now() FROM rg.job j
		WHERE d.run_at = 'infinity' AND j.id = d.job_id AND j.project_id = p_project;
		INSERT INTO rg.event (kind, reason) VALUES ('project.released',
			format('jobs of project %s run again', v_project.name));
	ELSIF rg.limit_status(v_cost, v_project.monthly_limit_micros, false) = 'warning' AND (v_project.warned_at IS NULL
			OR v_project.warned_at < date_trunc('month', now(), 'UTC')) THEN
		UPDATE rg.project p SET warned_at = now() WHERE p.id = p_project;
		INSERT INTO rg.event (kind, reason) VALUES ('project.warned', format(
			'project %s has spent %s of the %s micro-euros of its monthly limit',
			v_project.name, v_cost, v_project.monthly_limit_micros));
	END IF;
END
$$;

CREATE FUNCTION rg.projects_hold() RETURNS void
LANGUAGE sql
AS $$
	SELECT rg.project_hold(p.id) FROM rg.project p
	WHERE p.monthly_limit_micros IS NOT NULL OR p.held_at IS NOT NULL;
$$;

-- NULL: no limit. At once, not at the next tick: who raises a limit wants to see jobs run.
CREATE FUNCTION rg.limit_set(p_project bigint, p_micros bigint) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	UPDATE rg.project p SET monthly_limit_micros = p_micros, warned_at = NULL WHERE p.id = p_project;
	PERFORM rg.project_hold(p_project);
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
