/* POST /api/v1/jobs and /api/v1/jobs/bulk */
#include <stdlib.h>
#include <string.h>

#include "api/job_reply.h"
#include "api/once.h"
#include "api/routes.h"
#include "api/server.h"
#include "api/spec_list.h"
#include "api/submitter.h"
#include "api/waker.h"
#include "base/check.h"
#include "base/json.h"

static int check_blobs(const struct request *request, const struct spec_list *list,
		       struct error *err)
{
	if (!spec_list_has_blobs(list))
		return 0;
	CLEANUP(cleanup_request_db) struct request_db db = request_db_take(request);
	return spec_list_check_blobs(list, db.pg, request->who.project_id, err);
}

/* The submission is through. */
static int submitted(struct request *request, struct reply *reply, struct error *err)
{
	const struct submission *submission = request->submission;

	if (submission->has_failed) {
		*err = submission->err;
		return -1;
	}
	switch (submission->status) {
	case SUBMISSION_CREATED:
		return job_reply_created(reply, submission->job_id, request->json,
					 request->who.limit_status);
	case SUBMISSION_REPLAYED: {
		CLEANUP(cleanup_request_db) struct request_db db = request_db_take(request);

		once_mark_replayed(reply);
		if (job_reply_get(request, db.pg, submission->job_id, "", reply, err) < 0)
			return -1;
		reply->status = MHD_HTTP_CREATED;
		return 0;
	}
	case SUBMISSION_MISMATCH:
		return once_mismatch(err);
	}
	UNREACHABLE();
}

static struct submission *make_submission(struct request *request, const struct job_spec *spec)
{
	struct submission *submission = xcalloc(1, sizeof(*submission));

	submission->request = request;
	submission->project_id = request->who.project_id;
	request_digest(request, submission->request_sha256);
	submission->spec = json_to_text(spec->json);
	submission->labels = spec_labels_text(spec);
	submission->name = spec->name;
	submission->retries = (int64_t)spec->retries;
	return submission;
}

int jobs_submit(struct request *request, struct reply *reply, struct error *err)
{
	CLEANUP(cleanup_spec_list) struct spec_list list = {0};
	const char *key;

	(void)reply;
	if (request_idempotency_key(request, &key, err) < 0 ||
	    spec_list_read_one(request->json, &list, err) < 0 ||
	    check_blobs(request, &list, err) < 0)
		return -1;
	request->submission = make_submission(request, &list.specs[0]);
	request->submission->key = key;
	request->resume = submitted;
	server_suspend(request);
	if (submitter_add(request->server->submitter, request->submission,
			  &request->submission->err) < 0) {
		request->submission->has_failed = true;
		server_go_on(request);
	}
	return 0;
}

int jobs_submit_bulk(struct request *request, struct reply *reply, struct error *err)
{
	CLEANUP(cleanup_spec_list) struct spec_list list = {0};
	CLEANUP(cleanup_free) int64_t *ids = NULL;
	CLEANUP(cleanup_json) json_t *answer = NULL;
	struct json_reader reader;
	const json_t *jobs = NULL;

	json_reader_init(&reader, request->json, "", err);
	json_require(&reader, "jobs");
	json_read_array(&reader, "jobs", LIMIT_BULK_JOBS, &jobs);
	if (json_reader_finish(&reader) < 0 || spec_list_read(jobs, &list, err) < 0 ||
	    check_blobs(request, &list, err) < 0)
		return -1;
	CLEANUP(cleanup_request_db) struct request_db db = request_db_take(request);
	if (once_begin(request, db.pg, &answer, err) < 0)
		return -1;
	if (answer != NULL) {
		once_mark_replayed(reply);
		return reply_json(reply, MHD_HTTP_CREATED, TAKE_PTR(answer));
	}
	if (spec_list_submit(&list, db.pg, request->who.project_id, 0, &ids, err) < 0)
		return -1;
	answer = json_pack("{s:o}", "items", job_reply_ids(ids, list.count, true));
	CHECK(answer != NULL);
	if (once_finish(request, db.pg, answer, err) < 0)
		return -1;
	waker_wake(request->server->waker);
	return reply_json(reply, MHD_HTTP_CREATED, TAKE_PTR(answer));
}
