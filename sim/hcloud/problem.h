/* An error of the API, as a value: the rules fill it, the HTTP side renders it. Fixed in size, so
 * that pure rules need no memory. A code brings its HTTP status and the shape of its `details`:
 * for invalid_input and uniqueness_error `name` is the field at fault, for
 * resource_limit_exceeded the limit, for deprecated_api_endpoint the announcement. */
#pragma once

#include <jansson.h>

#include "base/error.h"

enum problem_code {
	PROBLEM_NONE = 0,
#define X(name, text, status) PROBLEM_##name,
#include "hcloud/problems.def"
#undef X
	PROBLEM_MAX
};

struct problem {
	enum problem_code code;
	unsigned status; /* HTTP; the code's own unless a caller changed it */
	char name[96];
	char message[320];
};

/* Both return -1, so that callers `return problem_set(…)`. */
PRINTF_FORMAT(3, 4)
int problem_set(struct problem *problem, enum problem_code code, const char *format, ...);
/* invalid_input: "invalid input in field 'ip_range'", the text in its details. */
PRINTF_FORMAT(3, 4)
int problem_invalid(struct problem *problem, const char *field, const char *format, ...);
/* As problem_set, with the name that goes into the details. */
PRINTF_FORMAT(4, 5)
int problem_named(struct problem *problem, enum problem_code code, const char *name,
		  const char *format, ...);

/* As in base/error.h. */
#if defined(__clang_analyzer__) && !defined(PROBLEM_DEFINED_HERE)
#define problem_set(...)     error_minus_one(problem_set(__VA_ARGS__))
#define problem_invalid(...) error_minus_one(problem_invalid(__VA_ARGS__))
#define problem_named(...)   error_minus_one(problem_named(__VA_ARGS__))
#endif

const char *problem_code_name(enum problem_code code);
/* PROBLEM_NONE for a word that is none. */
enum problem_code problem_code_parse(const char *text);
/* {"code", "message", "details"}, a new reference. */
json_t *problem_to_json(const struct problem *problem);
