/* What is decided about a request from its header alone: route, credential and scope, query, the
 * kind and length of its body. */
#pragma once

#include "base/error.h"

struct request;

/* -1: `err` is the answer. 0: go on with the body; or, with request->reply filled, that is the
 * answer. */
MUST_CHECK int admit(struct request *request, const char *method, struct error *err);
