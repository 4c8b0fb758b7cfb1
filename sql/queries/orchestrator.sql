-- The orchestrator's tick.

-- name: orchestrator_lead
-- One orchestrator acts at a time: the one whose session holds this lock. Asking again is harmless.
SELECT CASE WHEN EXISTS (SELECT FROM pg_locks
		WHERE locktype = 'advisory' AND pid = pg_backend_pid() AND granted
			AND classid = 1 AND objid = 1 AND objsubid = 2)
	THEN true ELSE pg_try_advisory_lock(1, 1) END;

-- name: orchestrator_workers
-- Workers that have not ended: id, state, milliseconds since they were last heard of.
SELECT id, state, greatest(0,
	extract(epoch FROM clock_timestamp() - coalesce(last_seen, created_at)) * 1000)::bigint
FROM rg.worker WHERE state <= 3 ORDER BY id LIMIT $1;

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

-- name: orchestrator_worker_create
SELECT id, login FROM rg.worker_create($1, $2);

-- name: orchestrator_worker_dead
SELECT rg.worker_dead($1, $2, $3);

-- name: orchestrator_worker_drain
SELECT rg.worker_drain($1);

-- name: orchestrator_event
INSERT INTO rg.event (kind, worker_id, rule, reason) VALUES ($1, $2, $3, $4);
