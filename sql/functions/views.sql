-- What the API shows of jobs and batches. Read by single statements, so that one snapshot decides: a
-- job stands in exactly one of ready, delayed, parked and lease, or has ended.

DROP VIEW IF EXISTS rg.job_view, rg.batch_view, rg.project_limit;

-- The order of the columns is fixed by enum job_column in src/api/job_view.h.
-- state: src/core/job.h. place: 1 ready, 2 delayed, 3 parked, 4 leased, NULL ended.
-- What describes an ended attempt is NULL while another one is planned or running.
CREATE VIEW rg.job_view AS
SELECT j.id, j.project_id, j.batch_id, j.batch_index, j.name, j.labels,
	((j.id >> 22) + 1735689600000) * 1000 AS created_us, -- as rg.id_floor; what a submission answers too
	CASE
		WHEN p.place = 4 THEN 2
		WHEN p.place IS NOT NULL THEN 1
		WHEN a.outcome = 1 THEN 3
		WHEN a.outcome = 5 THEN 5
		ELSE 4
	END::smallint AS state,
	p.place,
	coalesce(p.attempt, a.attempt) AS attempt,
	(extract(epoch FROM nullif(p.run_at, 'infinity')) * 1000000)::bigint AS run_at_us, -- NULL: no end
	p.reason AS wait_reason,
	b.parallel_limit,
	coalesce(p.worker_id, a.worker_id) AS worker_id,
	(extract(epoch FROM coalesce(p.claimed_at, a.started_at)) * 1000000)::bigint AS started_us,
	(extract(epoch FROM a.finished_at) * 1000000)::bigint AS finished_us,
	a.outcome, a.exit_code, a.message, a.cpu_us, a.memory_peak_bytes,
	(extract(epoch FROM a.finished_at - a.started_at) * 1000000)::bigint AS run_us,
	a.stdout_bytes, a.stderr_bytes,
	to_json(a.unenforced) AS unenforced
FROM rg.job j
LEFT JOIN LATERAL (
	SELECT 1 AS place, r.attempt, NULL::timestamptz AS run_at, NULL::text AS reason,
		NULL::bigint AS worker_id, NULL::timestamptz AS claimed_at
	FROM rg.ready r WHERE r.job_id = j.id
	UNION ALL
	SELECT 2, d.attempt, d.run_at, d.reason, NULL, NULL FROM rg.delayed d WHERE d.job_id = j.id
	UNION ALL
	SELECT 3, k.attempt, NULL, NULL, NULL, NULL
	FROM rg.parked k WHERE k.gate_id = j.batch_id AND k.job_id = j.id
	UNION ALL
	SELECT 4, l.attempt, NULL, NULL, l.worker_id, l.claimed_at FROM rg.lease l WHERE l.job_id = j.id
	LIMIT 1
) p ON true
LEFT JOIN LATERAL (
	SELECT h.* FROM rg.attempt h
	WHERE p.place IS NULL AND h.job_id = j.id
	ORDER BY h.attempt DESC LIMIT 1
) a ON true
LEFT JOIN LATERAL (
	SELECT g.parallel_limit FROM rg.batch g WHERE p.place = 3 AND g.id = j.batch_id
) b ON true;

-- How each project stands to its monthly limit, as the last tick saw it: rg.limit_status() without the sum.
CREATE VIEW rg.project_limit AS
SELECT p.id, CASE
		WHEN p.monthly_limit_micros IS NULL THEN 'unlimited'
		WHEN p.held_at IS NOT NULL THEN 'held'
		WHEN p.warned_at >= date_trunc('month', now(), 'UTC') THEN 'warning'
		ELSE 'ok'
	END AS status
FROM rg.project p;

CREATE VIEW rg.batch_view AS
SELECT b.id, b.project_id, b.name, b.labels, b.parallel_limit, b.max_fails,
	(extract(epoch FROM b.created_at) * 1000000)::bigint AS created_us,
	b.cancelled_at IS NOT NULL AS is_cancelled,
	b.total + d.total AS total,
	coalesce(l.running, 0) AS running,
	b.completed + d.completed AS completed,
	b.failed + d.failed AS failed,
	b.cancelled + d.cancelled AS cancelled,
	b.cost_micros, b.max_cost_micros, n.status AS limit_status
FROM rg.batch b
CROSS JOIN LATERAL (
	SELECT coalesce(sum(c.total), 0) AS total, coalesce(sum(c.completed), 0) AS completed,
		coalesce(sum(c.failed), 0) AS failed, coalesce(sum(c.cancelled), 0) AS cancelled
	FROM rg.batch_delta c WHERE c.batch_id = b.id
) d
LEFT JOIN (
	SELECT batch_id, count(*) AS running FROM rg.lease WHERE batch_id IS NOT NULL GROUP BY batch_id
) l ON l.batch_id = b.id
LEFT JOIN rg.project_limit n ON n.id = b.project_id;
