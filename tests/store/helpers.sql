-- Short words for tests of the queue, in a schema of their own that every login may use.

CREATE SCHEMA t;
GRANT USAGE ON SCHEMA t TO PUBLIC;
INSERT INTO rg.project (id, name) VALUES (1, 'one'), (2, 'two');

CREATE FUNCTION t.spec() RETURNS text LANGUAGE sql
RETURN '{"runtime": "bash", "script": {"name": "a.sh", "content": "true"}}';

-- n jobs of project 1; p_batch NULL: of no batch.
CREATE FUNCTION t.submit(n integer, p_batch bigint DEFAULT NULL, p_retries smallint DEFAULT 0)
RETURNS SETOF bigint LANGUAGE sql AS $$
	SELECT rg.submit(1, p_batch, array_fill(t.spec(), ARRAY[n]), array_fill(NULL::text, ARRAY[n]),
		array_fill(NULL::text, ARRAY[n]), array_fill(p_retries, ARRAY[n]))
$$;

CREATE FUNCTION t.join(slots integer DEFAULT 8) RETURNS integer LANGUAGE sql AS $$
	SELECT incarnation FROM rg_worker.join(slots, 1000, 1 << 30, 'host', '0.1', '{}',
		decode(repeat('ab', 32), 'hex'))
$$;

CREATE FUNCTION t.claim(p_incarnation integer, p_want integer, p_floor bigint DEFAULT 0)
RETURNS TABLE (job bigint, attempt integer, token bigint) LANGUAGE sql AS $$
	SELECT job_id, attempt, token FROM rg_worker.step(p_incarnation, '{}', '{}', '{}', '{}', '{}', '{}',
		'{}', '{}', '{}', '{}', '{}', '{}', '{}', p_want, p_floor) WHERE kind = 2
$$;

CREATE FUNCTION t.finish(p_incarnation integer, p_job bigint, p_attempt integer, p_token bigint,
	p_outcome integer DEFAULT 1) RETURNS smallint LANGUAGE sql AS $$
	SELECT verdict FROM rg_worker.step(p_incarnation, ARRAY[p_job], ARRAY[p_attempt], ARRAY[p_token],
		ARRAY[p_outcome::smallint], ARRAY[CASE WHEN p_outcome = 1 THEN 0 ELSE 1 END],
		ARRAY[NULL::text], ARRAY[true], ARRAY[1500000::bigint], ARRAY[1000::bigint],
		ARRAY[4096::bigint], ARRAY[3::bigint], ARRAY[4::bigint], ARRAY['memory,pids'], 0, 0)
	WHERE kind = 1
$$;

-- Where a job stands: "ready 1", "lease 2", "delayed 2", "parked 1", or of the last attempt "ended 1 5"
-- (number, outcome).
CREATE FUNCTION t.place(p_job bigint) RETURNS text LANGUAGE sql STABLE SECURITY DEFINER AS $$
	SELECT coalesce(string_agg(place, '+'),
		(SELECT format('ended %s %s', attempt, outcome) FROM rg.attempt
			WHERE job_id = p_job AND final ORDER BY attempt DESC LIMIT 1), 'nowhere')
	FROM (SELECT 'ready ' || attempt AS place FROM rg.ready WHERE job_id = p_job
		UNION ALL SELECT 'delayed ' || attempt FROM rg.delayed WHERE job_id = p_job
		UNION ALL SELECT 'parked ' || attempt FROM rg.parked WHERE job_id = p_job
		UNION ALL SELECT 'lease ' || attempt FROM rg.lease WHERE job_id = p_job) AS p
$$;

-- Folded and unfolded together: "total completed failed cancelled".
CREATE FUNCTION t.counts(p_batch bigint) RETURNS text LANGUAGE sql STABLE SECURITY DEFINER AS $$
	SELECT format('%s %s %s %s', b.total + coalesce(sum(d.total), 0),
		b.completed + coalesce(sum(d.completed), 0), b.failed + coalesce(sum(d.failed), 0),
		b.cancelled + coalesce(sum(d.cancelled), 0))
	FROM rg.batch b LEFT JOIN rg.batch_delta d ON d.batch_id = b.id WHERE b.id = p_batch GROUP BY b.id
$$;

-- What must hold whenever nobody is in the middle of a transaction; one line per violation.
CREATE FUNCTION t.violations() RETURNS SETOF text LANGUAGE sql STABLE SECURITY DEFINER AS $$
	WITH place AS MATERIALIZED (
		SELECT job_id, attempt, gate_id, 'ready' AS name FROM rg.ready
		UNION ALL SELECT job_id, attempt, gate_id, 'delayed' FROM rg.delayed
		UNION ALL SELECT job_id, attempt, gate_id, 'parked' FROM rg.parked
		UNION ALL SELECT job_id, attempt, gate_id, 'lease' FROM rg.lease),
	standing AS MATERIALIZED (
		SELECT j.id, j.batch_id, count(p.job_id) AS places, max(p.attempt) AS planned
		FROM rg.job j LEFT JOIN place p ON p.job_id = j.id GROUP BY j.id),
	history AS MATERIALIZED (
		SELECT job_id, count(*) AS attempts, max(attempt) AS last,
			(array_agg(final ORDER BY attempt DESC))[1] AS final,
			(array_agg(outcome ORDER BY attempt DESC))[1] AS outcome
		FROM rg.attempt GROUP BY job_id)
	SELECT format('job %s stands in %s places', id, places) FROM standing WHERE places > 1
	UNION ALL SELECT format('job %s is neither queued nor ended', s.id)
		FROM standing s LEFT JOIN history h ON h.job_id = s.id
		WHERE s.places = 0 AND NOT coalesce(h.final, false)
	UNION ALL SELECT format('job %s: attempt %s planned after %s', s.id, s.planned, h.last)
		FROM standing s LEFT JOIN history h ON h.job_id = s.id
		WHERE s.places = 1 AND s.planned <> coalesce(h.last, 0) + 1
	UNION ALL SELECT format('job %s has gaps between its attempts', job_id)
		FROM history WHERE attempts <> last
	UNION ALL SELECT format('%s of job %s, which does not exist', name, job_id)
		FROM place p WHERE NOT EXISTS (SELECT FROM rg.job j WHERE j.id = p.job_id)
	UNION ALL SELECT format('gate %s: %s of %s', b.id, count(*), b.parallel_limit)
		FROM place p JOIN rg.batch b ON b.id = p.gate_id WHERE p.name IN ('ready', 'lease')
		GROUP BY b.id HAVING count(*) > b.parallel_limit
	UNION ALL SELECT format('job %s in %s with gate %s', p.job_id, p.name, p.gate_id)
		FROM place p JOIN rg.job j ON j.id = p.job_id LEFT JOIN rg.batch b ON b.id = j.batch_id
		WHERE p.gate_id IS DISTINCT FROM CASE WHEN b.parallel_limit IS NOT NULL THEN b.id END
	UNION ALL SELECT format('job %s is held, its project is not', d.job_id)
		FROM rg.delayed d JOIN rg.job j ON j.id = d.job_id JOIN rg.project p ON p.id = j.project_id
		WHERE d.run_at = 'infinity' AND p.held_at IS NULL
	UNION ALL SELECT format('request to cancel %s, which is not leased', c.job_id)
		FROM rg.cancel_request c WHERE NOT EXISTS (
			SELECT FROM rg.lease l WHERE l.job_id = c.job_id)
	UNION ALL SELECT format('batch %s counts "%s", has "%s"', b.id, t.counts(b.id), r.counts)
		FROM rg.batch b, LATERAL (SELECT format('%s %s %s %s', count(*),
				count(*) FILTER (WHERE s.places = 0 AND h.outcome = 1),
				count(*) FILTER (WHERE s.places = 0 AND h.outcome NOT IN (1, 5)),
				count(*) FILTER (WHERE s.places = 0 AND h.outcome = 5)) AS counts
			FROM standing s LEFT JOIN history h ON h.job_id = s.id WHERE s.batch_id = b.id) AS r
		WHERE t.counts(b.id) <> r.counts
$$;
