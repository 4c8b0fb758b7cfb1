-- Sessions and transactions of struct pg.

-- name: session_begin
-- Makes a new session independent of the server's and the role's settings. All statements go by index:
-- a plan that was made when a table was empty must not scan it when it is full. And each is planned
-- once: planning costs more than running them.
SELECT set_config('search_path', 'pg_catalog, pg_temp', false),
       set_config('client_min_messages', 'warning', false),
       set_config('TimeZone', 'UTC', false),
       set_config('DateStyle', 'ISO, YMD', false),
       set_config('IntervalStyle', 'postgres', false),
       set_config('bytea_output', 'hex', false),
       set_config('default_transaction_isolation', 'read committed', false),
       set_config('plan_cache_mode', 'force_generic_plan', false),
       set_config('enable_seqscan', 'off', false),
       set_config('jit', 'off', false),
       set_config('idle_in_transaction_session_timeout', '60s', false);

-- name: transaction_begin
BEGIN;

-- name: transaction_begin_snapshot
BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;

-- name: transaction_commit
COMMIT;

-- name: transaction_rollback
ROLLBACK;
