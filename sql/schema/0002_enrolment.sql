-- How a new machine comes to a login that nobody else knows: sql/functions/worker_enrol.sql.

ALTER TABLE rg.worker
	ADD COLUMN enrol_until  timestamptz,    -- its first login ends; NULL: it need not enrol
	ADD COLUMN login_until  timestamptz,    -- its own login ends
	ADD COLUMN enrolled_at  timestamptz,
	ADD COLUMN bundle_token_sha256 bytea CHECK (octet_length(bundle_token_sha256) = 32);
CREATE UNIQUE INDEX worker_bundle_token ON rg.worker (bundle_token_sha256)
	WHERE bundle_token_sha256 IS NOT NULL;
