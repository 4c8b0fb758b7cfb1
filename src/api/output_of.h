/* Which attempt's output a request is about. */
#pragma once

#include "api/request.h"

/* The job of the path, and the attempt of the query parameter "attempt"; without it the running
 * one, else the last that ended, else the first. */
MUST_CHECK int output_of(const struct request *request, struct pg *pg, int64_t *ret_job,
			 int64_t *ret_attempt, struct error *err);
