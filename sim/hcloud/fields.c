#include "hcloud/fields.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/str.h"
#include "hcloud/label.h"

/* Ids are at most 2^53 - 1, so that they survive in JavaScript. */
#define ID_MAX 9007199254740991LL

void fields_init(struct fields *fields, const json_t *object, struct problem *problem)
{
	*fields = (struct fields){.object = object, .problem = problem};
}

void fields_fail(struct fields *fields, const char *name, const char *format, ...)
{
	char message[sizeof(fields->problem->message)];
	va_list args;

	if (fields->failed)
		return;
	fields->failed = true;
	va_start(args, format);
	(void)vsnprintf(message, sizeof(message), format, args);
	va_end(args);
	problem_invalid(fields->problem, name, "%s", message);
}

/* The member, or NULL when it is absent, null or not wanted any more. */
static const json_t *member(struct fields *fields, const char *name, enum field_need need)
{
	const json_t *value = json_object_get(fields->object, name);

	if (fields->failed)
		return NULL;
	if (value && !json_is_null(value))
		return value;
	if (need == FIELD_REQUIRED)
		fields_fail(fields, name,
			    value ? "Field may not be null." : "Missing data for required field.");
	return NULL;
}

void fields_str(struct fields *fields, const char *name, enum field_need need, size_t bytes_max,
		const char **ret)
{
	const json_t *value = member(fields, name, need);

	if (!value)
		return;
	if (!json_is_string(value))
		fields_fail(fields, name, "Not a valid string.");
	else if (need == FIELD_REQUIRED && json_string_length(value) == 0)
		fields_fail(fields, name, "Shorter than minimum length 1.");
	else if (json_string_length(value) > bytes_max)
		fields_fail(fields, name, "Longer than maximum length %zu.", bytes_max);
	else
		*ret = json_string_value(value);
}

void fields_bool(struct fields *fields, const char *name, enum field_need need, bool *ret)
{
	const json_t *value = member(fields, name, need);

	if (value && !json_is_boolean(value))
		fields_fail(fields, name, "Not a valid boolean.");
	else if (value)
		*ret = json_is_true(value);
}

static bool is_id(const json_t *value)
{
	return json_is_integer(value) && json_integer_value(value) > 0 &&
	       json_integer_value(value) <= ID_MAX;
}

void fields_id(struct fields *fields, const char *name, enum field_need need, int64_t *ret)
{
	const json_t *value = member(fields, name, need);

	if (value && !is_id(value))
		fields_fail(fields, name, "Not a valid integer.");
	else if (value)
		*ret = json_integer_value(value);
}

void fields_id_or_digits(struct fields *fields, const char *name, enum field_need need,
			 int64_t *ret)
{
	const json_t *value = member(fields, name, need);
	struct error err;

	if (json_is_string(value)) {
		if (parse_i64(json_string_value(value), 1, ID_MAX, ret, &err) < 0)
			fields_fail(fields, name, "Not a valid integer.");
	} else {
		fields_id(fields, name, need, ret);
	}
}

void fields_array(struct fields *fields, const char *name, enum field_need need, const json_t **ret)
{
	const json_t *value = member(fields, name, need);

	if (value && !json_is_array(value))
		fields_fail(fields, name, "Not a valid list.");
	else if (value)
		*ret = value;
}

void fields_object(struct fields *fields, const char *name, enum field_need need,
		   const json_t **ret)
{
	const json_t *value = member(fields, name, need);

	if (value && !json_is_object(value))
		fields_fail(fields, name, "Not a valid mapping type.");
	else if (value)
		*ret = value;
}

void fields_id_or_name(struct fields *fields, const char *name, enum field_need need,
		       const json_t **ret)
{
	const json_t *value = member(fields, name, need);

	if (value && !json_is_string(value) && !is_id(value))
		fields_fail(fields, name, "Neither an id nor a name.");
	else if (value)
		*ret = value;
}

void fields_ids(struct fields *fields, const char *name, const json_t **ret)
{
	const json_t *array = NULL;

	fields_array(fields, name, FIELD_OPTIONAL, &array);
	for (size_t i = 0; i < json_array_size(array); i++) {
		if (!is_id(json_array_get(array, i))) {
			fields_fail(fields, name, "Not a valid integer.");
			return;
		}
	}
	if (array)
		*ret = array;
}

void fields_labels(struct fields *fields, const json_t **ret)
{
	const json_t *labels = member(fields, "labels", FIELD_OPTIONAL);

	if (!labels)
		return;
	if (labels_check(labels, fields->problem) < 0)
		fields->failed = true;
	else
		*ret = labels;
}

bool fields_is_null(const struct fields *fields, const char *name)
{
	return json_is_null(json_object_get(fields->object, name));
}

int fields_finish(const struct fields *fields)
{
	return fields->failed ? -1 : 0;
}
