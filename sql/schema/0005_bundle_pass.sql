-- Who may fetch the worker bundle without being a worker: a server of which an image is made
-- (rgrid image bake). The bake takes its row away when it ends; the row's own end is for one that was
-- killed.

CREATE TABLE rg.bundle_pass (
	token_sha256 bytea PRIMARY KEY CHECK (octet_length(token_sha256) = 32),
	good_until   timestamptz NOT NULL
);
