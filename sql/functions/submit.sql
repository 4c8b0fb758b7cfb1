-- Jobs come in: one by one or many at once, with or without a batch, each at most once per key.

-- Notes which of the jobs need more than one that asks for nothing. An id that is not used in the end
-- does no harm.
CREATE FUNCTION rg.job_sizes_note(p_job bigint[], p_spec text[]) RETURNS void
LANGUAGE sql
AS $$
	INSERT INTO rg.job_size (job_id, cpu_millis, memory_bytes)
	SELECT i.job_id, s.cpu_millis, s.memory_bytes
	FROM unnest(p_job, p_spec) AS i (job_id, spec)
	CROSS JOIN LATERAL (SELECT i.spec::json -> 'limits' AS limits) AS l
	CROSS JOIN LATERAL (SELECT
		coalesce(round((l.limits ->> 'cpus')::numeric * 1000), 1000)::integer AS cpu_millis,
		coalesce((l.limits ->> 'memory_bytes')::bigint, 536870912) AS memory_bytes) AS s
	WHERE s.cpu_millis > 1000 OR s.memory_bytes > 536870912
	ON CONFLICT DO NOTHING;
$$;

-- New or ended jobs wait for workers: held with their project, at their batch's parallel limit, or ready.
-- p_batch: the batch of all of them, NULL for none.
CREATE FUNCTION rg.jobs_enqueue(p_project bigint, p_batch bigint, p_job bigint[], p_attempt integer[])
RETURNS void
LANGUAGE plpgsql
AS $$
DECLARE
	v_gate bigint;
BEGIN
	SELECT b.id INTO v_gate FROM rg.batch b WHERE b.id = p_batch AND b.parallel_limit IS NOT NULL;
	IF cardinality(rg.projects_held(ARRAY[p_project])) > 0 THEN
		INSERT INTO rg.delayed (job_id, attempt, gate_id, run_at, reason)
		SELECT i.job_id, i.attempt, v_gate, 'infinity', rg.hold_reason()
		FROM unnest(p_job, p_attempt) AS i (job_id, attempt);
	ELSIF v_gate IS NOT NULL THEN
		PERFORM rg.gate_enter(v_gate, p_job, p_attempt);
	ELSE
		INSERT INTO rg.ready (job_id, attempt)
		SELECT i.job_id, i.attempt FROM unnest(p_job, p_attempt) AS i (job_id, attempt)
		ORDER BY i.job_id;
	END IF;
END
$$;

-- Inserts specs and makes them wait for workers. Returns the ids in the order given.
-- p_batch NULL: jobs of their own.
CREATE FUNCTION rg.submit(p_project bigint, p_batch bigint, p_spec text[], p_name text[],
	p_labels text[], p_retries smallint[]) RETURNS SETOF bigint
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_count integer := cardinality(p_spec);
	v_ids   bigint[];
	v_first integer;
	v_cancelled_at timestamptz;
BEGIN
	PERFORM rg.check_arrays(10000, v_count, cardinality(p_name), cardinality(p_labels),
		cardinality(p_retries));
	IF p_batch IS NOT NULL THEN
		PERFORM pg_advisory_xact_lock(-p_batch);
		SELECT b.cancelled_at INTO v_cancelled_at
		FROM rg.batch b WHERE b.id = p_batch AND b.project_id = p_project;
		IF NOT FOUND THEN
			RAISE EXCEPTION 'there is no such batch' USING ERRCODE = 'RG404';
		END IF;
		IF v_cancelled_at IS NOT NULL THEN
			RAISE EXCEPTION 'the batch is cancelled' USING ERRCODE = 'RG409',
				HINT = 'submit a new batch, or retry this one first';
		END IF;
		SELECT b.total + coalesce((SELECT sum(d.total) FROM rg.batch_delta d
			WHERE d.batch_id = p_batch), 0)
		INTO v_first FROM rg.batch b WHERE b.id = p_batch;
	END IF;

	v_ids := ARRAY(SELECT rg.new_id() FROM generate_series(1, v_count));
	INSERT INTO rg.job (id, project_id, batch_id, batch_index, name, spec, labels, max_retries)
	SELECT v_ids[i.position], p_project, p_batch, v_first + i.position - 1, i.name, i.spec::json,
		i.labels::jsonb, coalesce(i.retries, 0)
	FROM unnest(p_spec, p_name, p_labels, p_retries)
		WITH ORDINALITY AS i (spec, name, labels, retries, position);
	PERFORM rg.job_sizes_note(v_ids, p_spec);
	PERFORM rg.jobs_enqueue(p_project, p_batch, v_ids, array_fill(1, ARRAY[v_count]));
	IF p_batch IS NOT NULL THEN
		INSERT INTO rg.batch_delta (batch_id, total) VALUES (p_batch, v_count);
	END IF;
	RETURN QUERY SELECT unnest(v_ids);
END
$$;

-- Single submissions of several requests, perhaps of several projects, in one transaction. An
-- element's key may be NULL. status: 1 created; 2 replayed, with the job of the first time; 3 the
-- key was used for another request (no job).
CREATE FUNCTION rg.submit_many(p_project bigint[], p_key text[], p_request_sha256 bytea[],
	p_spec text[], p_name text[], p_labels text[], p_retries smallint[])
RETURNS TABLE ("position" integer, job_id bigint, status smallint)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
	v_count integer := cardinality(p_spec);
	v_ids   bigint[];
	v_new   boolean[];
	v_held  bigint[]; -- projects whose jobs wait for money
BEGIN
	PERFORM rg.check_arrays(10000, v_count, cardinality(p_project), cardinality(p_key),
		cardinality(p_request_sha256), cardinality(p_name), cardinality(p_labels),
		cardinality(p_retries));
	v_ids := ARRAY(SELECT rg.new_id() FROM generate_series(1, v_count));

	-- Ordered by key, so that two calls with keys in common wait for each other instead of
	-- deadlocking. Of equal keys in one call the first wins.
	WITH won AS (
		INSERT INTO rg.submit_key (project_id, key, request_sha256, response)
		SELECT DISTINCT ON (i.project_id, i.key) i.project_id, i.key, i.request_sha256,
			json_build_object('job', v_ids[i.position])
		FROM unnest(p_project, p_key, p_request_sha256)
			WITH ORDINALITY AS i (project_id, key, request_sha256, position)
		WHERE i.key IS NOT NULL
		ORDER BY i.project_id, i.key, i.position
		ON CONFLICT DO NOTHING
		RETURNING (response ->> 'job')::bigint AS id)
	SELECT array_agg(i.key IS NULL OR w.id IS NOT NULL ORDER BY i.position) INTO v_new
	FROM unnest(p_key, v_ids) WITH ORDINALITY AS i (key, id, position) LEFT JOIN won w ON w.id = i.id;

	INSERT INTO rg.job (id, project_id, name, spec, labels, max_retries)
	SELECT v_ids[i.position], i.project_id, i.name, i.spec::json, i.labels::jsonb,
		coalesce(i.retries, 0)
	FROM unnest(p_project, p_spec, p_name, p_labels, p_retries)
		WITH ORDINALITY AS i (project_id, spec, name, labels, retries, position)
	WHERE v_new[i.position];
	PERFORM rg.job_sizes_note(v_ids, p_spec);
	v_held := rg.projects_held(p_project);
	INSERT INTO rg.ready (job_id, attempt)
	SELECT i.id, 1 FROM unnest(v_ids, v_new, p_project) AS i (id, is_new, project)
	WHERE i.is_new AND i.project <> ALL (v_held);
	IF cardinality(v_held) > 0 THEN
		INSERT INTO rg.delayed (job_id, attempt, run_at, reason)
		SELECT i.id, 1, 'infinity', rg.hold_reason()
		FROM unnest(v_ids, v_new, p_project) AS i (id, is_new, project)
		WHERE i.is_new AND i.project = ANY (v_held);
	END IF;

	RETURN QUERY
	SELECT i.position::integer,
		CASE WHEN i.is_new THEN i.id
			WHEN k.request_sha256 = i.request_sha256 THEN (k.response ->> 'job')::bigint END,
		CASE WHEN i.is_new THEN 1 WHEN k.request_sha256 = i.request_sha256 THEN 2 ELSE 3
		END::smallint
	FROM unnest(p_project, p_key, p_request_sha256, v_ids, v_new)
		WITH ORDINALITY AS i (project_id, key, request_sha256, id, is_new, position)
	LEFT JOIN rg.submit_key k ON NOT i.is_new AND k.project_id = i.project_id AND k.key = i.key
	ORDER BY i.position;
END
$$;

-- For submissions of several statements. 1: the key is ours, go on in this transaction and end with
-- submit_key_finish; 2: it was answered before, with this response; 3: it was used for another
-- request. Waits for a transaction that is using the same key at this moment.
CREATE FUNCTION rg.submit_key_begin(p_project bigint, p_key text, p_request_sha256 bytea,
	OUT status smallint, OUT response json)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_sha256 bytea;
BEGIN
	INSERT INTO rg.submit_key (project_id, key, request_sha256, response)
	VALUES (p_project, p_key, p_request_sha256, 'null')
	ON CONFLICT DO NOTHING;
	IF FOUND THEN
		status := 1;
		RETURN;
	END IF;
	SELECT k.request_sha256, k.response INTO v_sha256, response
	FROM rg.submit_key k WHERE k.project_id = p_project AND k.key = p_key;
	IF NOT FOUND THEN
		RAISE EXCEPTION 'the idempotency key expired at this moment' USING ERRCODE = 'RG409',
			HINT = 'send the request again';
	END IF;
	IF v_sha256 <> p_request_sha256 THEN
		status := 3;
		response := NULL;
	ELSE
		status := 2;
	END IF;
END
$$;

CREATE FUNCTION rg.submit_key_finish(p_project bigint, p_key text, p_response json) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	UPDATE rg.submit_key k SET response = p_response WHERE k.project_id = p_project AND k.key = p_key;
END
$$;

-- p_parallel, p_max_fails: NULL for none.
CREATE FUNCTION rg.batch_create(p_project bigint, p_name text, p_labels text, p_parallel integer,
	p_max_fails integer) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_id bigint;
BEGIN
	INSERT INTO rg.batch (project_id, name, labels, parallel_limit, max_fails)
	VALUES (p_project, p_name, coalesce(p_labels, '{}')::jsonb, p_parallel, p_max_fails)
	RETURNING id INTO v_id;
	RETURN v_id;
END
$$;
