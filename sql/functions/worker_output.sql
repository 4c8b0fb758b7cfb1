-- What an attempt leaves behind: its log and its files. Both are taken while the lease is held, and
-- a repeated sending is told "already" (2) also afterwards; anything else is "lost" (3).

-- Whether the caller holds the lease of this attempt.
CREATE FUNCTION rg.lease_is_held(p_worker bigint, p_incarnation integer, p_job bigint,
	p_attempt integer, p_token bigint) RETURNS boolean
LANGUAGE plpgsql
AS $$
BEGIN
	RETURN EXISTS (SELECT FROM rg.lease l
		WHERE l.job_id = p_job AND l.attempt = p_attempt AND l.token = p_token
			AND l.worker_id + 0 = p_worker AND l.incarnation = p_incarnation);
END
$$;

-- Whether the caller itself has ended this attempt.
CREATE FUNCTION rg.attempt_was_ended_by(p_worker bigint, p_job bigint, p_attempt integer,
	p_token bigint) RETURNS boolean
LANGUAGE plpgsql
AS $$
BEGIN
	RETURN EXISTS (SELECT FROM rg.attempt a
		WHERE a.job_id = p_job AND a.attempt = p_attempt AND a.token = p_token
			AND a.worker_id = p_worker);
END
$$;

CREATE FUNCTION rg_worker.log_append(p_incarnation integer, p_job bigint, p_attempt integer,
	p_token bigint, p_seq integer, p_stream smallint, p_start bigint, p_data bytea)
RETURNS smallint
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_mergejoin = off
SET enable_hashjoin = off SET jit = off
AS $$
DECLARE
	v_worker bigint;
BEGIN
	IF octet_length(p_data) NOT BETWEEN 1 AND 65536 OR p_start < 0 OR p_start > 1073741824
			OR p_seq < 0 THEN
		RAISE EXCEPTION 'a log chunk has 1 to 65536 bytes within the first GiB of its stream'
			USING ERRCODE = 'RG422';
	END IF;
	SELECT s.worker_id INTO v_worker FROM rg.session_worker(p_incarnation) AS s;
	IF rg.lease_is_held(v_worker, p_incarnation, p_job, p_attempt, p_token) THEN
		INSERT INTO rg.log_chunk (job_id, attempt, seq, stream, start, data)
		VALUES (p_job, p_attempt, p_seq, p_stream, p_start, p_data)
		ON CONFLICT DO NOTHING;
		RETURN CASE WHEN FOUND THEN 1 ELSE 2 END;
	END IF;
	IF rg.attempt_was_ended_by(v_worker, p_job, p_attempt, p_token)
			AND EXISTS (SELECT FROM rg.log_chunk c
				WHERE c.job_id = p_job AND c.attempt = p_attempt AND c.seq = p_seq) THEN
		RETURN 2;
	END IF;
	RETURN 3;
END
$$;

-- All artifacts of an attempt, or one page of them. Their blobs become the job's project's own.
CREATE FUNCTION rg_worker.artifacts_add(p_incarnation integer, p_job bigint, p_attempt integer,
	p_token bigint, p_path text[], p_sha256 bytea[], p_size bigint[], p_executable boolean[])
RETURNS smallint
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_mergejoin = off
SET enable_hashjoin = off SET jit = off
AS $$
DECLARE
	v_worker bigint;
	v_held   boolean;
	v_count  bigint;
BEGIN
	PERFORM rg.check_arrays(10000, cardinality(p_path), cardinality(p_sha256), cardinality(p_size),
		cardinality(p_executable));
	IF EXISTS (SELECT FROM unnest(p_path, p_sha256, p_size) AS i (path, sha256, size)
			WHERE octet_length(i.path) NOT BETWEEN 1 AND 4096 OR octet_length(i.sha256) <> 32
				OR i.size < 0) THEN
		RAISE EXCEPTION 'an artifact has a path of 1 to 4096 bytes, a SHA-256 and a size'
			USING ERRCODE = 'RG422';
	END IF;
	SELECT s.worker_id INTO v_worker FROM rg.session_worker(p_incarnation) AS s;
	v_held := rg.lease_is_held(v_worker, p_incarnation, p_job, p_attempt, p_token);
	IF NOT v_held AND NOT rg.attempt_was_ended_by(v_worker, p_job, p_attempt, p_token) THEN
		RETURN 3;
	END IF;
	SELECT count(*) INTO v_count FROM unnest(p_path, p_sha256) AS i (path, sha256)
	JOIN rg.artifact a ON a.job_id = p_job AND a.attempt = p_attempt AND a.path = i.path
		AND a.sha256 = i.sha256;
	IF v_count = cardinality(p_path) THEN
		RETURN 2;
	END IF;
	IF NOT v_held THEN
		RETURN 3;
	END IF;
	INSERT INTO rg.blob (project_id, sha256, size_bytes)
	SELECT DISTINCT ON (i.sha256) j.project_id, i.sha256, i.size
	FROM unnest(p_sha256, p_size) AS i (sha256, size), rg.job j WHERE j.id = p_job
	ORDER BY i.sha256
	ON CONFLICT DO NOTHING;
	INSERT INTO rg.artifact (job_id, attempt, path, sha256, size_bytes, executable)
	SELECT p_job, p_attempt, i.path, i.sha256, i.size, i.executable
	FROM unnest(p_path, p_sha256, p_size, p_executable) AS i (path, sha256, size, executable)
	ON CONFLICT DO NOTHING;
	RETURN 1;
END
$$;
