-- The fleet's side of the database: struct fleet_store of src/orchestrator/ports.h. Observations are
-- read in one snapshot.

-- name: fleet_lead
SELECT leads, fence, now_us FROM rg.fleet_lead($1, $2::bigint * interval '1 millisecond');

-- name: fleet_resign
SELECT rg.fleet_resign($1);

-- name: fleet_facts
-- Money counts by the calendar month, UTC.
SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint,
	g.paused_at IS NOT NULL,
	coalesce((extract(epoch FROM g.quota_until) * 1000000)::bigint, 0),
	coalesce((SELECT sum(l.price_micros) FROM rg.cost_ledger l
		WHERE l.from_at >= date_trunc('month', now(), 'UTC')), 0)::bigint,
	(SELECT count(*) FROM rg.parked),
	(SELECT count(*) FROM rg.delayed d WHERE d.run_at <> 'infinity'),
	(SELECT count(*) FROM rg.delayed d WHERE d.run_at = 'infinity'),
	g.id
FROM rg.grid g;

-- name: fleet_workers
-- Those that live, and those that have ended and whose server may still be there; oldest first. Times
-- in microseconds, 0 for never. The order of the columns is fixed by enum worker_column in
-- src/orchestrator/fleet_rows.c.
SELECT w.id, w.state,
	(extract(epoch FROM w.created_at) * 1000000)::bigint,
	coalesce((extract(epoch FROM w.joined_at) * 1000000)::bigint, 0),
	coalesce((extract(epoch FROM coalesce(w.busy_at, w.joined_at)) * 1000000)::bigint, 0),
	greatest(0, extract(epoch FROM clock_timestamp() - coalesce(w.last_seen, w.created_at)) * 1000)::bigint,
	coalesce(w.slots, 0), coalesce(w.cpu_millis, 0), coalesce(w.memory_bytes, 0),
	coalesce(l.jobs, 0), coalesce(l.cpu_millis, 0), coalesce(l.memory_bytes, 0),
	coalesce(w.server_type, ''), coalesce(w.location, ''), w.price_hour_micros,
	coalesce(w.server_id, 0),
	coalesce((extract(epoch FROM w.server_created_at) * 1000000)::bigint, 0),
	CASE WHEN w.creation_failed THEN 2 WHEN w.pending_actions IS NOT NULL THEN 1 ELSE 0 END,
	coalesce(w.drain_cause, 0),
	coalesce((extract(epoch FROM w.drain_at) * 1000000)::bigint, 0),
	coalesce((extract(epoch FROM w.delete_at) * 1000000)::bigint, 0),
	w.hours_booked, w.pending_actions
FROM (
	SELECT * FROM rg.worker WHERE state <= 3
	UNION ALL
	SELECT * FROM rg.worker WHERE state > 3 AND gone_at IS NULL
		AND (server_id IS NOT NULL OR ended_at > now() - interval '1 hour')
) w
LEFT JOIN (
	SELECT h.worker_id, count(*) AS jobs, sum(coalesce(s.cpu_millis, $2))::bigint AS cpu_millis,
		sum(coalesce(s.memory_bytes, $3))::bigint AS memory_bytes
	FROM rg.lease h LEFT JOIN rg.job_size s ON s.job_id = h.job_id GROUP BY h.worker_id
) l ON l.worker_id = w.id
ORDER BY w.id LIMIT $1;

-- name: fleet_shapes
-- What waits and may run, by size; of very many the oldest $1 stand for all.
SELECT coalesce(s.cpu_millis, $2), coalesce(s.memory_bytes, $3), count(*),
	greatest(0, (rg.id_floor(clock_timestamp()) >> 22) - (min(r.job_id) >> 22))
FROM (SELECT job_id FROM rg.ready ORDER BY job_id LIMIT $1) r
LEFT JOIN rg.job_size s ON s.job_id = r.job_id
GROUP BY 1, 2 ORDER BY 4 DESC;

-- name: fleet_coolings
SELECT server_type, location, (extract(epoch FROM until_at) * 1000000)::bigint, cause
FROM rg.cooling WHERE until_at > clock_timestamp();

-- name: fleet_intend
SELECT id, login FROM rg.fleet_intend($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13,
	$14);

-- name: fleet_record_server
SELECT rg.fleet_record_server($1, $2, $3, $4, $5::bigint[], $6, $7, $8);

-- name: fleet_settle
SELECT rg.fleet_settle($1, $2, $3, $4);

-- name: fleet_drain
SELECT rg.fleet_drain($1, $2, $3, $4, $5, $6);

-- name: fleet_undrain
-- The worker hears of it at once.
SELECT rg.fleet_undrain($1, $2, $3, $4, $5), pg_notify('rg_kill', $2::bigint::text);

-- name: fleet_end
SELECT rg.fleet_end($1, $2, $3, $4, $5, $6, $7);

-- name: fleet_server_deleting
SELECT rg.fleet_server_deleting($1, $2, $3);

-- name: fleet_server_gone
SELECT rg.fleet_server_gone($1, $2, $3, $4, $5);

-- name: fleet_event
SELECT rg.fleet_event($1, $2, $3, $4, $5, $6);

-- name: fleet_cool
SELECT rg.fleet_cool($1, $2, $3, $4, $5, $6);

-- name: fleet_pause_quota
SELECT rg.fleet_pause_quota($1, $2, $3);

-- name: fleet_book
SELECT rg.fleet_book($1, $2::bigint[], $3::integer[], $4::bigint[], $5::bigint[], $6::bigint[]);

-- name: fleet_publish
SELECT rg.fleet_publish($1, $2::json, $3::json, $4::json);

-- name: fleet_pause
SELECT rg.fleet_pause($1, $2, $3);

-- name: fleet_paused
SELECT paused_at IS NOT NULL, paused_reason FROM rg.grid;

-- name: fleet_status
-- The order of the columns is fixed by enum fleet_column in src/api/fleet.c. Money counts by the
-- calendar month, UTC.
SELECT (extract(epoch FROM g.paused_at) * 1000000)::bigint, g.paused_reason,
	CASE WHEN g.quota_until > clock_timestamp()
		THEN (extract(epoch FROM g.quota_until) * 1000000)::bigint END, g.quota_message,
	EXISTS (SELECT FROM rg.leader l JOIN pg_stat_activity s ON s.pid = l.holder_pid
		WHERE l.until_at > clock_timestamp()),
	w.provisioning, w.active, w.draining, w.slots, (SELECT count(*) FROM rg.lease),
	(SELECT count(*) FROM rg.ready), (SELECT count(*) FROM rg.parked),
	(SELECT count(*) FROM rg.delayed d WHERE d.run_at <> 'infinity'),
	(SELECT count(*) FROM rg.delayed d WHERE d.run_at = 'infinity'),
	g.fleet_limits,
	coalesce((SELECT sum(l.price_micros) FROM rg.cost_ledger l
		WHERE l.from_at >= date_trunc('month', now(), 'UTC')), 0)::bigint
FROM rg.grid g
CROSS JOIN (
	SELECT count(*) FILTER (WHERE state = 1) AS provisioning,
		count(*) FILTER (WHERE state = 2) AS active,
		count(*) FILTER (WHERE state = 3) AS draining,
		coalesce(sum(slots) FILTER (WHERE state = 2), 0) AS slots
	FROM rg.worker WHERE state <= 3
) w;

-- name: fleet_waits
-- Why jobs wait, by their size, as the leading orchestrator saw it last.
SELECT cpu_millis, memory_bytes, count, code, reason, next, (extract(epoch FROM until_at) * 1000000)::bigint
FROM rg.fleet_wait ORDER BY position;

-- name: fleet_activity
-- Since $1 (microseconds; 0: since now): attempts claimed, completed, and final without success, each
-- with an example. The first column is where to go on: late enough ago that those who wrote have
-- committed.
SELECT (extract(epoch FROM b.upto) * 1000000)::bigint,
	l.count + a.claimed, greatest(l.job, a.claimed_job, 0),
	a.completed, coalesce(a.completed_job, 0), a.failed, coalesce(a.failed_job, 0)
FROM (SELECT now() - interval '1 second' AS upto, CASE WHEN $1::bigint = 0 THEN now()
		ELSE 'epoch'::timestamptz + $1 * interval '1 microsecond' END AS since) b
CROSS JOIN LATERAL (
	SELECT count(*) AS count, max(job_id) AS job FROM rg.lease
	WHERE claimed_at > b.since AND claimed_at <= b.upto
) l
CROSS JOIN LATERAL (
	SELECT count(*) FILTER (WHERE started_at > b.since AND started_at <= b.upto) AS claimed,
		max(job_id) FILTER (WHERE started_at > b.since AND started_at <= b.upto) AS claimed_job,
		count(*) FILTER (WHERE outcome = 1 AND finished_at <= b.upto) AS completed,
		max(job_id) FILTER (WHERE outcome = 1 AND finished_at <= b.upto) AS completed_job,
		count(*) FILTER (WHERE outcome <> 1 AND final AND finished_at <= b.upto) AS failed,
		max(job_id) FILTER (WHERE outcome <> 1 AND final AND finished_at <= b.upto) AS failed_job
	FROM rg.attempt WHERE finished_at > b.since
) a;
