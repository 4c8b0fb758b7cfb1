/* Job specifications on their way from a request's body into the database. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "core/job_spec.h"
#include "store/pg.h"

struct spec_list {
	struct job_spec *specs;
	char (*paths)[32]; /* "jobs[3]", or "" for a body that is one job */
	size_t count;
};
void spec_list_release(struct spec_list *list);
#define cleanup_spec_list spec_list_release

/* One specification. */
MUST_CHECK int spec_list_read_one(const json_t *json, struct spec_list *ret, struct error *err);
/* The elements of an array called "jobs", 1 to LIMIT_BULK_JOBS. */
MUST_CHECK int spec_list_read(const json_t *array, struct spec_list *ret, struct error *err);

/* Whether the project may use all blobs that they name; ERR_UNPROCESSABLE names the first field
 * that it may not. Asks nothing when they name none. */
MUST_CHECK int spec_list_check_blobs(const struct spec_list *list, struct pg *pg,
				     int64_t project_id, struct error *err);
bool spec_list_has_blobs(const struct spec_list *list);

/* Inserts them, into batch_id unless 0. *ret_ids: a new array of count ids in order. */
MUST_CHECK int spec_list_submit(const struct spec_list *list, struct pg *pg, int64_t project_id,
				int64_t batch_id, int64_t **ret_ids, struct error *err);

/* JSON of the labels, to be freed; NULL: none. */
char *spec_labels_text(const struct job_spec *spec);
