-- The fleet's rows as the leading orchestrator changes them: struct fleet_store of
-- src/orchestrator/ports.h. Every change carries the fence of its leader.

-- Takes or renews the lead for p_ttl. It is free when it has run out, or when the session of its
-- holder is gone.
CREATE FUNCTION rg.fleet_lead(p_holder text, p_ttl interval, OUT leads boolean, OUT fence bigint,
	OUT now_us bigint)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
BEGIN
	UPDATE rg.leader l SET fence = l.fence + (l.holder IS DISTINCT FROM p_holder)::integer,
		holder = p_holder, holder_pid = pg_backend_pid(), until_at = clock_timestamp() + p_ttl
	WHERE l.holder = p_holder OR l.until_at < clock_timestamp()
		OR NOT EXISTS (SELECT FROM pg_stat_activity s WHERE s.pid = l.holder_pid)
	RETURNING l.fence INTO fence;
	leads := FOUND;
	now_us := (extract(epoch FROM clock_timestamp()) * 1000000)::bigint;
END
$$;

-- A leader that ends in order leaves the lead to others at once.
CREATE FUNCTION rg.fleet_resign(p_holder text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	UPDATE rg.leader l SET until_at = '-infinity', holder_pid = NULL WHERE l.holder = p_holder;
END
$$;

-- Nobody can take the lead over while the caller's transaction lasts.
CREATE FUNCTION rg.fleet_fence(p_fence bigint) RETURNS void
LANGUAGE plpgsql
AS $$
BEGIN
	PERFORM FROM rg.leader l WHERE l.fence = p_fence FOR SHARE;
	IF NOT FOUND THEN
		RAISE EXCEPTION 'another orchestrator leads' USING ERRCODE = 'RG403';
	END IF;
END
$$;

CREATE FUNCTION rg.fleet_note(p_kind text, p_worker bigint, p_rule integer, p_reason text, p_key text)
RETURNS void
LANGUAGE sql
AS $$
	INSERT INTO rg.event (kind, worker_id, rule, reason, key)
	VALUES (p_kind, nullif(p_worker, 0), p_rule, p_reason, p_key);
$$;

CREATE FUNCTION rg.fleet_event(p_fence bigint, p_kind text, p_worker bigint, p_rule integer,
	p_reason text, p_key text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	PERFORM rg.fleet_fence(p_fence);
	PERFORM rg.fleet_note(p_kind, p_worker, p_rule, p_reason, p_key);
END
$$;

-- The intent: the row of a worker that is to be, and its login. p_name is a prefix.
CREATE FUNCTION rg.fleet_intend(p_fence bigint, p_name text, p_password text, p_server_type text,
	p_location text, p_cpu_millis bigint, p_memory_bytes bigint, p_price bigint, p_hour_ms integer,
	p_slots integer, p_sized boolean, p_rule integer, p_reason text, p_key text, OUT id bigint,
	OUT login text)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
BEGIN
	PERFORM rg.fleet_fence(p_fence);
	SELECT c.id, c.login INTO id, login FROM rg.worker_create(p_name, p_password) AS c;
	UPDATE rg.worker w SET server_type = p_server_type, location = p_location,
		cpu_millis = nullif(p_cpu_millis, 0), memory_bytes = nullif(p_memory_bytes, 0),
		price_hour_micros = p_price, hour_ms = p_hour_ms, slots = p_slots,
		claim_cpu_millis = CASE WHEN p_sized THEN nullif(p_cpu_millis, 0) END,
		claim_memory_bytes = CASE WHEN p_sized THEN nullif(p_memory_bytes, 0) END
	WHERE w.id = id;
	PERFORM rg.fleet_note('worker.create', id, p_rule, p_reason, p_key);
END
$$;

CREATE FUNCTION rg.fleet_record_server(p_fence bigint, p_worker bigint, p_server bigint,
	p_created_us bigint, p_actions bigint[], p_rule integer, p_reason text, p_key text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	PERFORM rg.fleet_fence(p_fence);
	UPDATE rg.worker w SET server_id = p_server,
		server_created_at = 'epoch'::timestamptz + p_created_us * interval '1 microsecond',
		pending_actions = CASE WHEN cardinality(p_actions) > 0 THEN p_actions END, gone_at = NULL
	WHERE w.id = p_worker AND w.server_id IS NULL;
	IF FOUND THEN
		PERFORM rg.fleet_note('worker.server', p_worker, p_rule, p_reason, p_key);
	ELSIF NOT EXISTS (SELECT FROM rg.worker w WHERE w.id = p_worker AND w.server_id = p_server) THEN
		RAISE EXCEPTION 'the worker is not there, or has another server' USING ERRCODE = 'RG409';
	END IF;
END
$$;

CREATE FUNCTION rg.fleet_settle(p_fence bigint, p_worker bigint, p_failed boolean, p_message text)
RETURNS void
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	PERFORM rg.fleet_fence(p_fence);
	UPDATE rg.worker w SET pending_actions = NULL, creation_failed = p_failed
	WHERE w.id = p_worker AND w.pending_actions IS NOT NULL;
	IF FOUND THEN
		PERFORM rg.fleet_note(CASE WHEN p_failed THEN 'worker.creation_failed'
			ELSE 'worker.provisioned' END, p_worker, NULL, coalesce(left(p_message, 500), ''), NULL);
	END IF;
END
$$;

CREATE FUNCTION rg.fleet_drain(p_fence bigint, p_worker bigint, p_cause smallint, p_rule integer,
	p_reason text, p_key text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	PERFORM rg.fleet_fence(p_fence);
	-- An operator's wish is not forgotten over one of the fleet's own.
	UPDATE rg.worker w SET state = 3,
		drain_cause = CASE WHEN w.state = 3 AND w.drain_cause = 6 THEN 6 ELSE p_cause END,
		drain_at = CASE WHEN w.state = 3 THEN w.drain_at ELSE clock_timestamp() END
	WHERE w.id = p_worker AND w.state <= 3;
	IF NOT FOUND THEN
		RAISE EXCEPTION 'the worker has ended' USING ERRCODE = 'RG409';
	END IF;
	PERFORM rg.fleet_note('worker.drain', p_worker, p_rule, p_reason, p_key);
END
$$;

CREATE FUNCTION rg.fleet_undrain(p_fence bigint, p_worker bigint, p_rule integer, p_reason text,
	p_key text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	PERFORM rg.fleet_fence(p_fence);
	UPDATE rg.worker w SET state = CASE WHEN w.joined_at IS NULL THEN 1 ELSE 2 END,
		drain_cause = NULL, drain_at = NULL
	WHERE w.id = p_worker AND w.state = 3 AND w.drain_cause IS DISTINCT FROM 6;
	IF NOT FOUND THEN
		RAISE EXCEPTION 'the worker does not drain, or an operator wants it to'
			USING ERRCODE = 'RG409';
	END IF;
	PERFORM rg.fleet_note('worker.undrain', p_worker, p_rule, p_reason, p_key);
END
$$;

-- Returns the number of jobs that are requeued.
CREATE FUNCTION rg.fleet_end(p_fence bigint, p_worker bigint, p_state smallint, p_only_drained boolean,
	p_rule integer, p_reason text, p_key text) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_state smallint;
	v_count bigint;
BEGIN
	PERFORM rg.fleet_fence(p_fence);
	-- Claims hold this lock shared: none is under way once we have it.
	PERFORM pg_advisory_xact_lock(p_worker);
	-- Nor does anybody take it back meanwhile.
	SELECT w.state INTO v_state FROM rg.worker w WHERE w.id = p_worker FOR UPDATE;
	IF p_only_drained AND v_state <= 3 AND EXISTS (
			SELECT FROM rg.lease l WHERE l.worker_id = p_worker) THEN
		RAISE EXCEPTION 'the worker has jobs' USING ERRCODE = 'RG409';
	END IF;
	IF p_only_drained AND v_state <= 2 THEN
		RAISE EXCEPTION 'the worker does not drain any more' USING ERRCODE = 'RG409';
	END IF;
	v_count := rg.worker_dead(p_worker, p_reason, p_state);
	IF v_state <= 3 THEN
		PERFORM rg.fleet_note('worker.end', p_worker, p_rule, p_reason, p_key);
	END IF;
	RETURN v_count;
END
$$;

CREATE FUNCTION rg.fleet_server_deleting(p_fence bigint, p_worker bigint, p_at_us bigint) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	PERFORM rg.fleet_fence(p_fence);
	UPDATE rg.worker w SET delete_at = 'epoch'::timestamptz + p_at_us * interval '1 microsecond'
	WHERE w.id = p_worker AND w.state > 3;
END
$$;

CREATE FUNCTION rg.fleet_server_gone(p_fence bigint, p_worker bigint, p_rule integer, p_reason text,
	p_key text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	PERFORM rg.fleet_fence(p_fence);
	UPDATE rg.worker w SET gone_at = clock_timestamp()
	WHERE w.id = p_worker AND w.state > 3 AND w.gone_at IS NULL;
	IF FOUND THEN
		PERFORM rg.fleet_note('server.gone', p_worker, p_rule, p_reason, p_key);
	ELSIF NOT EXISTS (SELECT FROM rg.worker w WHERE w.id = p_worker AND w.gone_at IS NOT NULL) THEN
		RAISE EXCEPTION 'the worker lives' USING ERRCODE = 'RG409';
	END IF;
END
$$;

CREATE FUNCTION rg.fleet_cool(p_fence bigint, p_server_type text, p_location text, p_until_us bigint,
	p_cause smallint, p_message text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	PERFORM rg.fleet_fence(p_fence);
	INSERT INTO rg.cooling AS c (server_type, location, until_at, cause, message)
	VALUES (p_server_type, p_location,
		'epoch'::timestamptz + p_until_us * interval '1 microsecond', p_cause,
		coalesce(left(p_message, 500), ''))
	ON CONFLICT (server_type, location) DO UPDATE SET until_at = excluded.until_at,
		cause = excluded.cause, message = excluded.message
	WHERE excluded.until_at > c.until_at;
	DELETE FROM rg.cooling c WHERE c.until_at < clock_timestamp() - interval '1 day';
END
$$;

CREATE FUNCTION rg.fleet_pause_quota(p_fence bigint, p_until_us bigint, p_message text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	PERFORM rg.fleet_fence(p_fence);
	UPDATE rg.grid g SET quota_until = 'epoch'::timestamptz + p_until_us * interval '1 microsecond',
		quota_message = left(p_message, 500);
	PERFORM rg.fleet_note('fleet.quota', NULL, NULL, coalesce(left(p_message, 500), ''), NULL);
END
$$;

-- Started hours. Those that are there already are left as they are.
CREATE FUNCTION rg.fleet_book(p_fence bigint, p_server bigint[], p_hour integer[], p_worker bigint[],
	p_from_us bigint[], p_price bigint[]) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	PERFORM rg.fleet_fence(p_fence);
	INSERT INTO rg.cost_ledger (server_id, hour, worker_id, from_at, price_micros)
	SELECT i.server, i.hour, i.worker,
		'epoch'::timestamptz + i.from_us * interval '1 microsecond', i.price
	FROM unnest(p_server, p_hour, p_worker, p_from_us, p_price)
		AS i (server, hour, worker, from_us, price)
	ON CONFLICT DO NOTHING;
	UPDATE rg.worker w SET hours_booked = b.hours
	FROM (SELECT i.worker, max(i.hour) + 1 AS hours
		FROM unnest(p_worker, p_hour) AS i (worker, hour) GROUP BY i.worker) AS b
	WHERE w.id = b.worker AND w.hours_booked < b.hours;
END
$$;

-- What the leader knows about where servers come from, why jobs wait, and what it keeps to: for those
-- who ask.
CREATE FUNCTION rg.fleet_publish(p_fence bigint, p_choices json, p_waits json, p_limits json)
RETURNS void
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	PERFORM rg.fleet_fence(p_fence);
	UPDATE rg.grid g SET fleet_limits = p_limits;
	DELETE FROM rg.fleet_choice;
	INSERT INTO rg.fleet_choice (position, server_type, location, cpu_millis, memory_bytes, slots,
		price_hour_micros, hour_ms, withdrawn)
	SELECT c.* FROM json_to_recordset(p_choices) AS c (position integer, server_type text,
		location text, cpu_millis bigint, memory_bytes bigint, slots integer,
		price_hour_micros bigint, hour_ms integer, withdrawn boolean);
	DELETE FROM rg.fleet_wait;
	INSERT INTO rg.fleet_wait (position, cpu_millis, memory_bytes, count, code, reason, next,
		until_at, at)
	SELECT w.position, w.cpu_millis, w.memory_bytes, w.count, w.code, w.reason, w.next,
		'epoch'::timestamptz + nullif(w.until_us, 0) * interval '1 microsecond', clock_timestamp()
	FROM json_to_recordset(p_waits) AS w (position integer, cpu_millis bigint, memory_bytes bigint,
		count bigint, code text, reason text, next text, until_us bigint);
END
$$;
