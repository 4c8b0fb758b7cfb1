#include "api/reply.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/json.h"
#include "base/str.h"

#define PROBLEM_TYPE "https://rgrid.dev/problems/"

void reply_release(struct reply *reply)
{
	json_decref(reply->json);
	if (reply->response != NULL)
		MHD_destroy_response(reply->response);
	for (size_t i = 0; i < reply->header_count; i++)
		free(reply->headers[i].value);
	*reply = (struct reply){0};
}

int reply_json(struct reply *reply, unsigned status, json_t *json)
{
	CHECK(json != NULL);
	reply->status = status;
	reply->json = json;
	return 0;
}

int reply_response(struct reply *reply, unsigned status, struct MHD_Response *response)
{
	CHECK(response != NULL);
	reply->status = status;
	reply->response = response;
	return 0;
}

void reply_header(struct reply *reply, const char *name, const char *value)
{
	CHECK(reply->header_count < REPLY_HEADERS_MAX);
	reply->headers[reply->header_count].name = name;
	reply->headers[reply->header_count].value = xstrdup(value);
	reply->header_count++;
}

static const char *problem_title(enum error_code code)
{
	switch (code) {
	case ERR_INVALID:
		return "Invalid request";
	case ERR_UNAUTHENTICATED:
		return "Authentication needed";
	case ERR_LIMIT:
		return "Limit reached";
	case ERR_FORBIDDEN:
		return "Not allowed for this key";
	case ERR_NOT_FOUND:
		return "Not found";
	case ERR_NOT_ALLOWED:
		return "Method not allowed";
	case ERR_CONFLICT:
		return "Conflict";
	case ERR_LENGTH_REQUIRED:
		return "Length required";
	case ERR_TOO_LARGE:
		return "Too large";
	case ERR_MEDIA_TYPE:
		return "Unsupported media type";
	case ERR_RANGE:
		return "Range not satisfiable";
	case ERR_UNPROCESSABLE:
		return "Unprocessable content";
	case ERR_RATE_LIMITED:
		return "Too many requests";
	case ERR_INTERNAL:
		return "Internal error";
	case ERR_UNAVAILABLE:
		return "Temporarily unavailable";
	case ERR_TIMEOUT:
		return "Timeout";
	case ERR_NO_SPACE:
		return "No space left";
	case ERR_NONE:
	case ERR_MAX:
		break;
	}
	UNREACHABLE();
}

/* Text that began as UTF-8 may have been cut within a character. */
static json_t *text_json(const char *text)
{
	size_t bytes = strlen(text);

	while (bytes > 0 && !str_is_utf8(text, bytes))
		bytes--;
	return json_stringn(text, bytes);
}

void reply_problem(struct reply *reply, const struct error *err, const char *request_id)
{
	char type[sizeof(PROBLEM_TYPE) + 64];
	int status = error_http_status(err->code);

	(void)snprintf(type, sizeof(type), PROBLEM_TYPE "%s", error_code_name(err->code));
	for (char *at = type + strlen(PROBLEM_TYPE); *at != '\0'; at++) {
		if (*at == '_')
			*at = '-';
	}
	/* What went wrong inside is for the log, not for clients. */
	const char *detail =
		err->code == ERR_INTERNAL ? "something went wrong inside of RGrid" : err->msg;
	const char *hint = err->code == ERR_INTERNAL
				   ? "the server's log says more under this request_id"
				   : err->hint;
	json_t *json = json_pack("{s:s, s:s, s:i, s:o, s:s}", "type", type, "title",
				 problem_title(err->code), "status", status, "detail",
				 text_json(detail), "request_id", request_id);
	CHECK(json != NULL);
	if (err->field[0] != '\0')
		(void)json_object_set_new(json, "errors",
					  json_pack("[{s:o, s:O}]", "field", text_json(err->field),
						    "detail", json_object_get(json, "detail")));
	if (hint[0] != '\0')
		(void)json_object_set_new(json, "hint", text_json(hint));
	(void)reply_json(reply, (unsigned)status, json);
	reply_header(reply, MHD_HTTP_HEADER_CONTENT_TYPE, "application/problem+json");
	if (error_is_retryable(err->code))
		reply_header(reply, MHD_HTTP_HEADER_RETRY_AFTER, "1");
	if (err->code == ERR_UNAUTHENTICATED)
		reply_header(reply, MHD_HTTP_HEADER_WWW_AUTHENTICATE, "Bearer realm=\"rgrid\"");
}

static bool has_header(const struct reply *reply, const char *name)
{
	for (size_t i = 0; i < reply->header_count; i++) {
		if (str_eq(reply->headers[i].name, name))
			return true;
	}
	return false;
}

static struct MHD_Response *make_response(struct reply *reply)
{
	if (reply->response != NULL)
		return TAKE_PTR(reply->response);
	if (reply->json == NULL)
		return MHD_create_response_from_buffer(0, NULL, MHD_RESPMEM_PERSISTENT);
	char *text = json_to_text(reply->json);

	if (!has_header(reply, MHD_HTTP_HEADER_CONTENT_TYPE))
		reply_header(reply, MHD_HTTP_HEADER_CONTENT_TYPE, "application/json");
	return MHD_create_response_from_buffer(strlen(text), text, MHD_RESPMEM_MUST_FREE);
}

struct MHD_Response *reply_finish(struct reply *reply, const char *request_id)
{
	struct MHD_Response *response = make_response(reply);

	CHECK(response != NULL);
	for (size_t i = 0; i < reply->header_count; i++)
		CHECK(MHD_add_response_header(response, reply->headers[i].name,
					      reply->headers[i].value) == MHD_YES);
	CHECK(MHD_add_response_header(response, "X-Request-Id", request_id) == MHD_YES);
	if (!has_header(reply, MHD_HTTP_HEADER_CACHE_CONTROL))
		CHECK(MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL,
					      "no-store") == MHD_YES);
	CHECK(MHD_add_response_header(response, "X-Content-Type-Options", "nosniff") == MHD_YES);
	reply_release(reply);
	return response;
}
