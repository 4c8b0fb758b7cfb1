-- What the migration itself asks.

-- name: migrate_lock
-- One migration at a time, held to the end of the transaction.
SELECT pg_advisory_xact_lock(2);

-- name: migrate_has_table
SELECT to_regclass('rg_meta.migration') IS NOT NULL;

-- name: migrate_create_schema
CREATE SCHEMA IF NOT EXISTS rg_meta;

-- name: migrate_create_table
-- What was run: one row per numbered schema file, and one, "functions", for all re-created files.
CREATE TABLE IF NOT EXISTS rg_meta.migration (
	name       text PRIMARY KEY,
	sha256     bytea NOT NULL,
	applied_at timestamptz NOT NULL DEFAULT now()
);

-- name: migrate_list
SELECT name, sha256 FROM rg_meta.migration ORDER BY name;

-- name: migrate_record
INSERT INTO rg_meta.migration (name, sha256) VALUES ($1, $2)
ON CONFLICT (name) DO UPDATE SET sha256 = excluded.sha256, applied_at = now();

-- name: migrate_become_owner
SET ROLE rgrid_owner;

-- name: migrate_become_self
RESET ROLE;
