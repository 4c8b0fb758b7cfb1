-- What jobs, batches, projects and the fleet cost, and why a job waits.

-- name: cost_days
-- Ended attempts of the project by day, UTC; $2 and $3 are days, the last included.
SELECT to_char(day, 'YYYY-MM-DD'), attempts, run_us, cost_micros
FROM rg.cost_day WHERE project_id = $1 AND day BETWEEN $2::date AND $3::date ORDER BY day;

-- name: cost_month
-- The month so far, the limit (NULL: none), whether jobs are held; what runs now has cost so far; the
-- fleet's bill of this month and what of it jobs have used.
SELECT rg.month_cost(p.id), p.monthly_limit_micros, p.held_at IS NOT NULL,
	coalesce((SELECT sum(r.cost_micros) FROM rg.cost_running() r WHERE r.project_id = p.id), 0)::bigint,
	coalesce((SELECT sum(l.price_micros) FROM rg.cost_ledger l
		WHERE l.from_at >= date_trunc('month', now(), 'UTC')), 0)::bigint,
	coalesce((SELECT sum(d.cost_micros) FROM rg.cost_day d
		WHERE d.day >= date_trunc('month', now() AT TIME ZONE 'UTC')::date), 0)::bigint
FROM rg.project p WHERE p.id = $1;

-- name: cost_limit_set
SELECT rg.limit_set($1, $2);

-- name: batch_limit_cost
SELECT rg.batch_limit_cost($1, $2);

-- name: job_cost
-- All attempts of a job, that which runs included.
SELECT coalesce(sum(rg.attempt_cost(w.price_hour_micros, w.slots, t.until - t.since)), 0)::bigint
FROM (
	SELECT worker_id, started_at AS since, finished_at AS until FROM rg.attempt
	WHERE job_id = $1 AND started_at IS NOT NULL
	UNION ALL
	SELECT worker_id, claimed_at, clock_timestamp() FROM rg.lease WHERE job_id = $1
) t JOIN rg.worker w ON w.id = t.worker_id;

-- name: cost_estimate
-- The median run of the last 100 completed attempts of that runtime in 30 days (microseconds; NULL: none
-- known), their number, and the first choice that is sold: its price of an hour, its slots, its name.
SELECT e.median_us, e.count, c.price_hour_micros, c.slots, c.server_type || ' in ' || c.location
FROM (
	SELECT percentile_disc(0.5) WITHIN GROUP (ORDER BY run_us) AS median_us, count(*) AS count FROM (
		SELECT (extract(epoch FROM a.finished_at - a.started_at) * 1000000)::bigint AS run_us
		FROM rg.attempt a JOIN rg.job j ON j.id = a.job_id
		WHERE j.project_id = $1 AND a.outcome = 1 AND j.spec ->> 'runtime' = $2
			AND a.finished_at > now() - interval '30 days'
		ORDER BY a.finished_at DESC LIMIT 100
	) r
) e
LEFT JOIN (
	SELECT * FROM rg.fleet_choice WHERE NOT withdrawn ORDER BY position LIMIT 1
) c ON true;

-- name: explain_waits
-- Why jobs of the size of job $1 wait, as the leading orchestrator saw it last.
SELECT w.code, w.reason, w.next, (extract(epoch FROM w.until_at) * 1000000)::bigint,
	(extract(epoch FROM clock_timestamp() - w.at) * 1000)::bigint, w.count
FROM rg.fleet_wait w
LEFT JOIN rg.job_size s ON s.job_id = $1
WHERE w.cpu_millis = coalesce(s.cpu_millis, $2) AND w.memory_bytes = coalesce(s.memory_bytes, $3)
ORDER BY w.position;
