/* What an answer that is no success means: its code, and the words for people. Pure. */
#pragma once

#include <stddef.h>

#include "base/error.h"
#include "base/json.h"
#include "cloud/hetzner.h"

const char *hetzner_code_name(enum hetzner_code code); /* "resource_unavailable" */
enum hetzner_code hetzner_code_find(const char *name); /* HETZNER_UNKNOWN for any other */
/* Reads {"error": {…}}; anything else is judged by the status alone. json may be NULL. */
void hetzner_failure_read(const json_t *json, long status, struct hetzner_failure *failure);
/* Of what has failed. The error for people: "METHOD /path: words (code, correlation id)", and what
 * to do. */
void hetzner_failure_explain(const struct hetzner_failure *failure, const char *method,
			     const char *path, struct error *err);
/* What to do about it. */
const char *hetzner_failure_advice(const struct hetzner_failure *failure);
