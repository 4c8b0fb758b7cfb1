/* /api/v1/jobs/{id}/artifacts… */
#include <string.h>

#include "api/content.h"
#include "api/job_view.h"
#include "api/output_of.h"
#include "api/page.h"
#include "api/routes.h"
#include "base/check.h"
#include "base/fs.h"
#include "store/queries.h"

int artifacts_list(struct request *request, struct reply *reply, struct error *err)
{
	CLEANUP(cleanup_request_db) struct request_db db = request_db_take(request);
	CLEANUP(cleanup_pg_params) struct pg_params params = {0};
	CLEANUP(cleanup_pgresult) PGresult *result = NULL;
	int64_t job;
	int64_t attempt;

	if (output_of(request, db.pg, &job, &attempt, err) < 0)
		return -1;
	pg_param_i64(&params, job);
	pg_param_i64(&params, attempt);
	if (pg_run(db.pg, &query_job_artifacts, &params, &result, err) < 0)
		return -1;
	json_t *items = json_array();
	for (int row = 0; row < PQntuples(result); row++)
		CHECK(json_array_append_new(items,
					    json_pack("{s:o, s:o, s:o, s:b}", "path",
						      column_text(result, row, 0), "sha256",
						      column_sha256(result, row, 1), "size_bytes",
						      column_number(result, row, 2), "executable",
						      pg_get_bool(result, row, 3))) == 0);
	return page_reply(request, reply, items, NULL);
}

static int find_artifact(const struct request *request, uint8_t ret[SHA256_BYTES],
			 struct error *err)
{
	CLEANUP(cleanup_request_db) struct request_db db = request_db_take(request);
	CLEANUP(cleanup_pg_params) struct pg_params params = {0};
	CLEANUP(cleanup_pgresult) PGresult *result = NULL;
	CLEANUP(cleanup_buf) struct buf digest = {0};
	int64_t job;
	int64_t attempt;

	buf_init(&digest, SHA256_BYTES);
	if (output_of(request, db.pg, &job, &attempt, err) < 0)
		return -1;
	pg_param_i64(&params, job);
	pg_param_i64(&params, attempt);
	pg_param_text(&params, request->args[1]);
	if (pg_run(db.pg, &query_job_artifact, &params, &result, err) < 0)
		return -1;
	if (PQntuples(result) == 0)
		return error_set(err, ERR_NOT_FOUND, "the job has no artifact \"%.200s\"",
				 request->args[1]);
	pg_get_bytes(result, 0, 0, &digest);
	CHECK(digest.bytes == SHA256_BYTES);
	memcpy(ret, digest.data, SHA256_BYTES);
	return 0;
}

int artifacts_get(struct request *request, struct reply *reply, struct error *err)
{
	if (find_artifact(request, request->blob, err) < 0)
		return -1;
	return content_reply(request, request->blob, fs_basename(request->args[1]), reply, err);
}
