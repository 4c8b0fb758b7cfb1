-- Who may do what. The functions granted here run as rgrid_owner, so that what they call and touch
-- needs no grant, and set the search path, and the planner where a plan must not depend on
-- statistics. All other functions are called by these only and run within their settings.

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA rg, rg_worker FROM PUBLIC;
REVOKE ALL ON ALL TABLES IN SCHEMA rg, rg_meta FROM PUBLIC, rgrid_api, rgrid_orchestrator;

GRANT USAGE ON SCHEMA rg_worker TO rgrid_worker;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA rg_worker TO rgrid_worker;

GRANT USAGE ON SCHEMA rg, rg_meta TO rgrid_api, rgrid_orchestrator;
GRANT SELECT ON ALL TABLES IN SCHEMA rg, rg_meta TO rgrid_api, rgrid_orchestrator;
GRANT USAGE ON SEQUENCE rg.id_sequence TO rgrid_api, rgrid_orchestrator;
GRANT EXECUTE ON FUNCTION
	rg.new_id(), rg.id_floor(timestamptz),
	rg.submit(bigint, bigint, text[], text[], text[], smallint[]),
	rg.submit_many(bigint[], text[], bytea[], text[], text[], text[], smallint[]),
	rg.submit_key_begin(bigint, text, bytea),
	rg.submit_key_finish(bigint, text, json),
	rg.batch_create(bigint, text, text, integer, integer),
	rg.cancel_job(bigint, bigint),
	rg.cancel_batch(bigint, bigint),
	rg.retry_job(bigint, bigint),
	rg.retry_batch(bigint, bigint, boolean),
	rg.job_cost(bigint),
	rg.project_days(bigint, date, date),
	rg.project_month(bigint),
	rg.limit_set(bigint, bigint),
	rg.batch_limit_cost(bigint, bigint),
	rg.fleet_pause(boolean, text, text),
	rg.worker_drain(bigint, text),
	rg.worker_undrain(bigint, text),
	rg.worker_delete(bigint, boolean, text),
	rg.bundle_token_check(bytea, text)
TO rgrid_api, rgrid_orchestrator;

-- Accounts, and what a project may refer to.
GRANT INSERT, UPDATE, DELETE ON rg.project, rg.api_key, rg.blob TO rgrid_api, rgrid_orchestrator;
GRANT INSERT ON rg.event TO rgrid_api, rgrid_orchestrator;

-- The fleet.
GRANT EXECUTE ON FUNCTION
	rg.tick(),
	rg.worker_create(text, text),
	rg.worker_must_enrol(bigint, bigint, bigint, bytea),
	rg.bundle_pass_give(bytea, bigint),
	rg.bundle_pass_take(bytea),
	rg.worker_dead(bigint, text, smallint),
	rg.fleet_lead(text, interval),
	rg.fleet_resign(text),
	rg.fleet_event(bigint, text, bigint, integer, text, text),
	rg.fleet_intend(bigint, text, text, text, text, bigint, bigint, bigint, integer, integer, boolean,
		integer, text, text),
	rg.fleet_record_server(bigint, bigint, bigint, bigint, bigint[], integer, text, text),
	rg.fleet_settle(bigint, bigint, boolean, text),
	rg.fleet_drain(bigint, bigint, smallint, integer, text, text),
	rg.fleet_undrain(bigint, bigint, integer, text, text),
	rg.fleet_end(bigint, bigint, smallint, boolean, integer, text, text),
	rg.fleet_server_deleting(bigint, bigint, bigint),
	rg.fleet_server_gone(bigint, bigint, integer, text, text),
	rg.fleet_cool(bigint, text, text, bigint, smallint, text),
	rg.fleet_pause_quota(bigint, bigint, text),
	rg.fleet_book(bigint, bigint[], integer[], bigint[], bigint[], bigint[]),
	rg.fleet_publish(bigint, json, json, json)
TO rgrid_orchestrator;
GRANT UPDATE ON rg.worker TO rgrid_orchestrator;
GRANT DELETE ON rg.event, rg.log_chunk, rg.artifact, rg.attempt, rg.job, rg.batch
TO rgrid_orchestrator;
