-- Who calls: the worker whose login the session has, provided that it is alive and this is still
-- its latest incarnation. Takes the worker's lock shared, so that nobody ends it meanwhile. Raises
-- RG403 otherwise: the caller kills all its jobs, and joins anew if it may.
--
-- claim_…: what it may claim, NULL for no bound.
CREATE FUNCTION rg.session_worker(p_incarnation integer, OUT worker_id bigint, OUT state smallint,
	OUT claim_cpu_millis integer, OUT claim_memory_bytes bigint)
LANGUAGE plpgsql
AS $$
DECLARE
	v_incarnation integer;
BEGIN
	SELECT w.id INTO worker_id FROM rg.worker w WHERE w.login = session_user;
	IF worker_id IS NULL THEN
		RAISE EXCEPTION 'the login "%" belongs to no worker', session_user USING ERRCODE = 'RG403';
	END IF;
	PERFORM pg_advisory_xact_lock_shared(worker_id);
	SELECT w.state, w.incarnation, w.claim_cpu_millis, w.claim_memory_bytes
	INTO state, v_incarnation, claim_cpu_millis, claim_memory_bytes
	FROM rg.worker w WHERE w.id = worker_id;
	IF state NOT IN (2, 3) THEN -- active, draining
		RAISE EXCEPTION 'this worker is no longer part of the fleet' USING ERRCODE = 'RG403';
	END IF;
	IF v_incarnation IS DISTINCT FROM p_incarnation OR v_incarnation = 0 THEN -- 0: never joined
		RAISE EXCEPTION 'this worker was given up, or has started anew, since it joined'
			USING ERRCODE = 'RG403', HINT = 'kill all jobs, then join again';
	END IF;
END
$$;

-- Refuses arrays of unlike or excessive length: they come from outside.
CREATE FUNCTION rg.check_arrays(p_max integer, VARIADIC p_length integer[]) RETURNS void
LANGUAGE plpgsql
AS $$
BEGIN
	IF (p_length[1] = ALL (p_length) AND p_length[1] <= p_max) IS NOT TRUE THEN
		RAISE EXCEPTION 'arrays must be of one length, at most %', p_max USING ERRCODE = 'RG422';
	END IF;
END
$$;
