-- The grid's tables. Hot tables (ready, delayed, parked, lease, cancel_request) are narrow, inserted
-- into and deleted from, never updated per job, and carry no foreign keys. Cold tables keep specs,
-- history and accounts. A job has no state column: where its row stands is its state.
--
-- Times are the database's. Ids are int8 from rg.new_id(): milliseconds above 22 sequence bits.

CREATE SCHEMA rg;
CREATE SCHEMA rg_worker;
REVOKE ALL ON SCHEMA rg, rg_worker FROM PUBLIC;

CREATE SEQUENCE rg.id_sequence AS bigint MINVALUE 0 MAXVALUE 4194303 START 0 CYCLE CACHE 64;

-- Milliseconds since 2025-01-01 UTC, shifted over the sequence bits: the id of an instant.
CREATE FUNCTION rg.id_floor(at timestamptz) RETURNS bigint
LANGUAGE sql STABLE PARALLEL SAFE
RETURN ((extract(epoch FROM at) * 1000)::bigint - 1735689600000) << 22;

CREATE FUNCTION rg.new_id() RETURNS bigint
LANGUAGE sql VOLATILE
RETURN rg.id_floor(clock_timestamp()) | nextval('rg.id_sequence');

-- Accounts ---------------------------------------------------------------------------------------

CREATE TABLE rg.project (
	id         bigint PRIMARY KEY DEFAULT rg.new_id(),
	name       text NOT NULL UNIQUE CHECK (name <> '' AND octet_length(name) <= 128),
	created_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE rg.api_key (
	id           bigint PRIMARY KEY DEFAULT rg.new_id(),
	project_id   bigint NOT NULL REFERENCES rg.project,
	label        text NOT NULL UNIQUE,          -- the public part of the key
	key_sha256   bytea NOT NULL CHECK (octet_length(key_sha256) = 32),
	name         text NOT NULL,
	scopes       smallint NOT NULL CHECK (scopes BETWEEN 1 AND 7), -- 1 read, 2 run, 4 admin
	created_at   timestamptz NOT NULL DEFAULT now(),
	expires_at   timestamptz,
	revoked_at   timestamptz,
	last_used_at timestamptz
);
CREATE INDEX api_key_project ON rg.api_key (project_id, id);

-- Answers to submissions that carried an Idempotency-Key.
CREATE TABLE rg.submit_key (
	project_id     bigint NOT NULL,
	key            text NOT NULL,
	request_sha256 bytea NOT NULL,
	response       json NOT NULL,   -- ids that the first submission made
	created_at     timestamptz NOT NULL DEFAULT now(),
	PRIMARY KEY (project_id, key)
);
CREATE INDEX submit_key_age ON rg.submit_key (created_at);

-- A project may use a blob only if it has uploaded those bytes itself, or a job of its made them.
CREATE TABLE rg.blob (
	project_id bigint NOT NULL,
	sha256     bytea NOT NULL CHECK (octet_length(sha256) = 32),
	size_bytes bigint NOT NULL,
	created_at timestamptz NOT NULL DEFAULT now(),
	PRIMARY KEY (project_id, sha256)
);

-- Specs ------------------------------------------------------------------------------------------

CREATE TABLE rg.batch (
	id             bigint PRIMARY KEY DEFAULT rg.new_id(),
	project_id     bigint NOT NULL,
	name           text,
	labels         jsonb NOT NULL DEFAULT '{}',
	parallel_limit integer CHECK (parallel_limit > 0), -- NULL: none
	max_fails      integer CHECK (max_fails > 0),      -- NULL: none; reached: the rest is cancelled
	created_at     timestamptz NOT NULL DEFAULT now(),
	cancelled_at   timestamptz,                        -- asked to cancel the whole
	-- Folded from batch_delta by maintenance; the truth is these plus the deltas.
	total          integer NOT NULL DEFAULT 0,
	completed      integer NOT NULL DEFAULT 0,
	failed         integer NOT NULL DEFAULT 0,
	cancelled      integer NOT NULL DEFAULT 0
);
CREATE INDEX batch_project ON rg.batch (project_id, id);

CREATE TABLE rg.batch_delta (
	id        bigint GENERATED ALWAYS AS IDENTITY,
	batch_id  bigint NOT NULL,
	total     integer NOT NULL DEFAULT 0,
	completed integer NOT NULL DEFAULT 0,
	failed    integer NOT NULL DEFAULT 0,
	cancelled integer NOT NULL DEFAULT 0
);
CREATE INDEX batch_delta_batch ON rg.batch_delta (batch_id);

CREATE TABLE rg.job (
	id          bigint PRIMARY KEY,
	project_id  bigint NOT NULL,
	batch_id    bigint,
	batch_index integer,           -- position within the batch, from 0
	name        text,
	spec        json NOT NULL,     -- canonical job_spec, see src/core/job_spec.h
	labels      jsonb,             -- of spec, NULL when empty: for filters
	max_retries smallint NOT NULL DEFAULT 0, -- of failures of the script; losses have their own budget
	created_at  timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX job_project ON rg.job (project_id, id);
CREATE UNIQUE INDEX job_batch ON rg.job (batch_id, batch_index) WHERE batch_id IS NOT NULL;
CREATE INDEX job_labels ON rg.job USING gin (labels jsonb_path_ops) WHERE labels IS NOT NULL;

-- The queue --------------------------------------------------------------------------------------
-- gate_id is the batch's id when the batch has a parallel limit, else NULL. Invariant: for each gate,
-- rows in ready + lease <= batch.parallel_limit; all others of the batch stand in parked or delayed.

CREATE TABLE rg.ready (
	job_id  bigint PRIMARY KEY,
	attempt integer NOT NULL,
	gate_id bigint
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000,
	autovacuum_vacuum_cost_delay = 0, vacuum_truncate = off);
CREATE INDEX ready_gate ON rg.ready (gate_id) WHERE gate_id IS NOT NULL;

CREATE TABLE rg.delayed (
	job_id  bigint PRIMARY KEY,
	attempt integer NOT NULL,
	gate_id bigint,
	run_at  timestamptz NOT NULL,
	reason  text NOT NULL
);
CREATE INDEX delayed_run_at ON rg.delayed (run_at);

CREATE TABLE rg.parked (
	gate_id bigint NOT NULL,
	job_id  bigint NOT NULL,
	attempt integer NOT NULL,
	PRIMARY KEY (gate_id, job_id)
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000,
	autovacuum_vacuum_cost_delay = 0, vacuum_truncate = off);

CREATE TABLE rg.lease (
	job_id      bigint PRIMARY KEY,
	attempt     integer NOT NULL,
	token       bigint NOT NULL,
	worker_id   bigint NOT NULL,
	incarnation integer NOT NULL,
	batch_id    bigint,
	gate_id     bigint,
	claimed_at  timestamptz NOT NULL
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000,
	autovacuum_vacuum_cost_delay = 0, vacuum_truncate = off);
CREATE INDEX lease_worker ON rg.lease (worker_id);
CREATE INDEX lease_gate ON rg.lease (gate_id) WHERE gate_id IS NOT NULL;

-- Leased jobs that somebody wants stopped; told to the worker by its heartbeat.
CREATE TABLE rg.cancel_request (
	job_id       bigint PRIMARY KEY,
	requested_at timestamptz NOT NULL DEFAULT now()
);

-- History ----------------------------------------------------------------------------------------

-- One row per ended attempt. The primary key is what makes a result recorded exactly once.
CREATE TABLE rg.attempt (
	job_id            bigint NOT NULL,
	attempt           integer NOT NULL,
	outcome           smallint NOT NULL CHECK (outcome BETWEEN 1 AND 10), -- src/core/job.h
	final             boolean NOT NULL,      -- no further attempt was planned when it ended
	exit_code         integer,               -- 128+n for signal n; NULL when the script never ended by itself
	message           text,
	token             bigint,                -- of the lease, if its worker told the end itself; else NULL
	worker_id         bigint,
	batch_id          bigint,
	started_at        timestamptz,           -- NULL when it never started
	finished_at       timestamptz NOT NULL,
	cpu_us            bigint,
	memory_peak_bytes bigint,
	stdout_bytes      bigint,
	stderr_bytes      bigint,
	unenforced        text[],                -- limits that the machine could not hold
	xid               xid8 NOT NULL DEFAULT pg_current_xact_id(), -- cursor of the batch feed
	PRIMARY KEY (job_id, attempt)
);
CREATE INDEX attempt_batch_feed ON rg.attempt (batch_id, xid, job_id) WHERE batch_id IS NOT NULL AND final;
CREATE INDEX attempt_unsuccessful ON rg.attempt (job_id) WHERE final AND outcome <> 1;
CREATE INDEX attempt_finished ON rg.attempt USING brin (finished_at) WITH (autosummarize = on);

-- What rg.attempts_end is told of each attempt that ends.
CREATE TYPE rg.ended AS (
	job_id            bigint,
	attempt           integer,
	token             bigint,
	worker_id         bigint,
	batch_id          bigint,
	gate_id           bigint,                -- NULL also when it held no place of the gate
	outcome           smallint,
	exit_code         integer,
	message           text,
	started_at        timestamptz,
	cpu_us            bigint,
	memory_peak_bytes bigint,
	stdout_bytes      bigint,
	stderr_bytes      bigint,
	unenforced        text[]
);

CREATE TABLE rg.artifact (
	job_id     bigint NOT NULL,
	attempt    integer NOT NULL,
	path       text NOT NULL,
	sha256     bytea NOT NULL,
	size_bytes bigint NOT NULL,
	executable boolean NOT NULL,
	PRIMARY KEY (job_id, attempt, path)
);

CREATE TABLE rg.log_chunk (
	job_id  bigint NOT NULL,
	attempt integer NOT NULL,
	seq     integer NOT NULL,          -- from 0, over all streams: the order of arrival
	stream  smallint NOT NULL CHECK (stream BETWEEN 1 AND 3), -- stdout, stderr, system
	start   bigint NOT NULL,           -- offset of the first byte within its stream
	at      timestamptz NOT NULL DEFAULT clock_timestamp(),
	data    bytea NOT NULL,
	PRIMARY KEY (job_id, attempt, seq)
);
ALTER TABLE rg.log_chunk ALTER COLUMN data SET STORAGE EXTERNAL;

CREATE TABLE rg.event (
	id        bigint PRIMARY KEY DEFAULT rg.new_id(),
	at        timestamptz NOT NULL DEFAULT clock_timestamp(),
	kind      text NOT NULL,           -- "worker.created", "lease.rescued", …
	worker_id bigint,
	job_id    bigint,
	rule      integer,                 -- row of the fleet's rule table
	reason    text NOT NULL
);

-- Workers ----------------------------------------------------------------------------------------

-- Updated by heartbeats (HOT: no index on what changes, room on the page).
CREATE TABLE rg.worker (
	id              bigint PRIMARY KEY DEFAULT rg.new_id(),
	name            text NOT NULL UNIQUE,
	login           name NOT NULL UNIQUE,    -- database role; its session_user is the identity
	state           smallint NOT NULL DEFAULT 1 CHECK (state BETWEEN 1 AND 6), -- src/core/job.h
	incarnation     integer NOT NULL DEFAULT 0, -- counts joins
	slots           integer,
	cpu_millis      integer,
	memory_bytes    bigint,
	hostname        text,
	version         text,
	unenforced      text[] NOT NULL DEFAULT '{}',
	blob_key_sha256 bytea,                   -- of the secret that it shows to the blob service
	created_at      timestamptz NOT NULL DEFAULT now(),
	joined_at       timestamptz,
	last_seen       timestamptz,
	ended_at        timestamptz,
	reason          text
) WITH (fillfactor = 50);

-- The steps that a worker's state may take: worker_state_may_become() of src/core/job.h.
CREATE FUNCTION rg.worker_state_guard() RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF NEW.state <> OLD.state AND (OLD.state, NEW.state) NOT IN (
			(1, 2), (1, 3), (1, 4), (1, 5), (1, 6), (2, 3), (2, 4), (2, 5), (3, 4), (3, 5)) THEN
		RAISE EXCEPTION 'a worker cannot go from state % to state %', OLD.state, NEW.state
			USING ERRCODE = 'RG409';
	END IF;
	RETURN NEW;
END
$$;
CREATE TRIGGER worker_state_guard BEFORE UPDATE OF state ON rg.worker
	FOR EACH ROW EXECUTE FUNCTION rg.worker_state_guard();
