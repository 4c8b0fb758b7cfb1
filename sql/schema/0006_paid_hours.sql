-- How long the hour is that a worker's price is for: what the provider bills as one when its server is
-- ordered. The ledger and the shares of jobs divide by the same.
ALTER TABLE rg.worker
	ADD COLUMN hour_ms integer NOT NULL DEFAULT 3600000 CHECK (hour_ms > 0);
ALTER TABLE rg.fleet_choice
	ADD COLUMN hour_ms integer NOT NULL DEFAULT 3600000 CHECK (hour_ms > 0);

-- Up to where costs are folded next: when every transaction below that one has ended, all that ended
-- before that moment is visible.
ALTER TABLE rg.grid
	ADD COLUMN cost_fold_at  timestamptz,
	ADD COLUMN cost_fold_xid xid8;
