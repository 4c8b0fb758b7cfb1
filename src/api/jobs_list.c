/* GET /api/v1/jobs */
#include <string.h>

#include "api/job_view.h"
#include "api/page.h"
#include "api/refuse.h"
#include "api/routes.h"
#include "base/check.h"
#include "base/json.h"
#include "base/str.h"
#include "core/job.h"
#include "store/queries.h"

/* Candidates that one page of a filtered list looks at. */
#define SCAN_MAX 10000

struct job_filter {
	enum job_state state; /* 0: any */
	int64_t batch_id;     /* 0: any */
	const char *name;
	json_t *labels; /* owned; NULL: any */
};

static void cleanup_job_filter(struct job_filter *filter)
{
	json_decref(filter->labels);
}

static int read_labels(const struct query *query, struct job_filter *filter, struct error *err)
{
	for (size_t i = 0; i < query->count; i++) {
		const char *text = query->params[i].value;
		const char *equals;

		if (!str_eq(query->params[i].name, "label"))
			continue;
		equals = strchr(text, '=');
		if (equals == NULL || equals == text) {
			return refuse_field(err, "label",
					    "must be of the form KEY=VALUE, not \"%.64s\"", text);
		}
		CLEANUP(cleanup_free) char *key = xstrndup(text, (size_t)(equals - text));
		if (filter->labels == NULL)
			filter->labels = json_object();
		if (json_object_get(filter->labels, key) != NULL) {
			return refuse_field(err, "label", "asks for \"%.64s\" twice", key);
		}
		CHECK(json_object_set_new(filter->labels, key, json_string(equals + 1)) == 0);
	}
	return 0;
}

static int read_filter(const struct request *request, struct pg *pg, struct job_filter *ret,
		       struct error *err)
{
	const char *state = query_get(&request->query, "state");
	const char *batch = query_get(&request->query, "batch");

	if (state != NULL && !job_state_parse(state, &ret->state)) {
		return refuse_field(err, "state",
				    "must be queued, running, completed, failed or cancelled, not "
				    "\"%.64s\"",
				    state);
	}
	if (batch != NULL && request_resolve(request, pg, ID_BATCH, batch, &ret->batch_id, err) < 0)
		return error_field(err, "batch");
	ret->name = query_get(&request->query, "name");
	return read_labels(&request->query, ret, err);
}

/* Where candidates come from: the narrowest set that the database can walk from the newest. */
static const char *source_of(const struct job_filter *filter)
{
	if (filter->batch_id != 0)
		return "batch";
	switch (filter->state) {
	case JOB_QUEUED:
		return "queued";
	case JOB_RUNNING:
		return "running";
	case JOB_FAILED:
	case JOB_CANCELLED:
		return "unsuccessful";
	case JOB_COMPLETED:
	case JOB_STATE_MAX:
		break;
	}
	return filter->labels != NULL ? "labels" : "all";
}

/* Whether every candidate of the source passes the filter. */
static bool is_exact(const struct job_filter *filter)
{
	if (filter->name != NULL || filter->labels != NULL)
		return false;
	if (filter->state == 0)
		return true;
	return filter->batch_id == 0 &&
	       (filter->state == JOB_QUEUED || filter->state == JOB_RUNNING);
}

struct list_page {
	int64_t before;
	int64_t limit;
	int64_t scan; /* candidates to look at */
};

static void param_id(struct pg_params *params, int64_t id)
{
	if (id != 0)
		pg_param_i64(params, id);
	else
		pg_param_null(params);
}

static int run_list(const struct request *request, struct pg *pg, const char *source,
		    const struct job_filter *filter, const struct list_page *page, PGresult **ret,
		    struct error *err)
{
	CLEANUP(cleanup_pg_params) struct pg_params params = {0};
	CLEANUP(cleanup_free)
	char *labels = filter->labels != NULL ? json_to_text(filter->labels) : NULL;

	pg_param_i64(&params, request->who.project_id);
	pg_param_text(&params, source);
	pg_param_i64(&params, page->before);
	pg_param_i64(&params, page->scan);
	param_id(&params, filter->batch_id);
	pg_param_text(&params, filter->name);
	pg_param_text(&params, labels);
	param_id(&params, (int64_t)filter->state);
	pg_param_i64(&params, page->limit);
	return pg_run(pg, &query_jobs_list, &params, ret, err);
}

enum list_column { LIST_SCANNED, LIST_SCANNED_TO, LIST_JOB };

/* One row without a job says that none was found. */
static int64_t count_found(const PGresult *result)
{
	return pg_get_text_or_null(result, 0, LIST_JOB) != NULL ? PQntuples(result) : 0;
}

static bool is_cut_short(const PGresult *result, const struct list_page *page)
{
	return count_found(result) < page->limit &&
	       pg_get_i64(result, 0, LIST_SCANNED) == page->scan;
}

static int find_page(const struct request *request, struct pg *pg, const struct job_filter *filter,
		     const struct list_page *page, PGresult **ret, struct error *err)
{
	const char *source = source_of(filter);

	if (str_eq(source, "labels")) {
		CLEANUP(cleanup_pgresult) PGresult *newest = NULL;

		/* The index by labels finds all jobs that have them before it can sort: good for
		 * labels of few jobs. Those of many are found among the newest. */
		if (run_list(request, pg, "all", filter, page, &newest, err) < 0)
			return -1;
		if (!is_cut_short(newest, page)) {
			*ret = TAKE_PTR(newest);
			return 0;
		}
	}
	return run_list(request, pg, source, filter, page, ret, err);
}

int jobs_list(struct request *request, struct reply *reply, struct error *err)
{
	CLEANUP(cleanup_job_filter) struct job_filter filter = {0};
	CLEANUP(cleanup_pgresult) PGresult *result = NULL;
	struct list_page page;
	char cursor[CURSOR_TEXT_BYTES];
	int64_t last = 0;

	if (page_read(request, CURSOR_JOBS, INT64_MAX, &page.before, &page.limit, err) < 0)
		return -1;
	CLEANUP(cleanup_request_db) struct request_db db = request_db_take(request);
	if (read_filter(request, db.pg, &filter, err) < 0)
		return -1;
	page.scan = is_exact(&filter) ? page.limit : SCAN_MAX;
	if (find_page(request, db.pg, &filter, &page, &result, err) < 0)
		return -1;
	json_t *items = json_array();
	for (int row = 0; row < count_found(result); row++) {
		last = pg_get_i64(result, row, LIST_JOB + JOB_COLUMN_ID);
		CHECK(json_array_append_new(items, job_view_json(result, row, LIST_JOB)) == 0);
	}
	bool is_short = is_cut_short(result, &page);
	bool has_more = is_short || json_array_size(items) == (size_t)page.limit;
	if (is_short)
		last = pg_get_i64(result, 0, LIST_SCANNED_TO);
	return page_reply(request, reply, items,
			  has_more ? cursor_format(CURSOR_JOBS, &last, 1, cursor) : NULL);
}
