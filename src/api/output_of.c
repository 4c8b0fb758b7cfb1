#include "api/output_of.h"

#include "api/refuse.h"
#include "base/str.h"
#include "core/job.h"
#include "store/queries.h"

enum column { COLUMN_STATE, COLUMN_ATTEMPT, COLUMN_LAST_ENDED };

int output_of(const struct request *request, struct pg *pg, int64_t *ret_job, int64_t *ret_attempt,
	      struct error *err)
{
	CLEANUP(cleanup_pg_params) struct pg_params params = {0};
	CLEANUP(cleanup_pgresult) PGresult *result = NULL;
	const char *text = query_get(&request->query, "attempt");
	int64_t attempt = 0;
	int64_t job;

	if (text != NULL && parse_i64(text, 1, INT32_MAX, &attempt, err) < 0)
		return refuse_value(err, "attempt");
	if (request_resolve(request, pg, ID_JOB, request->args[0], &job, err) < 0)
		return -1;
	pg_param_i64(&params, job);
	pg_param_i64(&params, request->who.project_id);
	if (pg_run(pg, &query_job_output_attempt, &params, &result, err) < 0)
		return -1;
	if (PQntuples(result) == 0)
		return request_no_such(ID_JOB, request->args[0], err);
	int64_t current = pg_get_i64(result, 0, COLUMN_ATTEMPT);
	bool is_queued = pg_get_i64(result, 0, COLUMN_STATE) == JOB_QUEUED;
	bool has_ended_one = pg_get_text_or_null(result, 0, COLUMN_LAST_ENDED) != NULL;
	if (attempt > current) {
		error_set(err, ERR_NOT_FOUND, "there was no attempt %s, the last is %lld", text,
			  (long long)current);
		return error_field(err, "attempt");
	}
	if (attempt == 0)
		attempt = is_queued && has_ended_one ? pg_get_i64(result, 0, COLUMN_LAST_ENDED)
						     : current;
	*ret_job = job;
	*ret_attempt = attempt;
	return 0;
}
