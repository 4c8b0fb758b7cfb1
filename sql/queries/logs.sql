-- Output of attempts.

-- name: log_page
-- Chunks after $3 of the streams in the mask $4.
SELECT seq, data FROM rg.log_chunk
WHERE job_id = $1 AND attempt = $2 AND seq > $3 AND (1 << stream) & $4::integer <> 0
ORDER BY seq LIMIT $5;

-- name: log_page_back
-- Chunks before $3, but not before $5, latest first.
SELECT seq, data FROM rg.log_chunk
WHERE job_id = $1 AND attempt = $2 AND seq < $3 AND seq > $5 AND (1 << stream) & $4::integer <> 0
ORDER BY seq DESC LIMIT $6;

-- name: log_since
-- The last chunk that is older than an instant ($3), or than a time ago ($4), in microseconds; -1: none.
SELECT coalesce((
	SELECT seq - 1 FROM rg.log_chunk
	WHERE job_id = $1 AND attempt = $2
		AND at >= coalesce('epoch'::timestamptz + $3::bigint * interval '1 microsecond',
			now() - $4::bigint * interval '1 microsecond')
	ORDER BY seq LIMIT 1), (
	SELECT max(seq) FROM rg.log_chunk WHERE job_id = $1 AND attempt = $2), -1);

-- name: log_follow
-- For each follower (job, attempt, last chunk it has) the job's state, and its next chunks. State and
-- chunks are of one snapshot: a job seen as ended has no later chunks.
SELECT f.position, c.seq, c.stream, c.start, (extract(epoch FROM c.at) * 1000000)::bigint, c.data, v.*
FROM unnest($1::bigint[], $2::integer[], $3::integer[]) WITH ORDINALITY
	AS f (job_id, attempt, after, position)
CROSS JOIN LATERAL (SELECT * FROM rg.job_view w WHERE w.id = f.job_id OFFSET 0) v
LEFT JOIN LATERAL (
	SELECT * FROM rg.log_chunk l
	WHERE l.job_id = f.job_id AND l.attempt = f.attempt AND l.seq > f.after
	ORDER BY l.seq LIMIT $4
) c ON true
ORDER BY f.position, c.seq;
