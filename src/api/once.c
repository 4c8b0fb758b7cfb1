#include "api/once.h"

#include <stdlib.h>
#include <string.h>

#include "api/submitter.h"
#include "base/check.h"
#include "base/json.h"
#include "store/queries.h"

int once_mismatch(struct error *err)
{
	error_set(err, ERR_UNPROCESSABLE, "this Idempotency-Key was used for another request");
	error_hint(err, "use a new Idempotency-Key for each new request");
	return error_field(err, "Idempotency-Key");
}

void once_mark_replayed(struct reply *reply)
{
	reply_header(reply, "Idempotency-Replayed", "true");
}

static int begin_key(const struct request *request, struct pg *pg, const char *key,
		     json_t **ret_replay, struct error *err)
{
	CLEANUP(cleanup_pg_params) struct pg_params params = {0};
	CLEANUP(cleanup_pgresult) PGresult *result = NULL;
	uint8_t digest[SHA256_BYTES];

	request_digest(request, digest);
	pg_param_i64(&params, request->who.project_id);
	pg_param_text(&params, key);
	pg_param_bytes(&params, digest, sizeof(digest));
	if (pg_run(pg, &query_submit_key_begin, &params, &result, err) < 0)
		return -1;
	switch ((enum submission_status)pg_get_i64(result, 0, 0)) {
	case SUBMISSION_CREATED:
		return 0;
	case SUBMISSION_REPLAYED: {
		const char *text = pg_get_text(result, 0, 1);

		return json_parse(text, strlen(text), ret_replay, err);
	}
	case SUBMISSION_MISMATCH:
		return once_mismatch(err);
	}
	UNREACHABLE();
}

int once_begin(const struct request *request, struct pg *pg, json_t **ret_replay, struct error *err)
{
	const char *key;

	*ret_replay = NULL;
	if (request_idempotency_key(request, &key, err) < 0 || pg_begin(pg, err) < 0)
		return -1;
	return key != NULL ? begin_key(request, pg, key, ret_replay, err) : 0;
}

int once_finish(const struct request *request, struct pg *pg, const json_t *answer,
		struct error *err)
{
	CLEANUP(cleanup_pg_params) struct pg_params params = {0};
	CLEANUP(cleanup_free) char *text = json_to_text(answer);
	const char *key;

	if (request_idempotency_key(request, &key, err) < 0)
		return -1;
	if (key != NULL) {
		pg_param_i64(&params, request->who.project_id);
		pg_param_text(&params, key);
		pg_param_text(&params, text);
		if (pg_do(pg, &query_submit_key_finish, &params, NULL, err) < 0)
			return -1;
	}
	return pg_commit(pg, err);
}
