-- Workers, and the numbers behind /metrics and /readyz.

-- name: workers_list
SELECT w.id, w.name, w.state, w.slots, coalesce(l.running, 0), w.hostname, w.version,
	to_json(w.unenforced),
	(extract(epoch FROM w.last_seen) * 1000000)::bigint,
	(extract(epoch FROM w.created_at) * 1000000)::bigint,
	(extract(epoch FROM w.ended_at) * 1000000)::bigint,
	w.reason
FROM rg.worker w
LEFT JOIN (SELECT worker_id, count(*) AS running FROM rg.lease GROUP BY worker_id) l ON l.worker_id = w.id
WHERE w.id < $1 AND ($2::boolean OR w.state <= 3)
ORDER BY w.id DESC LIMIT $3;

-- name: worker_get
-- The columns of workers_list.
SELECT w.id, w.name, w.state, w.slots, (SELECT count(*) FROM rg.lease l WHERE l.worker_id = w.id),
	w.hostname, w.version, to_json(w.unenforced),
	(extract(epoch FROM w.last_seen) * 1000000)::bigint,
	(extract(epoch FROM w.created_at) * 1000000)::bigint,
	(extract(epoch FROM w.ended_at) * 1000000)::bigint,
	w.reason
FROM rg.worker w WHERE w.id = $1;

-- name: worker_find
-- As job_find, among those that live: the ended are many, and nothing is left to do with them.
SELECT id FROM rg.worker WHERE id BETWEEN $1 AND $2 AND state <= 3 ORDER BY id LIMIT 6;

-- name: worker_drain
SELECT rg.worker_drain($1, $2);

-- name: worker_undrain
SELECT rg.worker_undrain($1, $2);

-- name: worker_delete
SELECT rg.worker_delete($1, $2, $3);

-- name: metrics_queue
-- Sizes, and the age in milliseconds of the oldest job that could run.
SELECT (SELECT count(*) FROM rg.ready), (SELECT count(*) FROM rg.delayed),
	(SELECT count(*) FROM rg.parked), (SELECT count(*) FROM rg.lease),
	(SELECT greatest((rg.id_floor(clock_timestamp()) >> 22) - (min(job_id) >> 22), 0) FROM rg.ready);

-- name: metrics_workers
SELECT state, count(*) FROM rg.worker WHERE state <= 3 GROUP BY state;

-- name: metrics_ended
-- Attempts by outcome that ended after $1 (microseconds; NULL: none) and at least five seconds ago, when
-- their transactions have committed. The first column is where to go on.
SELECT (extract(epoch FROM b.upto) * 1000000)::bigint, a.outcome, a.count
FROM (SELECT now() - interval '5 seconds' AS upto) b
LEFT JOIN LATERAL (
	SELECT outcome, count(*) FROM rg.attempt
	WHERE finished_at > 'epoch'::timestamptz + $1::bigint * interval '1 microsecond'
		AND finished_at <= b.upto
	GROUP BY outcome
) a ON true;
