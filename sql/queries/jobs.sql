-- Jobs as the API reads and submits them. Everything is bound to a project.

-- name: job_find
-- Ids that begin as the user wrote; six are enough to tell one from many and to name candidates.
SELECT id FROM rg.job WHERE project_id = $1 AND id BETWEEN $2 AND $3 ORDER BY id LIMIT 6;

-- name: job_last
SELECT max(id) FROM rg.job WHERE project_id = $1;

-- name: job_get
SELECT v.*, j.spec
FROM rg.job_view v JOIN rg.job j ON j.id = v.id
WHERE v.id = $1 AND v.project_id = $2;

-- name: job_queue_facts
-- How many jobs are ahead of $1 (1001: more than 1000), and how many workers there are.
SELECT (SELECT count(*) FROM (SELECT FROM rg.ready WHERE job_id < $1 LIMIT 1001) q),
	(SELECT count(*) FROM rg.worker WHERE state = 2);

-- name: jobs_list
-- Newest first. $2 names the source of candidates; of each page at most $4 of them are looked at, so
-- that a page costs a bounded effort whatever the filters say. Subqueries instead of joins: they leave
-- the planner no choice but to walk each source's index; and + 0 keeps it off an index that would fit
-- worse (labels and batches are narrower than projects). The first two columns tell how far it came.
WITH candidate AS MATERIALIZED (
	SELECT DISTINCT id FROM (
		(SELECT j.id FROM rg.job j
			WHERE $2::text = 'all' AND j.project_id = $1 AND j.id < $3
			ORDER BY j.id DESC LIMIT $4)
		UNION ALL
		(SELECT j.id FROM rg.job j
			WHERE $2 = 'batch' AND j.batch_id = $5 AND j.project_id + 0 = $1 AND j.id + 0 < $3
			ORDER BY j.id + 0 DESC LIMIT $4)
		UNION ALL
		(SELECT j.id FROM rg.job j
			WHERE $2 = 'labels' AND j.labels @> $7 AND j.project_id + 0 = $1 AND j.id + 0 < $3
			ORDER BY j.id + 0 DESC LIMIT $4)
		UNION ALL
		(SELECT r.job_id FROM rg.ready r
			WHERE $2 = 'queued' AND r.job_id < $3
				AND (SELECT j.project_id FROM rg.job j WHERE j.id = r.job_id) = $1
			ORDER BY r.job_id DESC LIMIT $4)
		UNION ALL
		(SELECT d.job_id FROM rg.delayed d
			WHERE $2 = 'queued' AND d.job_id < $3
				AND (SELECT j.project_id FROM rg.job j WHERE j.id = d.job_id) = $1
			ORDER BY d.job_id DESC LIMIT $4)
		UNION ALL
		(SELECT k.job_id
			FROM rg.batch b
			CROSS JOIN LATERAL (SELECT p.job_id FROM rg.parked p
				WHERE p.gate_id = b.id AND p.job_id < $3
				ORDER BY p.job_id DESC LIMIT $4) k
			WHERE $2 = 'queued' AND b.project_id = $1 AND b.parallel_limit IS NOT NULL
			ORDER BY k.job_id DESC LIMIT $4)
		UNION ALL
		(SELECT l.job_id FROM rg.lease l
			WHERE $2 = 'running' AND l.job_id < $3
				AND (SELECT j.project_id FROM rg.job j WHERE j.id = l.job_id) = $1
			ORDER BY l.job_id DESC LIMIT $4)
		UNION ALL
		(SELECT a.job_id FROM rg.attempt a
			WHERE $2 = 'unsuccessful' AND a.final AND a.outcome <> 1
				AND (a.outcome = 5) = ($8 = 5) AND a.job_id < $3
				AND (SELECT j.project_id FROM rg.job j WHERE j.id = a.job_id) = $1
			ORDER BY a.job_id DESC LIMIT $4)
	) source
	ORDER BY id DESC LIMIT $4
)
SELECT s.scanned, s.scanned_to, page.*
FROM (SELECT count(*) AS scanned, min(id) AS scanned_to FROM candidate) s
LEFT JOIN (
	SELECT v.*
	FROM (SELECT id FROM candidate ORDER BY id DESC) c
	CROSS JOIN LATERAL (
		SELECT * FROM rg.job_view w
		WHERE w.id = c.id
			AND ($5::bigint IS NULL OR w.batch_id = $5)
			AND ($6::text IS NULL OR w.name = $6)
			AND ($7::jsonb IS NULL OR w.labels @> $7)
			AND ($8::smallint IS NULL OR w.state = $8)
		OFFSET 0
	) v
	ORDER BY c.id DESC
	LIMIT $9
) page ON true
ORDER BY page.id DESC;

-- name: job_attempts
-- The attempts that ended, then the one that runs.
SELECT a.attempt, a.outcome, a.final, a.exit_code, a.message, a.worker_id,
	(extract(epoch FROM a.started_at) * 1000000)::bigint,
	(extract(epoch FROM a.finished_at) * 1000000)::bigint,
	a.cpu_us, a.memory_peak_bytes,
	(extract(epoch FROM a.finished_at - a.started_at) * 1000000)::bigint,
	a.stdout_bytes, a.stderr_bytes, to_json(a.unenforced)
FROM rg.attempt a WHERE a.job_id = $1
UNION ALL
SELECT l.attempt, NULL, false, NULL, NULL, l.worker_id,
	(extract(epoch FROM l.claimed_at) * 1000000)::bigint, NULL, NULL, NULL, NULL, NULL, NULL, NULL
FROM rg.lease l WHERE l.job_id = $1
ORDER BY 1;

-- name: job_artifacts
SELECT path, sha256, size_bytes, executable
FROM rg.artifact
WHERE job_id = $1 AND attempt = $2
ORDER BY path;

-- name: job_artifact
SELECT sha256, executable FROM rg.artifact WHERE job_id = $1 AND attempt = $2 AND path = $3;

-- name: job_output_attempt
-- The attempt whose output is meant when none is named: the running one, else the last that ended, else
-- the one that is still to come; and the state.
SELECT v.state, v.attempt, (SELECT max(a.attempt) FROM rg.attempt a WHERE a.job_id = v.id)
FROM rg.job_view v
WHERE v.id = $1 AND v.project_id = $2;

-- name: submit
SELECT id FROM rg.submit($1, $2, $3::text[], $4::text[], $5::text[], $6::smallint[]) WITH ORDINALITY AS s (id, n)
ORDER BY n;

-- name: submit_many
SELECT position, job_id, status
FROM rg.submit_many($1::bigint[], $2::text[], $3::bytea[], $4::text[], $5::text[], $6::text[], $7::smallint[]);

-- name: submit_key_begin
SELECT status, response FROM rg.submit_key_begin($1, $2, $3::bytea);

-- name: submit_key_finish
SELECT rg.submit_key_finish($1, $2, $3::json);

-- name: job_cancel
SELECT rg.cancel_job($1, $2);

-- name: job_retry
SELECT rg.retry_job($1, $2);

-- name: wake_workers
-- A commit without flush: a lost hint costs a poll.
SELECT set_config('synchronous_commit', 'off', true), pg_notify('rg_wake', '');

-- name: kill_workers
SELECT set_config('synchronous_commit', 'off', true), pg_notify('rg_kill', '');
