-- What `rgrid doctor` compares with what the provider has.

-- name: doctor_grid
-- The grid's id, which its servers carry as a label.
SELECT g.id FROM rg.grid g;

-- name: doctor_living_workers
-- NULL: a worker's server is not known yet.
SELECT w.id, w.name, w.server_id, w.created_at < now() - $1 * interval '1 millisecond'
FROM rg.worker w WHERE w.state <= 3 ORDER BY w.id;

-- name: doctor_leader
-- One row: how often the lead has changed hands, whether somebody leads, whether the session of the last who did
-- is open, who that is, until when it leads, and since when that session is open (NULL: not ours to see).
SELECT l.fence, s.is_open AND l.until_at > clock_timestamp(), s.is_open, coalesce(l.holder, ''),
	to_char(l.until_at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS'), (extract(epoch FROM s.since) * 1000000)::int8
FROM rg.leader l, LATERAL (SELECT count(*) > 0 AS is_open, max(a.backend_start) AS since
	FROM pg_stat_activity a WHERE a.pid = l.holder_pid) s;

-- name: doctor_holds
-- One row: since when, and why, no server is ordered; NULL: nothing is in the way.
SELECT to_char(g.paused_at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI'), coalesce(g.paused_reason, ''),
	to_char(CASE WHEN g.quota_until > clock_timestamp() THEN g.quota_until END AT TIME ZONE 'UTC',
		'YYYY-MM-DD HH24:MI'), coalesce(g.quota_message, '')
FROM rg.grid g;

-- name: doctor_stock
-- One row: choices that are on sale, those of them that are left alone for a while, and the first that is tried
-- again.
SELECT count(*), count(c.until_at), coalesce((array_agg(c.server_type || ' at ' || c.location || ' until ' ||
	to_char(c.until_at AT TIME ZONE 'UTC', 'HH24:MI:SS') || ': ' || c.message ORDER BY c.until_at)
	FILTER (WHERE c.until_at IS NOT NULL))[1], '')
FROM rg.fleet_choice f LEFT JOIN rg.cooling c ON c.server_type = f.server_type AND c.location = f.location
	AND c.until_at > clock_timestamp()
WHERE NOT f.withdrawn;

-- name: doctor_starts
-- One row: of the workers that got a server, those that did not become active in time, for $1 milliseconds if they
-- live; those of the last hour that did; the last of the former, and why it was given up.
SELECT count(*) FILTER (WHERE w.joined_at IS NULL), count(*) FILTER (WHERE w.joined_at IS NOT NULL),
	coalesce((array_agg(w.name || coalesce(': ' || w.reason, '') ORDER BY w.created_at DESC)
		FILTER (WHERE w.joined_at IS NULL))[1], '')
FROM rg.worker w WHERE w.server_id IS NOT NULL AND (w.joined_at > now() - interval '1 hour'
	OR w.joined_at IS NULL AND (w.state = 1 AND w.created_at < now() - $1 * interval '1 millisecond'
		OR w.state IN (5, 6) AND w.ended_at > now() - interval '1 hour'));
