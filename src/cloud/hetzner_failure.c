#include "cloud/hetzner_failure.h"

#include <stdio.h>
#include <string.h>

#include "base/str.h"

#define NO_ROUTE	     "api route not found" /* the endpoint's fault, not the resource's */
#define UNSUPPORTED_LOCATION "unsupported location for server type"

static const struct {
	const char *name;
	enum error_code error;
	const char *advice;
} codes[HETZNER_CODE_MAX] = {
	[HETZNER_OK] = {"ok", ERR_NONE, NULL},
#define X(name, text, error, advice) [HETZNER_##name] = {text, ERR_##error, advice},
#include "cloud/hetzner_codes.def"
#undef X
};

const char *hetzner_code_name(enum hetzner_code code)
{
	return codes[code].name;
}

enum hetzner_code hetzner_code_find(const char *name)
{
	for (enum hetzner_code code = HETZNER_JSON_ERROR; code < HETZNER_CODE_MAX; code++) {
		if (str_eq(codes[code].name, name))
			return code;
	}
	return HETZNER_UNKNOWN;
}

/* A gateway in front of the API answers in its own words. Its 404 says nothing of what was asked
 * for, and must not pass for the proof that a server is gone. */
static enum hetzner_code code_from_status(long status)
{
	switch (status) {
	case 401:
		return HETZNER_UNAUTHORIZED;
	case 403:
		return HETZNER_FORBIDDEN;
	case 429:
		return HETZNER_RATE_LIMIT_EXCEEDED;
	case 502:
		return HETZNER_BAD_GATEWAY;
	case 503:
		return HETZNER_UNAVAILABLE;
	case 504:
		return HETZNER_TIMEOUT;
	default:
		return status >= 500 ? HETZNER_SERVER_ERROR : HETZNER_UNKNOWN;
	}
}

void hetzner_failure_read(const json_t *json, long status, struct hetzner_failure *failure)
{
	const json_t *error = json_object_get(json, "error");
	const char *code = json_string_value(json_object_get(error, "code"));
	const char *message = json_string_value(json_object_get(error, "message"));

	failure->http_status = status;
	failure->code = code ? hetzner_code_find(code) : code_from_status(status);
	if (failure->code == HETZNER_UNKNOWN && status >= 500)
		failure->code = code_from_status(status);
	(void)snprintf(failure->message, sizeof(failure->message), "%s",
		       message ? message : "no explanation");
	if (failure->code == HETZNER_NOT_FOUND && str_eq(failure->message, NO_ROUTE))
		failure->code = HETZNER_UNKNOWN;
	if (failure->code == HETZNER_INVALID_INPUT &&
	    strstr(failure->message, UNSUPPORTED_LOCATION) != NULL)
		failure->code = HETZNER_LOCATION_UNSUPPORTED;
}

const char *hetzner_failure_advice(const struct hetzner_failure *failure)
{
	if (failure->outcome_unknown)
		return "it may have been done all the same: look before asking again";
	if (failure->http_status == 404 && failure->code == HETZNER_UNKNOWN)
		return "this does not answer as the Hetzner Cloud API does: check HCLOUD_ENDPOINT";
	return codes[failure->code].advice;
}

void hetzner_failure_explain(const struct hetzner_failure *failure, const char *method,
			     const char *path, struct error *err)
{
	int path_bytes = (int)strcspn(path, "?");

	(void)error_set(err, codes[failure->code].error, "Hetzner Cloud, %s %.*s: %s (%s%s%s)",
			method, path_bytes, path, failure->message,
			hetzner_code_name(failure->code),
			failure->correlation_id[0] != '\0' ? ", correlation id " : "",
			failure->correlation_id);
	(void)error_hint(err, "%s", hetzner_failure_advice(failure));
}
