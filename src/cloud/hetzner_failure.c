#include "cloud/hetzner_failure.h"

#include <stdio.h>
#include <string.h>

#include "base/str.h"

#define NO_ROUTE	     "api route not found" /* the endpoint's fault, not the resource's */
#define UNSUPPORTED_LOCATION "unsupported location for server type"

static const char *const names[HETZNER_CODE_MAX] = {
	[HETZNER_OK] = "ok",
	[HETZNER_UNKNOWN] = "unknown",
	[HETZNER_UNREACHABLE] = "unreachable",
#define X(name, text) [HETZNER_##name] = text,
#include "cloud/hetzner_codes.def"
#undef X
};

const char *hetzner_code_name(enum hetzner_code code)
{
	return code == HETZNER_LOCATION_UNSUPPORTED ? "invalid_input" : names[code];
}

enum hetzner_code hetzner_code_find(const char *name)
{
	for (enum hetzner_code code = HETZNER_JSON_ERROR; code < HETZNER_CODE_MAX; code++) {
		if (names[code][0] != '\0' && str_eq(names[code], name))
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

static enum error_code error_code_of(enum hetzner_code code)
{
	static const enum error_code codes[HETZNER_CODE_MAX] = {
		[HETZNER_UNREACHABLE] = ERR_UNAVAILABLE,
		[HETZNER_UNAUTHORIZED] = ERR_UNAUTHENTICATED,
		[HETZNER_TOKEN_READONLY] = ERR_FORBIDDEN,
		[HETZNER_FORBIDDEN] = ERR_FORBIDDEN,
		[HETZNER_MAINTENANCE] = ERR_UNAVAILABLE,
		[HETZNER_RESOURCE_LIMIT_EXCEEDED] = ERR_LIMIT,
		[HETZNER_NOT_FOUND] = ERR_NOT_FOUND,
		[HETZNER_UNIQUENESS_ERROR] = ERR_CONFLICT,
		[HETZNER_CONFLICT] = ERR_CONFLICT,
		[HETZNER_LOCKED] = ERR_CONFLICT,
		[HETZNER_PROTECTED] = ERR_FORBIDDEN,
		[HETZNER_RESOURCE_UNAVAILABLE] = ERR_UNAVAILABLE,
		[HETZNER_RATE_LIMIT_EXCEEDED] = ERR_RATE_LIMITED,
		[HETZNER_SERVER_ERROR] = ERR_UNAVAILABLE,
		[HETZNER_BAD_GATEWAY] = ERR_UNAVAILABLE,
		[HETZNER_UNAVAILABLE] = ERR_UNAVAILABLE,
		[HETZNER_TIMEOUT] = ERR_TIMEOUT,
	};

	return codes[code] != ERR_NONE ? codes[code] : ERR_UNPROCESSABLE;
}

const char *hetzner_failure_advice(const struct hetzner_failure *failure)
{
	static const char *const advices[HETZNER_CODE_MAX] = {
		[HETZNER_UNREACHABLE] = "check the network and HCLOUD_ENDPOINT",
		[HETZNER_UNAUTHORIZED] =
			"make a new API token in the project's Security page and set "
			"HETZNER_API_TOKEN",
		[HETZNER_TOKEN_READONLY] = "make an API token that may read and write",
		[HETZNER_RESOURCE_LIMIT_EXCEEDED] =
			"ask Hetzner for a higher limit, or delete what is not needed",
		[HETZNER_RESOURCE_UNAVAILABLE] = "take another server type or location, or wait",
		[HETZNER_LOCATION_UNSUPPORTED] =
			"this type is not sold there: take another location or server type",
		[HETZNER_RATE_LIMIT_EXCEEDED] =
			"the project's request budget is used up; it refills by one a second",
		[HETZNER_LOCKED] = "another action is at work on it; try again in a moment",
		[HETZNER_PROTECTED] = "take the protection off first, if it is to go",
		[HETZNER_IP_NOT_AVAILABLE] = "the address is taken, or was freed just now",
		[HETZNER_NO_SUBNET_AVAILABLE] =
			"the network has no free address in the server's network zone",
		[HETZNER_NETWORKS_OVERLAP] =
			"the server is in a network whose range overlaps this one",
		[HETZNER_DEPRECATED_API_ENDPOINT] = "RGrid is too old for today's API: update it",
	};

	if (failure->outcome_unknown)
		return "it may have been done all the same: look before asking again";
	if (failure->http_status == 404 && failure->code == HETZNER_UNKNOWN)
		return "this does not answer as the Hetzner Cloud API does: check HCLOUD_ENDPOINT";
	return advices[failure->code];
}

void hetzner_failure_explain(const struct hetzner_failure *failure, const char *method,
			     const char *path, struct error *err)
{
	int path_bytes = (int)strcspn(path, "?");

	(void)error_set(err, error_code_of(failure->code), "Hetzner Cloud, %s %.*s: %s (%s%s%s)",
			method, path_bytes, path, failure->message,
			hetzner_code_name(failure->code),
			failure->correlation_id[0] != '\0' ? ", correlation id " : "",
			failure->correlation_id);
	if (hetzner_failure_advice(failure) != NULL)
		(void)error_hint(err, "%s", hetzner_failure_advice(failure));
}
