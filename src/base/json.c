#include "base/json.h"

#include "base/check.h"
#include "base/str.h"

/* The type of a JSON value in words, for messages. */
static const char *type_words(const json_t *json)
{
	if (json == NULL)
		return "absent";
	switch (json_typeof(json)) {
	case JSON_OBJECT:
		return "an object";
	case JSON_ARRAY:
		return "an array";
	case JSON_STRING:
		return "text";
	case JSON_INTEGER:
	case JSON_REAL:
		return "a number";
	case JSON_TRUE:
	case JSON_FALSE:
		return "true or false";
	case JSON_NULL:
		return "null";
	}
	UNREACHABLE();
}

int json_parse(const char *data, size_t bytes, json_t **ret, struct error *err)
{
	json_error_t why;

	if (bytes == 0)
		return error_set(err, ERR_INVALID, "not valid JSON: it is empty");
	json_t *json = json_loadb(data, bytes, JSON_REJECT_DUPLICATES, &why);

	if (json == NULL) {
		enum json_error_code code = json_error_code(&why);
		bool is_nul =
			code == json_error_null_character || code == json_error_null_byte_in_key;

		return error_set(err, ERR_INVALID, "not valid JSON: %s (line %d, column %d)",
				 is_nul ? "the character NUL is not allowed" : why.text, why.line,
				 why.column);
	}
	*ret = json;
	return 0;
}

char *json_to_text(const json_t *json)
{
	char *text = json_dumps(json, JSON_COMPACT | JSON_ENCODE_ANY);

	CHECK(text != NULL);
	return text;
}

void json_reader_init(struct json_reader *reader, const json_t *object, const char *path,
		      struct error *err)
{
	*reader = (struct json_reader){.object = object, .err = err};
	(void)snprintf(reader->path, sizeof(reader->path), "%s", path);
	if (json_is_object(object))
		return;
	reader->failed = true;
	(void)error_set(err, ERR_INVALID, "%s must be an object, not %s",
			*path != '\0' ? path : "the body", type_words(object));
	(void)error_field(err, "%s", path);
}

void json_reader_fail(struct json_reader *reader, const char *name, const char *format, ...)
{
	CLEANUP(cleanup_free) char *problem = NULL;
	const char *dot = reader->path[0] != '\0' ? "." : "";
	va_list arguments;

	if (reader->failed)
		return;
	reader->failed = true;
	va_start(arguments, format);
	int bytes = vasprintf(&problem, format, arguments);
	va_end(arguments);
	CHECK(bytes >= 0);
	(void)error_set(reader->err, ERR_INVALID, "%s%s%s %s", reader->path, dot, name, problem);
	(void)error_field(reader->err, "%s%s%s", reader->path, dot, name);
}

static bool was_seen(const struct json_reader *reader, const char *name)
{
	for (size_t i = 0; i < reader->seen_count; i++) {
		if (str_eq(reader->seen[i], name))
			return true;
	}
	return false;
}

/* The member, remembered as known; NULL when absent or null, or after a failure. */
static const json_t *take_member(struct json_reader *reader, const char *name)
{
	if (reader->failed)
		return NULL;
	if (!was_seen(reader, name)) {
		CHECK(reader->seen_count < JSON_READER_MEMBERS_MAX);
		reader->seen[reader->seen_count++] = name;
	}
	const json_t *member = json_object_get(reader->object, name);

	return json_is_null(member) ? NULL : member;
}

void json_require(struct json_reader *reader, const char *name)
{
	if (take_member(reader, name) == NULL)
		json_reader_fail(reader, name, "is missing");
}

void json_read_str(struct json_reader *reader, const char *name, size_t bytes_min, size_t bytes_max,
		   const char **ret)
{
	const json_t *member = take_member(reader, name);

	if (member == NULL)
		return;
	if (!json_is_string(member)) {
		json_reader_fail(reader, name, "must be text, not %s", type_words(member));
		return;
	}
	const char *text = json_string_value(member);
	size_t bytes = json_string_length(member);

	if (strlen(text) != bytes)
		json_reader_fail(reader, name, "must not contain a NUL character");
	else if (bytes == 0 && bytes_min > 0)
		json_reader_fail(reader, name, "must not be empty");
	else if (bytes < bytes_min)
		json_reader_fail(reader, name, "must have at least %zu bytes", bytes_min);
	else if (bytes > bytes_max)
		json_reader_fail(reader, name, "must have at most %zu bytes, it has %zu", bytes_max,
				 bytes);
	else
		*ret = text;
}

void json_read_u64(struct json_reader *reader, const char *name, uint64_t min, uint64_t max,
		   uint64_t *ret)
{
	const json_t *member = take_member(reader, name);

	if (member == NULL)
		return;
	json_int_t value = json_integer_value(member);

	if (json_is_integer(member) && value >= 0 && (uint64_t)value >= min &&
	    (uint64_t)value <= max)
		*ret = (uint64_t)value;
	else
		json_reader_fail(reader, name, "must be an integer between %llu and %llu",
				 (unsigned long long)min, (unsigned long long)max);
}

void json_read_bool(struct json_reader *reader, const char *name, bool *ret)
{
	const json_t *member = take_member(reader, name);

	if (member == NULL)
		return;
	if (json_is_boolean(member))
		*ret = json_is_true(member);
	else
		json_reader_fail(reader, name, "must be true or false, not %s", type_words(member));
}

/* Thousandths of a number that has no finer digits; false when it has, is negative or too big. */
static bool to_millis(const json_t *number, uint64_t *ret)
{
	if (json_is_integer(number)) {
		json_int_t value = json_integer_value(number);

		return value >= 0 && !__builtin_mul_overflow((uint64_t)value, 1000U, ret);
	}
	double scaled = json_real_value(number) * 1000;

	/* Beyond 2^53 a double no longer tells neighbouring integers apart. */
	if (!json_is_real(number) || !(scaled >= 0 && scaled < 9007199254740992.0))
		return false;
	uint64_t rounded = (uint64_t)(scaled + 0.5);
	double distance = scaled - (double)rounded;

	if (distance < -1e-6 || distance > 1e-6)
		return false;
	*ret = rounded;
	return true;
}

void json_read_millis(struct json_reader *reader, const char *name, uint64_t min, uint64_t max,
		      uint64_t *ret)
{
	const json_t *member = take_member(reader, name);
	uint64_t value;

	if (member == NULL)
		return;
	if (to_millis(member, &value) && value >= min && value <= max)
		*ret = value;
	else
		json_reader_fail(
			reader, name,
			"must be a number between %llu.%03llu and %llu.%03llu with at most "
			"three decimals",
			(unsigned long long)(min / 1000), (unsigned long long)(min % 1000),
			(unsigned long long)(max / 1000), (unsigned long long)(max % 1000));
}

void json_read_array(struct json_reader *reader, const char *name, size_t count_max,
		     const json_t **ret)
{
	const json_t *member = take_member(reader, name);

	if (member == NULL)
		return;
	if (!json_is_array(member))
		json_reader_fail(reader, name, "must be an array, not %s", type_words(member));
	else if (json_array_size(member) > count_max)
		json_reader_fail(reader, name, "must have at most %zu elements, it has %zu",
				 count_max, json_array_size(member));
	else
		*ret = member;
}

void json_read_object(struct json_reader *reader, const char *name, size_t count_max,
		      const json_t **ret)
{
	const json_t *member = take_member(reader, name);

	if (member == NULL)
		return;
	if (!json_is_object(member))
		json_reader_fail(reader, name, "must be an object, not %s", type_words(member));
	else if (json_object_size(member) > count_max)
		json_reader_fail(reader, name, "must have at most %zu members, it has %zu",
				 count_max, json_object_size(member));
	else
		*ret = member;
}

int json_reader_finish(struct json_reader *reader)
{
	/* jansson's iterators take no const object, and change nothing. */
	union {
		const json_t *constant;
		json_t *object;
	} both = {.constant = reader->object};

	if (reader->failed)
		return -1;
	for (void *at = json_object_iter(both.object); at != NULL;
	     at = json_object_iter_next(both.object, at)) {
		const char *name = json_object_iter_key(at);

		if (was_seen(reader, name))
			continue;
		const char *near = str_suggest(name, reader->seen, reader->seen_count);

		json_reader_fail(reader, name, "is not a member that is known here");
		if (near != NULL)
			(void)error_hint(reader->err, "did you mean \"%s\"?", near);
		return -1;
	}
	return 0;
}
