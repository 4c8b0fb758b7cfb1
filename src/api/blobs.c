/* /api/v1/blobs… */
#include <string.h>

#include "api/content.h"
#include "api/refuse.h"
#include "api/routes.h"
#include "api/server.h"
#include "base/check.h"
#include "base/json.h"
#include "core/limits.h"
#include "store/queries.h"

static int read_digest(const char *hex, uint8_t ret[SHA256_BYTES], struct error *err)
{
	if (sha256_from_hex(hex, ret))
		return 0;
	return refuse_field(err, "sha256", "must be exactly 64 lower-case hexadecimal digits");
}

/* Whether the worker is who it says, and may. */
static int check_worker(const struct request *request, struct pg *pg, bool reads, struct error *err)
{
	CLEANUP(cleanup_pg_params) struct pg_params params = {0};
	CLEANUP(cleanup_pgresult) PGresult *result = NULL;
	char hex[SHA256_HEX_BYTES];

	sha256_to_hex(request->blob, hex);
	pg_param_i64(&params, request->who.worker_id);
	pg_param_bytes(&params, request->who.secret_sha256, SHA256_BYTES);
	if (reads)
		pg_param_text(&params, hex);
	if (pg_run(pg, reads ? &query_worker_blob_read : &query_worker_blob_write, &params, &result,
		   err) < 0)
		return -1;
	if (PQntuples(result) == 0)
		return error_set(err, ERR_UNAUTHENTICATED,
				 "this worker is not known, or has ended");
	if (pg_get_bool(result, 0, 1))
		return 0;
	return error_set(err, ERR_FORBIDDEN,
			 reads ? "this worker holds no job that needs this blob"
			       : "this worker holds no job");
}

/* *ret: whether the project may use the blob, and the store has it. */
static int is_known(const struct request *request, struct pg *pg, bool *ret, struct error *err)
{
	CLEANUP(cleanup_pg_params) struct pg_params params = {0};
	CLEANUP(cleanup_pgresult) PGresult *result = NULL;
	uint64_t bytes;

	*ret = false;
	pg_param_i64(&params, request->who.project_id);
	pg_param_bytes(&params, request->blob, SHA256_BYTES);
	if (pg_run(pg, &query_blob_get, &params, &result, err) < 0)
		return -1;
	return PQntuples(result) == 0
		       ? 0
		       : blob_has(request->server->blobs, request->blob, ret, &bytes, err);
}

int blobs_get(struct request *request, struct reply *reply, struct error *err)
{
	bool known = true;

	if (read_digest(request->args[0], request->blob, err) < 0)
		return -1;
	{
		CLEANUP(cleanup_request_db) struct request_db db = request_db_take(request);

		if (request->who.kind == IDENTITY_WORKER) {
			if (check_worker(request, db.pg, true, err) < 0)
				return -1;
		} else if (is_known(request, db.pg, &known, err) < 0) {
			return -1;
		}
	}
	if (!known)
		return error_set(err, ERR_NOT_FOUND, "this project has no blob %s",
				 request->args[0]);
	return content_reply(request, request->blob, NULL, reply, err);
}

static json_t *blob_json(const struct request *request, uint64_t bytes)
{
	return json_pack("{s:s, s:I}", "sha256", request->args[0], "size_bytes", (json_int_t)bytes);
}

int blobs_put_begin(struct request *request, struct reply *reply, struct error *err)
{
	bool known = false;

	if (read_digest(request->args[0], request->blob, err) < 0)
		return -1;
	{
		CLEANUP(cleanup_request_db) struct request_db db = request_db_take(request);

		if (request->who.kind == IDENTITY_WORKER) {
			if (check_worker(request, db.pg, false, err) < 0)
				return -1;
		} else if (is_known(request, db.pg, &known, err) < 0) {
			return -1;
		}
	}
	if (known) {
		uint64_t bytes;
		bool has;

		if (blob_has(request->server->blobs, request->blob, &has, &bytes, err) < 0)
			return -1;
		return reply_json(reply, MHD_HTTP_OK, blob_json(request, bytes));
	}
	/* Even when the store has the bytes from somebody else: only who can show them may use
	 * them. */
	return blob_writer_new(request->server->blobs, &request->blob_writer, err);
}

/* The bytes are all there. What a worker uploads becomes its job's project's with the artifact. */
int blobs_put(struct request *request, struct reply *reply, struct error *err)
{
	CLEANUP(cleanup_pg_params) struct pg_params params = {0};
	struct blob_writer *writer = TAKE_PTR(request->blob_writer);
	uint8_t digest[SHA256_BYTES];
	uint64_t bytes;
	int64_t added = 1;

	if (blob_writer_commit(writer, request->blob, digest, &bytes, err) < 0)
		return -1;
	if (request->who.kind == IDENTITY_KEY) {
		CLEANUP(cleanup_request_db) struct request_db db = request_db_take(request);

		pg_param_i64(&params, request->who.project_id);
		pg_param_bytes(&params, request->blob, SHA256_BYTES);
		pg_param_i64(&params, (int64_t)bytes);
		if (pg_do(db.pg, &query_blob_add, &params, &added, err) < 0)
			return -1;
	}
	return reply_json(reply, added > 0 ? MHD_HTTP_CREATED : MHD_HTTP_OK,
			  blob_json(request, bytes));
}

static int read_names(const json_t *names, uint8_t *digests, struct error *err)
{
	for (size_t i = 0; i < json_array_size(names); i++) {
		const char *hex = json_string_value(json_array_get(names, i));

		if (hex == NULL || !sha256_from_hex(hex, digests + i * SHA256_BYTES)) {
			char field[32];

			(void)snprintf(field, sizeof(field), "blobs[%zu]", i);
			return refuse_field(
				err, field,
				"must be a SHA-256: exactly 64 lower-case hexadecimal digits");
		}
	}
	return 0;
}

/* Adds those that the project may not use, or that the store has lost. */
static int collect_missing(const struct request *request, const json_t *names,
			   const uint8_t *digests, const PGresult *unknown, json_t *missing,
			   struct error *err)
{
	int next_unknown = 0;

	for (size_t i = 0; i < json_array_size(names); i++) {
		uint64_t bytes;
		bool has = false;

		if (next_unknown < PQntuples(unknown) &&
		    pg_get_i64(unknown, next_unknown, 0) == (int64_t)i + 1)
			next_unknown++;
		else if (blob_has(request->server->blobs, digests + i * SHA256_BYTES, &has, &bytes,
				  err) < 0)
			return -1;
		if (!has)
			CHECK(json_array_append(missing, json_array_get(names, i)) == 0);
	}
	return 0;
}

int blobs_check(struct request *request, struct reply *reply, struct error *err)
{
	CLEANUP(cleanup_pg_params) struct pg_params params = {0};
	CLEANUP(cleanup_pgresult) PGresult *unknown = NULL;
	CLEANUP(cleanup_json) json_t *missing = json_array();
	CLEANUP(cleanup_free) uint8_t *digests = NULL;
	struct json_reader reader;
	const json_t *names = NULL;

	json_reader_init(&reader, request->json, "", err);
	json_require(&reader, "blobs");
	json_read_array(&reader, "blobs", LIMIT_BLOB_CHECK_COUNT, &names);
	if (json_reader_finish(&reader) < 0)
		return -1;
	digests = xcalloc(json_array_size(names) + 1, SHA256_BYTES);
	if (read_names(names, digests, err) < 0)
		return -1;
	{
		CLEANUP(cleanup_request_db) struct request_db db = request_db_take(request);

		pg_param_i64(&params, request->who.project_id);
		pg_param_bytes_array(&params, digests, SHA256_BYTES, json_array_size(names));
		if (pg_run(db.pg, &query_blobs_missing, &params, &unknown, err) < 0)
			return -1;
	}
	if (collect_missing(request, names, digests, unknown, missing, err) < 0)
		return -1;
	return reply_json(reply, MHD_HTTP_OK, json_pack("{s:O}", "missing", missing));
}
