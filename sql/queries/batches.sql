-- Batches as the API reads and changes them.

-- name: batch_find
SELECT id FROM rg.batch WHERE project_id = $1 AND id BETWEEN $2 AND $3 ORDER BY id LIMIT 6;

-- name: batch_last
SELECT max(id) FROM rg.batch WHERE project_id = $1;

-- name: batch_get
SELECT * FROM rg.batch_view WHERE id = $1 AND project_id = $2;

-- name: batches_list
SELECT * FROM rg.batch_view WHERE project_id = $1 AND id < $2 ORDER BY id DESC LIMIT $3;

-- name: batch_create
SELECT rg.batch_create($1, $2, $3, $4, $5);

-- name: batch_cancel
SELECT cancelled, stopping FROM rg.cancel_batch($1, $2);

-- name: batch_retry
SELECT rg.retry_batch($1, $2, $3);

-- name: batch_results
-- Final attempts in the order of their transactions, up to the oldest transaction still running: what
-- commits later never sorts before a cursor that was handed out. Columns as in rg.job_view, after the
-- position.
SELECT a.xid, a.job_id,
	j.id, j.project_id, j.batch_id, j.batch_index, j.name, j.labels,
	((j.id >> 22) + 1735689600000) * 1000,
	CASE a.outcome WHEN 1 THEN 3 WHEN 5 THEN 5 ELSE 4 END,
	NULL, a.attempt, NULL, NULL, NULL, a.worker_id,
	(extract(epoch FROM a.started_at) * 1000000)::bigint,
	(extract(epoch FROM a.finished_at) * 1000000)::bigint,
	a.outcome, a.exit_code, a.message, a.cpu_us, a.memory_peak_bytes,
	(extract(epoch FROM a.finished_at - a.started_at) * 1000000)::bigint,
	a.stdout_bytes, a.stderr_bytes, to_json(a.unenforced)
FROM rg.attempt a JOIN rg.job j ON j.id = a.job_id
WHERE a.batch_id = $1 AND a.final AND (a.xid, a.job_id) > ($2::text::xid8, $3::bigint)
	AND a.xid < pg_snapshot_xmin(pg_current_snapshot())
ORDER BY a.xid, a.job_id
LIMIT $4;
