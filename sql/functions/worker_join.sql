-- A worker's arrival and departure.

-- The worker is there: a new incarnation of it may claim. What an earlier one still held is lost.
CREATE FUNCTION rg_worker.join(p_slots integer, p_cpu_millis integer, p_memory_bytes bigint,
	p_hostname text, p_version text, p_unenforced text[], p_blob_key_sha256 bytea,
	OUT worker_id bigint, OUT incarnation integer)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_mergejoin = off
SET enable_hashjoin = off SET jit = off
AS $$
BEGIN
	IF p_slots NOT BETWEEN 1 AND 1024 OR octet_length(p_blob_key_sha256) <> 32
			OR cardinality(p_unenforced) > 64 THEN
		RAISE EXCEPTION
			'a worker has 1 to 1024 slots, a key of 32 bytes, and at most 64 unenforced limits'
			USING ERRCODE = 'RG422';
	END IF;
	SELECT w.id INTO worker_id FROM rg.worker w WHERE w.login = session_user;
	IF worker_id IS NULL THEN
		RAISE EXCEPTION 'the login "%" belongs to no worker', session_user USING ERRCODE = 'RG403';
	END IF;
	PERFORM pg_advisory_xact_lock(worker_id);
	IF EXISTS (SELECT FROM rg.worker w WHERE w.id = worker_id AND w.enrol_until IS NOT NULL
			AND w.enrolled_at IS NULL) THEN
		RAISE EXCEPTION 'this worker has not enrolled' USING ERRCODE = 'RG403';
	END IF;
	UPDATE rg.worker w SET
		state = CASE w.state WHEN 3 THEN 3 ELSE 2 END, -- draining stays so, else active
		incarnation = w.incarnation + 1,
		slots = p_slots, cpu_millis = p_cpu_millis, memory_bytes = p_memory_bytes,
		hostname = left(p_hostname, 255), version = left(p_version, 64),
		unenforced = coalesce(p_unenforced, '{}'), blob_key_sha256 = p_blob_key_sha256,
		joined_at = now(), last_seen = clock_timestamp()
	WHERE w.id = worker_id AND w.state IN (1, 2, 3)
	RETURNING w.incarnation INTO incarnation;
	IF NOT FOUND THEN
		RAISE EXCEPTION 'this worker is no longer part of the fleet' USING ERRCODE = 'RG403';
	END IF;
	PERFORM rg.leases_lose(worker_id, 'the worker has started anew');
	INSERT INTO rg.event (kind, worker_id, reason)
	VALUES ('worker.joined', worker_id, format('incarnation %s, %s slots', incarnation, p_slots));
END
$$;

-- The worker goes for good: 1. p_if_drained: it goes because the fleet has drained it, which may have
-- been taken back since it heard of it. Then it has not left, and is told 2, claim again, or 3, wait:
-- one that drains to be packed away (FLEET_DRAIN_PACK) is kept for new jobs until its paid hour ends.
CREATE FUNCTION rg_worker.leave(p_incarnation integer, p_reason text,
	p_if_drained boolean DEFAULT false) RETURNS smallint
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_mergejoin = off
SET enable_hashjoin = off SET jit = off
AS $$
DECLARE
	v_worker bigint;
	v_state  smallint;
BEGIN
	SELECT w.id INTO v_worker FROM rg.worker w WHERE w.login = session_user;
	PERFORM pg_advisory_xact_lock(v_worker);
	UPDATE rg.worker w SET state = 4, ended_at = now(), blob_key_sha256 = NULL,
		reason = left(p_reason, 500)
	WHERE w.id = v_worker AND w.incarnation = p_incarnation AND w.incarnation > 0
		AND (w.state = 3 AND (NOT p_if_drained OR w.drain_cause IS DISTINCT FROM 2)
			OR w.state = 2 AND NOT p_if_drained);
	IF NOT FOUND THEN
		SELECT w.state INTO v_state FROM rg.worker w
		WHERE w.id = v_worker AND w.incarnation = p_incarnation AND w.state IN (2, 3);
		IF p_if_drained AND FOUND THEN
			RETURN v_state;
		END IF;
		RAISE EXCEPTION 'this worker is no longer part of the fleet' USING ERRCODE = 'RG403';
	END IF;
	PERFORM rg.leases_lose(v_worker, 'the worker has left');
	INSERT INTO rg.event (kind, worker_id, reason)
	VALUES ('worker.left', v_worker, coalesce(left(p_reason, 500), ''));
	RETURN 1;
END
$$;
