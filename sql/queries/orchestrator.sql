-- The orchestrator's tick.

-- name: orchestrator_tick
-- Upkeep; the last column: whether there is anything that the next one may have to do with.
SELECT t.moved, t.rescued, t.topped_up,
	EXISTS (SELECT FROM rg.ready) OR EXISTS (SELECT FROM rg.lease) OR EXISTS (SELECT FROM rg.delayed)
		OR EXISTS (SELECT FROM rg.parked) OR EXISTS (SELECT FROM rg.batch_delta)
FROM rg.tick() t;

-- name: orchestrator_wake
-- A hint to idle workers; not worth waiting for a flush.
WITH setting AS MATERIALIZED (SELECT set_config('synchronous_commit', 'off', true))
SELECT pg_notify('rg_wake', '') FROM setting;

-- name: orchestrator_worker_must_enrol
SELECT rg.worker_must_enrol($1, $2, $3, $4);

-- name: bake_begin
-- Whether this session is the only one that makes an image; it holds until it ends.
SELECT pg_try_advisory_lock(1, 1);

-- name: bundle_pass_give
SELECT rg.bundle_pass_give($1, $2);

-- name: bundle_pass_take
SELECT rg.bundle_pass_take($1);

-- name: orchestrator_worker_create
-- A worker outside of any fleet's decision: for benchmarks.
SELECT id, login FROM rg.worker_create($1, $2);
