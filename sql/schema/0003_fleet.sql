-- The fleet on a provider: the servers under the workers, who leads, what is paid, and why jobs wait.

-- One row: this grid. id stands in the labels of its servers.
CREATE TABLE rg.grid (
	only_one       boolean PRIMARY KEY DEFAULT true CHECK (only_one),
	id             text NOT NULL DEFAULT left(translate(gen_random_uuid()::text, '-', ''), 12)
		CHECK (id ~ '^[a-z0-9]{4,32}$'),
	paused_at      timestamptz,             -- an operator wants no new servers
	paused_reason  text,
	quota_until    timestamptz,             -- the provider's limit was met
	quota_message  text,
	cost_folded_at timestamptz NOT NULL DEFAULT now() -- attempts that ended before are in cost_day
);
INSERT INTO rg.grid DEFAULT VALUES;

-- One row: the orchestrator that acts. Whoever takes over raises the fence, which every change carries.
CREATE TABLE rg.leader (
	only_one    boolean PRIMARY KEY DEFAULT true CHECK (only_one),
	fence       bigint NOT NULL DEFAULT 0,
	holder      text,
	holder_pid  integer,                    -- of its session; gone, the lead is free at once
	until_at    timestamptz NOT NULL DEFAULT '-infinity'
);
INSERT INTO rg.leader DEFAULT VALUES;

ALTER TABLE rg.worker
	ADD COLUMN server_type       text,
	ADD COLUMN location          text,
	ADD COLUMN price_hour_micros bigint NOT NULL DEFAULT 0, -- IPv4 included if it has one
	ADD COLUMN claim_cpu_millis  integer,   -- what larger jobs are left to others by; NULL: it takes all
	ADD COLUMN claim_memory_bytes bigint,
	ADD COLUMN server_id         bigint,    -- the provider's
	ADD COLUMN server_created_at timestamptz, -- its paid hours count from here
	ADD COLUMN pending_actions   bigint[],  -- of its creation, while not known to have ended
	ADD COLUMN creation_failed   boolean NOT NULL DEFAULT false,
	ADD COLUMN drain_cause       smallint,  -- enum fleet_drain of src/core/fleet_world.h
	ADD COLUMN drain_at          timestamptz,
	ADD COLUMN delete_at         timestamptz, -- the provider took the order to delete the server
	ADD COLUMN gone_at           timestamptz, -- nothing is left of it
	ADD COLUMN busy_at           timestamptz, -- last heartbeat that named an attempt
	ADD COLUMN hours_booked      integer NOT NULL DEFAULT 0;
CREATE UNIQUE INDEX worker_server ON rg.worker (server_id) WHERE server_id IS NOT NULL;
CREATE INDEX worker_paid ON rg.worker (id) WHERE price_hour_micros > 0;
CREATE INDEX worker_living ON rg.worker (id) WHERE state <= 3;
CREATE INDEX worker_closing ON rg.worker (id) WHERE state > 3 AND gone_at IS NULL;
UPDATE rg.worker SET gone_at = ended_at WHERE state > 3;

-- The steps that a worker's state may take: worker_state_may_become() of src/core/job.h.
CREATE OR REPLACE FUNCTION rg.worker_state_guard() RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF NEW.state <> OLD.state AND (OLD.state, NEW.state) NOT IN (
			(1, 2), (1, 3), (1, 4), (1, 5), (1, 6), (2, 3), (2, 4), (2, 5),
			(3, 1), (3, 2), (3, 4), (3, 5)) THEN
		RAISE EXCEPTION 'a worker cannot go from state % to state %', OLD.state, NEW.state
			USING ERRCODE = 'RG409';
	END IF;
	RETURN NEW;
END
$$;

ALTER TABLE rg.event ADD COLUMN key text; -- of the fleet's action: the same want has the same key
CREATE INDEX event_worker ON rg.event (worker_id, id) WHERE worker_id IS NOT NULL;

-- (server type, location) pairs that are left alone for a while.
CREATE TABLE rg.cooling (
	server_type text NOT NULL,
	location    text NOT NULL,
	until_at    timestamptz NOT NULL,
	cause       smallint NOT NULL,          -- enum fleet_cooling_cause of src/core/fleet_world.h
	message     text NOT NULL,
	PRIMARY KEY (server_type, location)
);

-- Where servers may come from, in order of preference, as the leader knows it.
CREATE TABLE rg.fleet_choice (
	position          integer PRIMARY KEY,
	server_type       text NOT NULL,
	location          text NOT NULL,
	cpu_millis        bigint NOT NULL,
	memory_bytes      bigint NOT NULL,
	slots             integer NOT NULL,
	price_hour_micros bigint NOT NULL,
	withdrawn         boolean NOT NULL
);

-- Why jobs of a shape wait, as of the leader's last tick.
CREATE TABLE rg.fleet_wait (
	position     integer PRIMARY KEY,
	cpu_millis   bigint NOT NULL,
	memory_bytes bigint NOT NULL,
	count        bigint NOT NULL,
	code         text NOT NULL,
	reason       text NOT NULL,
	next         text NOT NULL,
	until_at     timestamptz,
	at           timestamptz NOT NULL
);

-- Jobs that need more than a job does that asks for nothing (DEFAULT_CPU_MILLIS and
-- DEFAULT_MEMORY_BYTES of src/core/limits.h): few, so that claims find out by a probe of a small index.
CREATE TABLE rg.job_size (
	job_id       bigint PRIMARY KEY,
	cpu_millis   integer NOT NULL,
	memory_bytes bigint NOT NULL
);

-- Money: integer micro-euros, net ------------------------------------------------------------------

-- Each started hour of each server.
CREATE TABLE rg.cost_ledger (
	server_id    bigint NOT NULL,
	hour         integer NOT NULL,
	worker_id    bigint NOT NULL,
	from_at      timestamptz NOT NULL,
	price_micros bigint NOT NULL,
	PRIMARY KEY (server_id, hour)
);
CREATE INDEX cost_ledger_from ON rg.cost_ledger (from_at);

-- What ended attempts have cost, folded by upkeep.
CREATE TABLE rg.cost_day (
	project_id  bigint NOT NULL,
	day         date NOT NULL,
	attempts    bigint NOT NULL,
	run_us      bigint NOT NULL,
	cost_micros bigint NOT NULL,
	PRIMARY KEY (project_id, day)
);

ALTER TABLE rg.project
	ADD COLUMN monthly_limit_micros bigint CHECK (monthly_limit_micros >= 0), -- NULL: none
	ADD COLUMN held_at   timestamptz,       -- the limit is reached: its jobs wait
	ADD COLUMN warned_at timestamptz;       -- 80 % of it were reached in this month
ALTER TABLE rg.batch
	ADD COLUMN max_cost_micros bigint CHECK (max_cost_micros > 0), -- NULL: none; reached: the rest is cancelled
	ADD COLUMN cost_micros     bigint NOT NULL DEFAULT 0; -- of ended attempts, folded by upkeep
CREATE INDEX batch_max_cost ON rg.batch (id) WHERE max_cost_micros IS NOT NULL AND cancelled_at IS NULL;
