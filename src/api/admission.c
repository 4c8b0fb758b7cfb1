#include "api/admission.h"

#include <string.h>
#include <strings.h>

#include "api/request.h"
#include "api/routes.h"
#include "api/server.h"
#include "base/check.h"
#include "base/str.h"

static int find_route(struct request *request, const char *method, struct error *err)
{
	struct route_match match = {0};
	bool is_head;
	char allow[64];

	if (strlen(request->target) > LIMIT_URL_BYTES)
		return error_set(err, ERR_INVALID, "the URL is longer than %llu bytes",
				 LIMIT_URL_BYTES);
	request->query_text = strchr(request->target, '?');
	if (request->query_text != NULL)
		*request->query_text++ = '\0';
	bool is_known = http_method_parse(method, &request->method, &is_head);
	if (route_find(routes, ROUTE_COUNT, request->server->audience,
		       is_known ? request->method : 0, request->target, &match, err) < 0)
		return -1;
	request->route = match.route;
	memcpy(request->args, match.args, sizeof(request->args));
	if (match.route != NULL)
		return 0;
	http_methods_text(match.methods, allow, sizeof(allow));
	reply_header(&request->reply, MHD_HTTP_HEADER_ALLOW, allow);
	error_set(err, ERR_NOT_ALLOWED, "%.16s is not possible here", method);
	return error_hint(err, "this address takes %s", allow);
}

static int need_scope(const struct request *request, unsigned scope, const char *name,
		      struct error *err)
{
	if ((request->who.scopes & scope) != 0)
		return 0;
	error_set(err, ERR_FORBIDDEN, "the key \"%s\" does not have the scope \"%s\"",
		  request->who.name, name);
	return error_hint(err, "use a key with that scope, or make one with "
			       "`rgridd key create --scopes`");
}

static int check_access(struct request *request, struct error *err)
{
	enum route_access access = request->route->access;
	bool is_blob = access == ACCESS_BLOB_READ || access == ACCESS_BLOB_WRITE;

	if (access == ACCESS_OPEN)
		return 0;
	if (auth_identify(request->server->auth,
			  request_header(request, MHD_HTTP_HEADER_AUTHORIZATION), &request->who,
			  err) < 0)
		return -1;
	if (request->who.kind == IDENTITY_WORKER)
		return is_blob ? 0
			       : error_set(err, ERR_FORBIDDEN,
					   "a worker's credential is good for blobs only");
	if (request->server->audience == AUDIENCE_WORKERS) {
		error_set(err, ERR_FORBIDDEN,
			  "this listener serves workers only, and takes no "
			  "API keys");
		return error_hint(err, "use the key with the API that serves users");
	}
	switch (access) {
	case ACCESS_OPEN:
	case ACCESS_ANY:
		return 0;
	case ACCESS_READ:
	case ACCESS_BLOB_READ:
		return need_scope(request, SCOPE_READ, "read", err);
	case ACCESS_RUN:
	case ACCESS_BLOB_WRITE:
		return need_scope(request, SCOPE_RUN, "run", err);
	case ACCESS_ADMIN:
		return need_scope(request, SCOPE_ADMIN, "admin", err);
	}
	UNREACHABLE();
}

static int check_media_type(const struct request *request, struct error *err)
{
	static const char json[] = "application/json";
	const char *type = request_header(request, MHD_HTTP_HEADER_CONTENT_TYPE);

	if (type == NULL)
		return 0;
	size_t bytes = strcspn(type, "; \t");
	if (bytes == sizeof(json) - 1 && strncasecmp(type, json, bytes) == 0)
		return 0;
	error_set(err, ERR_MEDIA_TYPE, "the body is declared as \"%.64s\", but must be JSON", type);
	return error_hint(err, "send the header Content-Type: application/json");
}

/* The library has refused lengths that are no numbers. */
static int check_length(const struct request *request, uint64_t bytes_max, struct error *err)
{
	const char *length = request_header(request, MHD_HTTP_HEADER_CONTENT_LENGTH);
	uint64_t bytes;
	struct error ignored;

	if (length == NULL ||
	    (parse_u64(length, 0, UINT64_MAX, &bytes, &ignored) == 0 && bytes <= bytes_max))
		return 0;
	return error_set(err, ERR_TOO_LARGE,
			 "the body is declared as %.24s bytes, more than the %llu allowed", length,
			 (unsigned long long)bytes_max);
}

static int admit_body(struct request *request, struct error *err)
{
	switch (request->route->body) {
	case BODY_NONE:
		return check_length(request, LIMIT_BODY_BYTES, err);
	case BODY_JSON:
		if (check_media_type(request, err) < 0)
			return -1;
		return check_length(request, LIMIT_BODY_BYTES, err);
	case BODY_BLOB:
		if (check_length(request, LIMIT_BLOB_BYTES, err) < 0)
			return -1;
		return blobs_put_begin(request, &request->reply, err);
	}
	UNREACHABLE();
}

int admit(struct request *request, const char *method, struct error *err)
{
	if (find_route(request, method, err) < 0 || check_access(request, err) < 0)
		return -1;
	if (query_parse(request->query_text, &request->query, err) < 0 ||
	    query_check(&request->query, request->route->query, err) < 0)
		return -1;
	return admit_body(request, err);
}
