-- Projects and keys as operators and `rgrid up` handle them.

-- name: account_project_ensure
WITH made AS (
	INSERT INTO rg.project (name) VALUES ($1) ON CONFLICT (name) DO NOTHING RETURNING id)
SELECT id FROM made UNION ALL SELECT id FROM rg.project WHERE name = $1 LIMIT 1;

-- name: account_project_find
SELECT id FROM rg.project WHERE name = $1;

-- name: account_key_is_good
SELECT EXISTS (SELECT FROM rg.api_key
	WHERE label = $1 AND key_sha256 = $2 AND revoked_at IS NULL
		AND (expires_at IS NULL OR expires_at > now()));
