-- For the race specs, on top of tests/store/helpers.sql: a small world with fixed ids, so that what is
-- printed is always the same. Tokens stay in settings of the session that claimed.

CREATE OR REPLACE FUNCTION rg.listening_since() RETURNS timestamptz LANGUAGE sql
RETURN now() - interval '1 day';

-- Empty, but for two active workers of incarnation 1, with the logins race_a and race_b.
CREATE FUNCTION t.reset() RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	v_login text;
BEGIN
	FOREACH v_login IN ARRAY ARRAY['race_a', 'race_b'] LOOP
		IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = v_login) THEN
			EXECUTE format('CREATE ROLE %I LOGIN IN ROLE rgrid_worker', v_login);
		END IF;
	END LOOP;
	TRUNCATE rg.job, rg.ready, rg.delayed, rg.parked, rg.lease, rg.cancel_request, rg.attempt,
		rg.batch, rg.batch_delta, rg.submit_key, rg.event, rg.worker, rg.log_chunk, rg.artifact;
	INSERT INTO rg.worker (id, name, login, state, incarnation, slots, last_seen) VALUES
		(1001, 'a', 'race_a', 2, 1, 8, now()), (1002, 'b', 'race_b', 2, 1, 8, now());
END
$$;

-- Jobs from … to, ready; of batch 100, with this parallel limit, if p_limit is not NULL (0: unlimited).
CREATE FUNCTION t.jobs(p_from integer, p_to integer, p_retries integer DEFAULT 0, p_limit integer DEFAULT NULL)
RETURNS void LANGUAGE sql AS $$
	INSERT INTO rg.batch (id, project_id, parallel_limit) SELECT 100, 1, nullif(p_limit, 0)
		WHERE p_limit IS NOT NULL ON CONFLICT DO NOTHING;
	INSERT INTO rg.batch_delta (batch_id, total) SELECT 100, p_to - p_from + 1 WHERE p_limit IS NOT NULL;
	INSERT INTO rg.job (id, project_id, batch_id, batch_index, spec, max_retries)
		SELECT i, 1, CASE WHEN p_limit IS NOT NULL THEN 100 END, i - 1, t.spec()::json, p_retries
		FROM generate_series(p_from, p_to) AS i;
	INSERT INTO rg.ready (job_id, attempt, gate_id)
		SELECT i, 1, CASE WHEN p_limit > 0 THEN 100 END FROM generate_series(p_from, p_to) AS i
		WHERE p_limit IS NULL OR p_limit = 0 OR i < p_from + p_limit;
	INSERT INTO rg.parked (job_id, attempt, gate_id)
		SELECT i, 1, 100 FROM generate_series(p_from, p_to) AS i
		WHERE p_limit > 0 AND i >= p_from + p_limit;
$$;

-- Claims one job and remembers the lease. "job/attempt", or nothing.
CREATE FUNCTION t.take(p_incarnation integer DEFAULT 1) RETURNS text LANGUAGE sql AS $$
	SELECT set_config('t.job', job::text, false) || '/' || set_config('t.attempt', attempt::text, false)
		|| left(set_config('t.token', token::text, false), 0)
	FROM t.claim(p_incarnation, 1)
$$;

-- Tells the end of what was taken last: 1 recorded, 2 already, 3 lost.
CREATE FUNCTION t.done(p_outcome integer DEFAULT 1, p_incarnation integer DEFAULT 1) RETURNS smallint
LANGUAGE sql AS $$
	SELECT t.finish(p_incarnation, current_setting('t.job')::bigint, current_setting('t.attempt')::integer,
		current_setting('t.token')::bigint, p_outcome)
$$;

CREATE FUNCTION t.release(p_incarnation integer DEFAULT 1) RETURNS smallint LANGUAGE sql AS $$
	SELECT rg_worker.release(p_incarnation, ARRAY[current_setting('t.job')::bigint],
		ARRAY[current_setting('t.attempt')::integer], ARRAY[current_setting('t.token')::bigint])
$$;

-- "job/attempt/cancelled" of what is to be stopped.
CREATE FUNCTION t.beat(p_incarnation integer DEFAULT 1) RETURNS text LANGUAGE sql AS $$
	SELECT coalesce(string_agg(format('%s/%s/%s', job_id, attempt, cancelled), ' '), 'go on')
	FROM rg_worker.heartbeat(p_incarnation, ARRAY[current_setting('t.job')::bigint],
		ARRAY[current_setting('t.attempt')::integer], ARRAY[current_setting('t.token')::bigint])
	WHERE job_id IS NOT NULL
$$;

-- Hands a lease to another session of the same worker, as after a reconnect.
CREATE TABLE t.memory (job text, attempt text, token text);
CREATE FUNCTION t.remember() RETURNS void LANGUAGE sql SECURITY DEFINER AS $$
	DELETE FROM t.memory;
	INSERT INTO t.memory SELECT current_setting('t.job'), current_setting('t.attempt'),
		current_setting('t.token');
$$;
CREATE FUNCTION t.recall() RETURNS void LANGUAGE sql SECURITY DEFINER AS $$
	SELECT set_config('t.job', job, false), set_config('t.attempt', attempt, false),
		set_config('t.token', token, false) FROM t.memory;
$$;

CREATE FUNCTION t.silence(p_name text) RETURNS void LANGUAGE sql AS $$
	UPDATE rg.worker SET last_seen = now() - interval '35 s' WHERE name = p_name
$$;

CREATE FUNCTION t.due() RETURNS void LANGUAGE sql AS $$
	UPDATE rg.delayed SET run_at = now() - interval '1 s'
$$;

-- One job with the key "k", of a request with this digest.
CREATE FUNCTION t.submit_once(p_request text) RETURNS TABLE (job_id bigint, status smallint) LANGUAGE sql AS $$
	SELECT job_id, status FROM rg.submit_many('{1}', '{k}', ARRAY[p_request::bytea], ARRAY[t.spec()],
		'{NULL}', '{NULL}', '{0}')
$$;

-- Each job's place, then what is wrong, if anything.
CREATE FUNCTION t.all() RETURNS SETOF text LANGUAGE sql AS $$
	(SELECT id || ': ' || t.place(id) FROM rg.job ORDER BY id)
	UNION ALL
	SELECT 'VIOLATION ' || v FROM t.violations() AS v
$$;
