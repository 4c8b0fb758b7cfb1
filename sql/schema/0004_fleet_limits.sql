-- What the leading orchestrator keeps to, for those who ask: it knows it from its configuration, which
-- the API does not see. NULL: no orchestrator has led yet.

ALTER TABLE rg.grid ADD COLUMN fleet_limits json;
