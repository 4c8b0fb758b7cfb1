/* What most resources have in common: get, rename and label, names that are unique, what a new one
 * begins with. */
#pragma once

#include "hcloud/call.h"

#define RESOURCE_NAME_BYTES_MAX 253

/* 200 {singular: view}. */
int resource_reply(struct call *call, unsigned status, enum kind kind, const json_t *doc);
/* GET /x/{id} */
int resource_get(struct call *call, enum kind kind);
/* PUT /x/{id} {name, labels}: labels replace all labels, names stay unique. */
int resource_update(struct call *call, enum kind kind);
/* uniqueness_error when another document of the kind has that name; except_id may be 0. */
MUST_CHECK int resource_check_name(struct call *call, enum kind kind, const char *name,
				   int64_t except_id);
/* {"id", "name", "labels", "created"}: a new document that is in no table yet. labels may be
 * NULL. */
json_t *resource_new(struct sim *sim, const char *name, const json_t *labels);
/* 423 locked when an action runs on it. */
MUST_CHECK int resource_check_unlocked(struct call *call, enum kind kind, const json_t *doc);
/* 423 protected when protection.<what> is set. */
MUST_CHECK int resource_check_unprotected(struct call *call, const json_t *doc, const char *what);
