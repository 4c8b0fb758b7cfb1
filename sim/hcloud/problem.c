#define PROBLEM_DEFINED_HERE
#include "hcloud/problem.h"

#include <stdarg.h>

#include "base/check.h"
#include "base/error.h"
#include "base/str.h"

static const struct {
	const char *name;
	unsigned status;
} codes[PROBLEM_MAX] = {
#define X(name, text, http) [PROBLEM_##name] = {text, http},
#include "hcloud/problems.def"
#undef X
};

PRINTF_FORMAT(3, 0)
static int fill(struct problem *problem, enum problem_code code, const char *format, va_list args)
{
	CHECK(code > PROBLEM_NONE && code < PROBLEM_MAX);
	*problem = (struct problem){.code = code, .status = codes[code].status};
	(void)vsnprintf(problem->message, sizeof(problem->message), format, args);
	return -1;
}

int problem_set(struct problem *problem, enum problem_code code, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fill(problem, code, format, args);
	va_end(args);
	return -1;
}

int problem_named(struct problem *problem, enum problem_code code, const char *name,
		  const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fill(problem, code, format, args);
	va_end(args);
	(void)snprintf(problem->name, sizeof(problem->name), "%s", name);
	return -1;
}

int problem_invalid(struct problem *problem, const char *field, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fill(problem, PROBLEM_INVALID_INPUT, format, args);
	va_end(args);
	(void)snprintf(problem->name, sizeof(problem->name), "%s", field);
	return -1;
}

const char *problem_code_name(enum problem_code code)
{
	CHECK(code > PROBLEM_NONE && code < PROBLEM_MAX);
	return codes[code].name;
}

enum problem_code problem_code_parse(const char *text)
{
	for (enum problem_code code = PROBLEM_NONE + 1; code < PROBLEM_MAX; code++) {
		if (str_eq(codes[code].name, text))
			return code;
	}
	return PROBLEM_NONE;
}

static json_t *details_of(const struct problem *problem)
{
	if (problem->name[0] == '\0')
		return json_null();
	if (problem->code == PROBLEM_INVALID_INPUT)
		return json_pack("{s:[{s:s,s:[s]}]}", "fields", "name", problem->name, "messages",
				 problem->message);
	if (problem->code == PROBLEM_UNIQUENESS_ERROR)
		return json_pack("{s:[{s:s}]}", "fields", "name", problem->name);
	if (problem->code == PROBLEM_RESOURCE_LIMIT_EXCEEDED)
		return json_pack("{s:[{s:s}]}", "limits", "name", problem->name);
	if (problem->code == PROBLEM_DEPRECATED_API_ENDPOINT)
		return json_pack("{s:s}", "announcement", problem->name);
	return json_null();
}

json_t *problem_to_json(const struct problem *problem)
{
	char message[sizeof(problem->message)];

	if (problem->code == PROBLEM_INVALID_INPUT && problem->name[0] != '\0')
		(void)snprintf(message, sizeof(message), "invalid input in field '%s'",
			       problem->name);
	else
		(void)snprintf(message, sizeof(message), "%s", problem->message);
	json_t *json = json_pack("{s:s,s:s,s:o}", "code", problem_code_name(problem->code),
				 "message", message, "details", details_of(problem));
	/* Text that an invalid request brought along may not be UTF-8 after truncation. */
	if (!json)
		json = json_pack("{s:s,s:s,s:n}", "code", problem_code_name(problem->code),
				 "message", "invalid input", "details");
	CHECK(json != NULL);
	return json;
}
