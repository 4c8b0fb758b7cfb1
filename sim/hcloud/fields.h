/* Reads the body of a request, member by member, and fails as the API does: invalid_input that
 * names the field. The first failure sticks, later calls do nothing: read everything, then ask
 * once. Members that nobody asks for are ignored, as the API ignores them. Values are borrowed
 * from the body; outputs are left alone when the member is absent or null. Pure. */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hcloud/problem.h"

enum field_need { FIELD_OPTIONAL = 1, FIELD_REQUIRED };

struct fields {
	const json_t *object; /* NULL reads as {} */
	struct problem *problem;
	bool failed;
};

void fields_init(struct fields *fields, const json_t *object, struct problem *problem);
/* Not longer than bytes_max; required ones are not empty. */
void fields_str(struct fields *fields, const char *name, enum field_need need, size_t bytes_max,
		const char **ret);
void fields_bool(struct fields *fields, const char *name, enum field_need need, bool *ret);
void fields_id(struct fields *fields, const char *name, enum field_need need, int64_t *ret);
/* An id, also in words, as Python's library writes some. */
void fields_id_or_digits(struct fields *fields, const char *name, enum field_need need,
			 int64_t *ret);
void fields_array(struct fields *fields, const char *name, enum field_need need,
		  const json_t **ret);
void fields_object(struct fields *fields, const char *name, enum field_need need,
		   const json_t **ret);
/* A string or an integer: what accepts "id or name". */
void fields_id_or_name(struct fields *fields, const char *name, enum field_need need,
		       const json_t **ret);
/* An array of ids, each at least 1. */
void fields_ids(struct fields *fields, const char *name, const json_t **ret);
/* "labels", checked by the rules of labels. */
void fields_labels(struct fields *fields, const json_t **ret);
/* Present and null, which some fields tell from absent. */
bool fields_is_null(const struct fields *fields, const char *name);
PRINTF_FORMAT(3, 4)
void fields_fail(struct fields *fields, const char *name, const char *format, ...);
MUST_CHECK int fields_finish(const struct fields *fields); /* 0 or -1 */
