-- API keys.

-- name: key_find
-- Everything that decides whether the key with label $1 is good, whether its last use is to be noted,
-- and how its project stands to its limit.
SELECT k.key_sha256, k.project_id, p.name, k.scopes, k.name,
	(extract(epoch FROM k.expires_at - now()) * 1000)::bigint,
	k.revoked_at IS NOT NULL,
	coalesce(k.last_used_at < now() - interval '1 minute', true), l.status
FROM rg.api_key k JOIN rg.project p ON p.id = k.project_id
JOIN rg.project_limit l ON l.id = k.project_id
WHERE k.label = $1;

-- name: key_touch
-- Without waiting for the flush: a lost note costs nothing.
WITH setting AS MATERIALIZED (SELECT set_config('synchronous_commit', 'off', true))
UPDATE rg.api_key SET last_used_at = now() FROM setting
WHERE label = $1 AND coalesce(last_used_at < now() - interval '1 minute', true);

-- name: keys_list
SELECT id, label, name, scopes,
	(extract(epoch FROM created_at) * 1000000)::bigint,
	(extract(epoch FROM expires_at) * 1000000)::bigint,
	(extract(epoch FROM revoked_at) * 1000000)::bigint,
	(extract(epoch FROM last_used_at) * 1000000)::bigint
FROM rg.api_key
WHERE project_id = $1 AND id < $2
ORDER BY id DESC LIMIT $3;

-- name: key_create
-- No row: the expiry is not in the future.
INSERT INTO rg.api_key (project_id, label, key_sha256, name, scopes, expires_at)
SELECT $1, $2, $3, $4, $5, e.at
FROM (SELECT 'epoch'::timestamptz + $6::bigint * interval '1 microsecond' AS at) e
WHERE e.at IS NULL OR e.at > now()
RETURNING id, label, name, scopes,
	(extract(epoch FROM created_at) * 1000000)::bigint,
	(extract(epoch FROM expires_at) * 1000000)::bigint,
	NULL, NULL;

-- name: key_revoke
UPDATE rg.api_key SET revoked_at = coalesce(revoked_at, now())
WHERE project_id = $1 AND label = $2;
