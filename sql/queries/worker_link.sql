-- The calls of a worker: all that its login may execute. Parameters and results travel in binary, so
-- every parameter's type is spelled out.

-- name: worker_enrol
SELECT rg_worker.enrol($1::text);

-- name: worker_join
SELECT worker_id, incarnation
FROM rg_worker.join($1::int4, $2::int4, $3::int8, $4::text, $5::text, $6::text[], $7::bytea);

-- name: worker_step
SELECT kind, job_id, attempt, token, verdict, batch_id, batch_index, spec
FROM rg_worker.step($1::int4, $2::int8[], $3::int4[], $4::int8[], $5::int2[], $6::int4[],
	$7::text[], $8::bool[], $9::int8[], $10::int8[], $11::int8[], $12::int8[], $13::int8[],
	$14::text[], $15::int4, $16::int8);

-- name: worker_heartbeat
SELECT job_id, attempt, cancelled, drain
FROM rg_worker.heartbeat($1::int4, $2::int8[], $3::int4[], $4::int8[]);

-- name: worker_log_append
SELECT rg_worker.log_append($1::int4, $2::int8, $3::int4, $4::int8, $5::int4, $6::int2, $7::int8,
	$8::bytea);

-- name: worker_artifacts_add
SELECT rg_worker.artifacts_add($1::int4, $2::int8, $3::int4, $4::int8, $5::text[], $6::bytea[],
	$7::int8[], $8::bool[]);

-- name: worker_release
SELECT rg_worker.release($1::int4, $2::int8[], $3::int4[], $4::int8[]);

-- name: worker_leave
SELECT rg_worker.leave($1::int4, $2::text, $3::bool);
