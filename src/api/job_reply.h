/* Single jobs as answers. */
#pragma once

#include "api/request.h"

/* Job `id` of the request's project, with spec and the whole reason why it waits; ERR_NOT_FOUND,
 * naming `text`, when there is none. */
MUST_CHECK int job_reply_get(const struct request *request, struct pg *pg, int64_t id,
			     const char *text, struct reply *reply, struct error *err);
/* A job that was queued at this moment: what job_reply_get would say, without asking. `spec` is
 * borrowed. limit_status: how its project stands to its limit. Returns 0. */
int job_reply_created(struct reply *reply, int64_t id, json_t *spec, const char *limit_status);
/* ["job_…", …], or [{"id": "job_…"}, …]. */
json_t *job_reply_ids(const int64_t *ids, size_t count, bool as_objects);
