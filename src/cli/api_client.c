#include "cli/api_client.h"

#include <stdlib.h>

#include "base/check.h"
#include "base/encode.h"
#include "base/rand.h"
#include "base/str.h"
#include "cli/interrupt.h"

#define CONNECT_TIMEOUT_MS    10000
#define BACKOFF_FIRST_MS      200
#define BACKOFF_MAX_MS	      8000
#define TRIES_MAX	      9 /* some 30 s in all */
#define TRIES_UNREACHED_MAX   4 /* some 1.5 s: most likely nobody is there */
#define RETRY_AFTER_MAX_S     30
#define IDEMPOTENCY_KEY_CHARS 32
#define HEADERS_MAX	      6
#define HEADER_BYTES	      256
#define PATH_BYTES_MAX	      4096

struct api_client {
	struct http_client *http;
	char *url;
	bool has_token;
	bool reached; /* some answer has arrived */
	const volatile int *interrupted;
	void (*on_retry)(void *context, const struct error *why);
	void *context;
};

/* The header lines of one request. */
struct headers {
	char text[HEADERS_MAX][HEADER_BYTES];
	const char *lines[HEADERS_MAX + 1];
	size_t count;
};

int api_client_new(const struct api_options *options, struct api_client **ret, struct error *err)
{
	CLEANUP(cleanup_api_client) struct api_client *client = xcalloc(1, sizeof(*client));
	CLEANUP(cleanup_free)
	char *authorization = options->token ? xasprintf("Bearer %s", options->token) : NULL;
	const struct http_client_options http = {
		.base_url = options->url,
		.authorization = authorization,
		.user_agent = "rgrid/" RGRID_VERSION,
		.ca_file = options->ca_file,
		.connect_timeout_ms = CONNECT_TIMEOUT_MS,
		.interrupted = options->interrupted,
	};

	client->url = xstrdup(options->url);
	client->has_token = options->token != NULL;
	client->interrupted = options->interrupted;
	client->on_retry = options->on_retry;
	client->context = options->context;
	if (http_client_new(&http, &client->http, err) != 0)
		return -1;
	*ret = TAKE_PTR(client);
	return 0;
}

void api_client_free(struct api_client *client)
{
	if (!client)
		return;
	http_client_free(client->http);
	free(client->url);
	free(client);
}

void cleanup_api_client(struct api_client **client)
{
	api_client_free(*client);
}

PRINTF_FORMAT(2, 3) static void headers_add(struct headers *headers, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	(void)vsnprintf(headers->text[headers->count], HEADER_BYTES, format, arguments);
	va_end(arguments);
	headers->lines[headers->count] = headers->text[headers->count];
	headers->count++;
}

static void headers_build(struct headers *headers, const struct api_request *request)
{
	*headers = (struct headers){0};
	headers_add(headers, "Accept: %s", request->accept ? request->accept : "application/json");
	if (request->body_from_fd || request->body_is_bytes)
		headers_add(headers, "Content-Type: application/octet-stream");
	else if (request->body)
		headers_add(headers, "Content-Type: application/json");
	if (request->last_event_id && request->last_event_id[0])
		headers_add(headers, "Last-Event-ID: %s", request->last_event_id);
	if (request->repeat == API_REPEAT_CREATE) {
		char key[IDEMPOTENCY_KEY_CHARS + 1];

		base62_random(key, IDEMPOTENCY_KEY_CHARS);
		headers_add(headers, "Idempotency-Key: %s", key);
	}
}

static bool may_repeat(const struct api_request *request)
{
	switch (request->repeat) {
	case API_REPEAT_BY_METHOD:
		return !str_eq(request->method, "POST");
	case API_REPEAT_CREATE:
	case API_REPEAT_SAFE:
		return true;
	case API_REPEAT_NEVER:
		return false;
	}
	UNREACHABLE();
}

static void explain_status(const struct api_client *client, long status, struct error *err)
{
	if (err->hint[0])
		return;
	if (status == 401 && !client->has_token)
		error_hint(err, "run \"rgrid init\", or set RGRID_TOKEN");
	else if (status == 401)
		error_hint(err, "the key may be mistyped, expired or revoked; run \"rgrid init\" "
				"again");
	else if (status == 403)
		error_hint(err, "this needs a key with another scope; see \"rgrid key\"");
}

/* problem+json, or whatever else came, as an error. */
static int error_from_response(const struct api_client *client,
			       const struct http_response *response, struct error *err)
{
	enum error_code code = error_code_from_http(response->status);
	CLEANUP(cleanup_json) json_t *problem = NULL;
	struct error ignored;
	const char *detail = NULL, *hint = NULL, *field = NULL;

	if (json_parse(response->body.data, response->body.bytes, &problem, &ignored) == 0) {
		const json_t *first = json_array_get(json_object_get(problem, "errors"), 0);

		detail = api_text(problem, "detail");
		if (!detail)
			detail = api_text(problem, "title");
		hint = api_text(problem, "hint");
		field = api_text(first, "field");
	}
	if (!detail)
		error_set(err, code, "%s answered with HTTP status %ld", client->url,
			  response->status);
	else if (field && !strstr(detail, field))
		error_set(err, code, "%s: %s", field, detail);
	else
		error_set(err, code, "%s", detail);
	if (field)
		error_field(err, "%s", field);
	if (hint)
		error_hint(err, "%s", hint);
	explain_status(client, response->status, err);
	if (response->status >= 500 && response->request_id[0]) {
		size_t used = strlen(err->msg);

		(void)snprintf(err->msg + used, sizeof(err->msg) - used, " (request %.60s)",
			       response->request_id);
	}
	return -1;
}

static bool status_is_passing(long status)
{
	return status == 429 || status == 502 || status == 503 || status == 504;
}

/* One try. *ret_passing says whether a repetition might help. */
static int perform_once(struct api_client *client, const struct api_request *request,
			const struct headers *headers, struct http_response *ret, bool *ret_passing,
			struct error *err)
{
	const struct http_request http = {
		.method = request->method,
		.path = request->path,
		.headers = headers->lines,
		.body = request->body,
		.body_bytes = request->body_bytes,
		.body_fd = request->body_from_fd ? request->body_fd : -1,
		.timeout_ms = request->no_timeout ? 0 : API_TIMEOUT_MS,
		.idle_timeout_ms = request->no_timeout ? API_IDLE_TIMEOUT_MS : 0,
		.on_data = request->on_data,
		.context = request->context,
		.body_bytes_max = API_JSON_BYTES_MAX,
	};

	*ret_passing = false;
	*ret = (struct http_response){0};
	if (request->on_begin && !request->on_begin(request->context, err))
		return -1;
	if (http_client_perform(client->http, &http, ret, err) != 0) {
		*ret_passing = err->code == ERR_UNAVAILABLE || err->code == ERR_TIMEOUT;
		return -1;
	}
	client->reached = true;
	if (ret->status >= 200 && ret->status < 300)
		return 0;
	*ret_passing = status_is_passing(ret->status);
	return error_from_response(client, ret, err);
}

uint64_t api_backoff_ms(unsigned attempt)
{
	uint64_t full_ms = attempt < 6 ? (uint64_t)BACKOFF_FIRST_MS << attempt : BACKOFF_MAX_MS;

	if (full_ms > BACKOFF_MAX_MS)
		full_ms = BACKOFF_MAX_MS;
	return full_ms / 2 + rand_below(full_ms / 2 + 1);
}

static bool is_interrupted(const struct api_client *client)
{
	return client->interrupted && *client->interrupted;
}

int api_perform(struct api_client *client, const struct api_request *request,
		struct http_response *ret, struct error *err)
{
	struct headers headers;

	headers_build(&headers, request);
	for (unsigned attempt = 0;; attempt++) {
		struct http_response response = {0};
		uint64_t wait_ms = api_backoff_ms(attempt);
		bool passing;

		if (perform_once(client, request, &headers, &response, &passing, err) == 0) {
			*ret = response;
			return 0;
		}
		if (response.retry_after_s > 0 && response.retry_after_s <= RETRY_AFTER_MAX_S)
			wait_ms = response.retry_after_s * 1000;
		http_response_release(&response);
		if (!passing || !may_repeat(request) || is_interrupted(client) ||
		    attempt + 1 >= (client->reached ? TRIES_MAX : TRIES_UNREACHED_MAX))
			return -1;
		if (attempt == 1 && client->on_retry)
			client->on_retry(client->context, err);
		interrupt_wait_ms(wait_ms);
		if (is_interrupted(client))
			return -1;
	}
}

int api_json(struct api_client *client, const struct api_request *request, json_t **ret,
	     struct error *err)
{
	CLEANUP(cleanup_http_response) struct http_response response = {0};

	if (api_perform(client, request, &response, err) != 0)
		return -1;
	if (json_parse(response.body.data, response.body.bytes, ret, err) != 0) {
		error_wrap(err, "%s did not answer with JSON", client->url);
		err->code = ERR_UNAVAILABLE;
		return error_hint(err, "is this the address of an RGrid server?");
	}
	return 0;
}

int api_get(struct api_client *client, const char *path, json_t **ret, struct error *err)
{
	const struct api_request request = {.method = "GET", .path = path};

	return api_json(client, &request, ret, err);
}

int api_post(struct api_client *client, const char *path, const json_t *body,
	     enum api_repeat repeat, json_t **ret, struct error *err)
{
	CLEANUP(cleanup_free) char *text = body ? json_to_text(body) : NULL;
	const struct api_request request = {
		.method = "POST",
		.path = path,
		.repeat = repeat,
		.body = text,
		.body_bytes = text ? strlen(text) : 0,
	};

	return api_json(client, &request, ret, err);
}

char *api_path(const char *collection, const char *id, const char *suffix)
{
	struct buf path;

	buf_init(&path, PATH_BYTES_MAX);
	buf_appendf(&path, "/api/v1/%s/", collection);
	url_encode(&path, id, false);
	buf_append_str(&path, suffix);
	return buf_detach(&path);
}

const char *api_text(const json_t *object, const char *name)
{
	return json_string_value(json_object_get(object, name));
}

int64_t api_number(const json_t *object, const char *name)
{
	return json_integer_value(json_object_get(object, name));
}
