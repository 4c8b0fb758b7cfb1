#include "orchestrator/enrolment.h"

#include <string.h>

#include "base/encode.h"
#include "base/hash.h"
#include "store/queries.h"

int enrolment_require(struct pg *pg, int64_t worker_id, const struct enrolment_terms *terms,
		      char ret_token[ENROLMENT_TOKEN_CHARS + 1], struct error *err)
{
	CLEANUP(cleanup_pg_params) struct pg_params params = {0};
	char token[ENROLMENT_TOKEN_CHARS + 1];
	uint8_t digest[SHA256_BYTES];

	base62_random(token, ENROLMENT_TOKEN_CHARS);
	sha256_of(token, ENROLMENT_TOKEN_CHARS, digest);
	pg_param_i64(&params, worker_id);
	pg_param_i64(&params, (int64_t)terms->start_ms);
	pg_param_i64(&params, (int64_t)terms->age_ms);
	pg_param_bytes(&params, digest, sizeof(digest));
	if (pg_do(pg, &query_orchestrator_worker_must_enrol, &params, NULL, err) < 0)
		return error_wrap(err, "cannot demand the worker's enrolment");
	memcpy(ret_token, token, sizeof(token));
	return 0;
}
