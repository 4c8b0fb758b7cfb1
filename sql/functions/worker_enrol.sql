-- A worker on a machine of its own is started with a login that any process there can read. On first
-- contact it replaces the password by one that only it knows; until then it can do nothing else.

-- The worker, just made, must enrol within p_start_ms, and its login ends after p_age_ms.
-- p_bundle_token_sha256: of the token with which its machine fetches its programs before that.
CREATE FUNCTION rg.worker_must_enrol(p_worker bigint, p_start_ms bigint, p_age_ms bigint,
	p_bundle_token_sha256 bytea) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_login text;
	v_until timestamptz;
BEGIN
	UPDATE rg.worker w SET
		enrol_until = clock_timestamp() + p_start_ms * interval '1 millisecond',
		login_until = clock_timestamp() + p_age_ms * interval '1 millisecond',
		bundle_token_sha256 = p_bundle_token_sha256
	WHERE w.id = p_worker AND w.state = 1 AND w.incarnation = 0 AND w.enrol_until IS NULL
	RETURNING w.login, w.enrol_until INTO v_login, v_until;
	IF NOT FOUND THEN
		RAISE EXCEPTION 'the worker has ended, has joined, or is to enrol already'
			USING ERRCODE = 'RG409';
	END IF;
	EXECUTE format('ALTER ROLE %I VALID UNTIL %L', v_login, v_until);
END
$$;

-- An event about a login that somebody else may be using: at most one a minute for the same reason,
-- so that whoever causes them cannot fill the table.
CREATE FUNCTION rg.enrol_alarm(p_worker bigint, p_kind text, p_reason text) RETURNS void
LANGUAGE sql
AS $$
	INSERT INTO rg.event (kind, worker_id, reason)
	SELECT p_kind, p_worker, left(p_reason, 500)
	WHERE NOT EXISTS (SELECT FROM rg.event e WHERE e.worker_id = p_worker AND e.kind = p_kind
		AND e.reason = left(p_reason, 500) AND e.at > clock_timestamp() - interval '1 minute');
$$;

-- The caller's role gets a new password, known to the database as a SCRAM verifier only. False when
-- it is refused (an exception would take the event back with it): it was done before, or too late.
CREATE FUNCTION rg_worker.enrol(p_verifier text) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_worker bigint;
	v_until  timestamptz;
BEGIN
	IF (p_verifier ~ ('^SCRAM-SHA-256\$[0-9]{4,6}:[A-Za-z0-9+/]{16,64}={0,2}'
			'\$[A-Za-z0-9+/]{43}=:[A-Za-z0-9+/]{43}=$')) IS NOT TRUE THEN
		RAISE EXCEPTION 'a new password is given as a SCRAM-SHA-256 verifier'
			USING ERRCODE = 'RG422';
	END IF;
	SELECT w.id INTO v_worker FROM rg.worker w WHERE w.login = session_user;
	IF v_worker IS NULL THEN
		RAISE EXCEPTION 'the login "%" belongs to no worker', session_user USING ERRCODE = 'RG403';
	END IF;
	PERFORM pg_advisory_xact_lock(v_worker);
	UPDATE rg.worker w SET enrolled_at = clock_timestamp()
	WHERE w.id = v_worker AND w.state IN (1, 3) AND w.enrolled_at IS NULL
		AND w.enrol_until > clock_timestamp()
	RETURNING w.login_until INTO v_until;
	IF NOT FOUND THEN
		PERFORM rg.enrol_alarm(v_worker, 'worker.enrol_refused',
			format('asked for from %s', coalesce(host(inet_client_addr()), 'this machine')));
		RETURN false;
	END IF;
	EXECUTE format('ALTER ROLE %I PASSWORD %L VALID UNTIL %L', session_user, p_verifier, v_until);
	INSERT INTO rg.event (kind, worker_id, reason)
	VALUES ('worker.enrolled', v_worker,
		format('from %s', coalesce(host(inet_client_addr()), 'this machine')));
	RETURN true;
END
$$;

-- Whether the token may fetch a bundle: 1 yes, 2 no longer (its worker has enrolled, or is late: the
-- token was read from user data that is no secret any more), 0 it is none.
CREATE FUNCTION rg.bundle_token_check(p_sha256 bytea, p_address text) RETURNS smallint
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	v_worker bigint;
	v_usable boolean;
BEGIN
	SELECT w.id, w.state IN (1, 3) AND w.enrolled_at IS NULL AND w.enrol_until > clock_timestamp()
	INTO v_worker, v_usable FROM rg.worker w WHERE w.bundle_token_sha256 = p_sha256;
	IF v_worker IS NULL THEN
		RETURN (SELECT count(*) FROM rg.bundle_pass b
			WHERE b.token_sha256 = p_sha256 AND b.good_until > clock_timestamp());
	ELSIF v_usable THEN
		RETURN 1;
	END IF;
	PERFORM rg.enrol_alarm(v_worker, 'worker.stale_user_data',
		format('its bundle was asked for from %s', coalesce(p_address, 'nowhere')));
	RETURN 2;
END
$$;

-- A pass to the bundle for a server that becomes no worker, good for p_ms; those that have ended go.
CREATE FUNCTION rg.bundle_pass_give(p_sha256 bytea, p_ms bigint) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	DELETE FROM rg.bundle_pass b WHERE b.good_until <= clock_timestamp();
	INSERT INTO rg.bundle_pass (token_sha256, good_until)
	VALUES (p_sha256, clock_timestamp() + p_ms * interval '1 millisecond');
END
$$;

CREATE FUNCTION rg.bundle_pass_take(p_sha256 bytea) RETURNS void
LANGUAGE sql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
	DELETE FROM rg.bundle_pass b WHERE b.token_sha256 = p_sha256
$$;
