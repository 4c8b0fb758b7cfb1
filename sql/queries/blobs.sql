-- Which blobs a project, or a worker, may use.

-- name: blobs_missing
-- Positions, from 1, of those that the project may not use.
SELECT s.n
FROM unnest($2::bytea[]) WITH ORDINALITY AS s (sha256, n)
WHERE NOT EXISTS (SELECT FROM rg.blob b WHERE b.project_id = $1 AND b.sha256 = s.sha256)
ORDER BY s.n;

-- name: blob_get
SELECT size_bytes FROM rg.blob WHERE project_id = $1 AND sha256 = $2;

-- name: blob_add
INSERT INTO rg.blob (project_id, sha256, size_bytes) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING;

-- name: worker_blob_read
-- Whether worker $1 with the secret of SHA-256 $2 is known; whether blob $3 (hexadecimal) is an input of
-- a job that it holds.
SELECT true, EXISTS (
	SELECT FROM rg.lease l JOIN rg.job j ON j.id = l.job_id
	WHERE l.worker_id = w.id AND l.incarnation = w.incarnation
		AND strpos(j.spec::text, $3::text) > 0
		AND (j.spec #>> '{script,blob}' = $3 OR j.spec #>> '{stdin,blob}' = $3
			OR EXISTS (SELECT FROM json_array_elements(
				CASE json_typeof(j.spec -> 'files') WHEN 'array' THEN j.spec -> 'files' END) f
				WHERE f ->> 'blob' = $3)))
FROM rg.worker w
WHERE w.id = $1 AND w.blob_key_sha256 = $2 AND w.state IN (2, 3);

-- name: worker_blob_write
SELECT true, EXISTS (
	SELECT FROM rg.lease l WHERE l.worker_id = w.id AND l.incarnation = w.incarnation)
FROM rg.worker w
WHERE w.id = $1 AND w.blob_key_sha256 = $2 AND w.state IN (2, 3);

-- name: bundle_token_check
-- Whether a machine that has not enrolled yet may fetch its programs: 1 yes, 2 no longer, 0 unknown.
SELECT rg.bundle_token_check($1, $2);
