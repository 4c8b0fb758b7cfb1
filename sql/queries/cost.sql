-- What jobs, batches, projects and the fleet cost, and why a job waits.

-- name: cost_days
SELECT to_char(day, 'YYYY-MM-DD'), attempts, run_us, cost_micros
FROM rg.project_days($1, $2::date, $3::date) ORDER BY day;

-- name: cost_month
-- The order of the columns is fixed by enum month_column in src/api/cost.c.
SELECT cost_micros, limit_micros, status, running_micros, paid_micros, jobs_micros
FROM rg.project_month($1);

-- name: cost_limit_set
SELECT rg.limit_set($1, $2);

-- name: batch_limit_cost
SELECT rg.batch_limit_cost($1, $2);

-- name: job_cost
SELECT rg.job_cost($1);

-- name: cost_estimate
-- The median run of the last 100 completed attempts of that runtime in 30 days (microseconds; NULL: none
-- known), their number, and the first choice that is sold: its price of an hour, how long that is, its
-- slots, its name.
SELECT e.median_us, e.count, c.price_hour_micros, c.hour_ms, c.slots, c.server_type || ' in ' || c.location
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
