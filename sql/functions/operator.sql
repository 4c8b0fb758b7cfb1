-- What operators do with the fleet. The orchestrator sees it when it looks next; nothing here needs
-- one. p_by names who asked, for the event.

-- Pausing stops the making of servers, nothing else. Whether anything has changed: a reason given
-- later replaces the one that is there.
CREATE FUNCTION rg.fleet_pause(p_pause boolean, p_reason text, p_by text) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	UPDATE rg.grid g SET paused_at = CASE WHEN p_pause THEN coalesce(g.paused_at, clock_timestamp()) END,
		paused_reason = CASE WHEN p_pause THEN left(p_reason, 500) END
	WHERE (g.paused_at IS NOT NULL) <> p_pause
		OR (p_pause AND p_reason IS NOT NULL AND g.paused_reason IS DISTINCT FROM left(p_reason, 500));
	IF FOUND THEN
		PERFORM rg.fleet_note(CASE WHEN p_pause THEN 'fleet.paused' ELSE 'fleet.resumed' END, NULL,
			NULL, format('%s (%s)', coalesce(left(p_reason, 500), 'no reason given'), p_by), NULL);
	END IF;
	RETURN FOUND;
END
$$;

-- Fails as fits a worker that is not in a state for it: p_state NULL means that there is none.
CREATE FUNCTION rg.worker_refuse(p_state smallint) RETURNS void
LANGUAGE plpgsql
AS $$
BEGIN
	IF p_state IS NULL THEN
		RAISE EXCEPTION 'there is no such worker' USING ERRCODE = 'RG404',
			HINT = '`rgrid worker list` shows those that live';
	END IF;
	RAISE EXCEPTION 'the worker has ended' USING ERRCODE = 'RG409',
		HINT = 'workers that have ended do not come back; new ones come as jobs need them';
END
$$;

-- The worker is to finish what it has, and claim no more; then it leaves. It learns so from its next
-- heartbeat; one that has not joined yet will join as draining. The fleet does not take it back by
-- itself, whoever drained it before. May be repeated.
CREATE FUNCTION rg.worker_drain(p_worker bigint, p_by text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	UPDATE rg.worker w SET state = 3, drain_cause = 6, -- FLEET_DRAIN_OPERATOR
		drain_at = CASE WHEN w.state = 3 THEN w.drain_at ELSE clock_timestamp() END
	WHERE w.id = p_worker AND (w.state IN (1, 2) OR w.state = 3 AND w.drain_cause IS DISTINCT FROM 6);
	IF FOUND THEN
		PERFORM rg.fleet_note('worker.drain', p_worker, NULL,
			format('asked to finish what it has (%s)', p_by), NULL);
	ELSIF NOT EXISTS (SELECT FROM rg.worker w WHERE w.id = p_worker AND w.state = 3) THEN
		PERFORM rg.worker_refuse((SELECT w.state FROM rg.worker w WHERE w.id = p_worker));
	END IF;
END
$$;

-- A draining worker claims again, whoever drained it. Refused once it has left. May be repeated.
CREATE FUNCTION rg.worker_undrain(p_worker bigint, p_by text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	UPDATE rg.worker w SET state = CASE WHEN w.joined_at IS NULL THEN 1 ELSE 2 END,
		drain_cause = NULL, drain_at = NULL
	WHERE w.id = p_worker AND w.state = 3;
	IF FOUND THEN
		PERFORM rg.fleet_note('worker.undrain', p_worker, NULL,
			format('asked to take jobs again (%s)', p_by), NULL);
	ELSIF NOT EXISTS (SELECT FROM rg.worker w WHERE w.id = p_worker AND w.state IN (1, 2)) THEN
		PERFORM rg.worker_refuse((SELECT w.state FROM rg.worker w WHERE w.id = p_worker));
	END IF;
END
$$;

-- The worker is to go for good: at once if it has no jobs or p_force is set, else it drains, and
-- leaves when they have ended. Jobs that are taken from it count as lost with it. Its login stays
-- for a moment, so that it hears at its next heartbeat to stop what it runs: rg.logins_sweep(). May
-- be repeated. Returns the number of jobs taken from it.
CREATE FUNCTION rg.worker_delete(p_worker bigint, p_force boolean, p_by text) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_mergejoin = off
SET enable_hashjoin = off SET jit = off
AS $$
DECLARE
	v_reason constant text := left(format('deleted by an operator (%s)', p_by), 500);
BEGIN
	-- Claims hold this lock shared: none is under way once we have it.
	PERFORM pg_advisory_xact_lock(p_worker);
	IF NOT p_force AND EXISTS (SELECT FROM rg.lease l WHERE l.worker_id = p_worker) THEN
		PERFORM rg.worker_drain(p_worker, p_by);
		RETURN 0;
	END IF;
	UPDATE rg.worker w SET state = 4, ended_at = clock_timestamp(), reason = v_reason,
		blob_key_sha256 = NULL
	WHERE w.id = p_worker AND w.state <= 3;
	IF FOUND THEN
		PERFORM rg.fleet_note('worker.deleted', p_worker, NULL, v_reason, NULL);
		RETURN rg.leases_lose(p_worker, v_reason);
	ELSIF NOT EXISTS (SELECT FROM rg.worker w WHERE w.id = p_worker) THEN
		PERFORM rg.worker_refuse(NULL);
	END IF;
	RETURN 0;
END
$$;
