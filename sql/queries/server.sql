-- What `rgrid server setup` asks of a PostgreSQL cluster, as its superuser. Where PostgreSQL takes no
-- parameters, the answer is the statement to run.

-- name: server_create_database
SELECT format('CREATE DATABASE %I TEMPLATE template0 ENCODING ''UTF8'' LOCALE ''C.UTF-8''', $1::text);

-- name: server_database_exists
SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1);

-- name: server_set_verifier
-- Of a role's password; the password itself never stands in a statement.
SELECT format('ALTER ROLE %I PASSWORD %L', $1::text, $2::text);

-- name: server_has_key
-- Whether the project has a key that is good.
SELECT EXISTS (SELECT FROM rg.api_key k JOIN rg.project p ON p.id = k.project_id
	WHERE p.name = $1 AND k.revoked_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > now()));

-- name: server_lets_workers_in
-- Whether pg_hba.conf, as it is on disk, has a rule for the workers of the database that is no refusal.
SELECT EXISTS (SELECT FROM pg_hba_file_rules WHERE error IS NULL AND type IN ('host', 'hostssl')
	AND '+rgrid_worker' = ANY (user_name) AND database && ARRAY[$1::text, 'all'] AND auth_method <> 'reject');
