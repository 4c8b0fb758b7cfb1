#include "api/server.h"

#include <poll.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "api/admission.h"
#include "api/body.h"
#include "api/clients.h"
#include "api/followers.h"
#include "api/http_stats.h"
#include "api/request.h"
#include "api/routes.h"
#include "api/submitter.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/encode.h"
#include "base/log.h"
#include "base/rand.h"
#include "core/limits.h"

#define IDLE_TIMEOUT_S	  60
#define CONNECTION_MEMORY (64 * KIB) /* header, and window of the body */
#define MEMORY_MAX	  (512 * MIB)
#define STOP_POLL_MS	  10

bool server_take_memory(struct request *request, size_t bytes)
{
	atomic_size_t *used = &request->server->memory_bytes;
	size_t before = atomic_fetch_add(used, bytes);

	if (before + bytes > MEMORY_MAX) {
		atomic_fetch_sub(used, bytes);
		return false;
	}
	request->memory_bytes += bytes;
	return true;
}

void server_suspend(struct request *request)
{
	MHD_suspend_connection(request->http);
}

void server_go_on(struct request *request)
{
	MHD_resume_connection(request->http);
}

/* libmicrohttpd calls this with the first line, before anything else. */
static void *on_target(void *context, const char *target, struct MHD_Connection *http)
{
	struct server *server = context;
	struct request *request = xcalloc(1, sizeof(*request));

	request->server = server;
	request->http = http;
	request->started_us = clock_boottime_us();
	request->target = xstrndup(target, LIMIT_URL_BYTES + 1);
	base32_from_u64(rand_u64() >> 1, request->id);
	buf_init(&request->body, LIMIT_BODY_BYTES);
	atomic_fetch_add(&server->active, 1);
	return request;
}

static void on_completed(void *context, struct MHD_Connection *http, void **request_context,
			 enum MHD_RequestTerminationCode code)
{
	struct server *server = context;
	struct request *request = *request_context;

	(void)code;
	if (request == NULL)
		return;
	*request_context = NULL;
	clients_mark(server->clients, http, false);
	blob_writer_abort(request->blob_writer);
	reply_release(&request->reply);
	buf_release(&request->body);
	json_decref(request->json);
	query_release(&request->query);
	submission_free(request->submission);
	free(request->target);
	atomic_fetch_sub(&server->memory_bytes, request->memory_bytes);
	free(request);
	atomic_fetch_sub(&server->active, 1);
}

static void log_failure(const struct request *request)
{
	const struct error *err = &request->err;
	const char *pattern = request->route != NULL ? request->route->pattern : "none";

	if (err->code == ERR_INTERNAL || err->code == ERR_NO_SPACE)
		log_error("api.request_failed", F_STR("request_id", request->id),
			  F_STR("route", pattern), F_ERROR(err), F_STR("sqlstate", err->sqlstate));
	else if (err->code == ERR_UNAVAILABLE || err->code == ERR_TIMEOUT)
		log_warning("api.request_failed", F_STR("request_id", request->id),
			    F_STR("route", pattern), F_ERROR(err));
	else
		log_debug("api.request_refused", F_STR("request_id", request->id),
			  F_STR("route", pattern), F_ERROR(err));
}

static enum MHD_Result send_reply(struct request *request)
{
	struct server *server = request->server;
	struct reply *reply = &request->reply;
	size_t route = request->route != NULL ? (size_t)(request->route - routes) : ROUTE_COUNT;

	if (request->has_failed) {
		log_failure(request);
		reply_problem(reply, &request->err, request->id);
	}
	if (atomic_load(&server->is_stopping))
		reply_header(reply, MHD_HTTP_HEADER_CONNECTION, "close");
	unsigned status = reply->status;
	struct MHD_Response *response = reply_finish(reply, request->id);
	http_stats_count(server->stats, route, status, clock_boottime_us() - request->started_us);
	enum MHD_Result result = MHD_queue_response(request->http, status, response);
	MHD_destroy_response(response);
	return result;
}

/* Calls the handler (or what continues it), unless the answer is decided. */
static enum MHD_Result answer(struct request *request)
{
	route_handler handler = request->resume;

	log_context_set("request_id", request->id);
	if (handler == NULL && !request->has_failed && request->reply.status == 0) {
		if (body_finish(request, &request->err) < 0)
			request->has_failed = true;
		handler = request->route != NULL ? request->route->handler : NULL;
	}
	if (!request->has_failed && request->reply.status == 0) {
		CHECK(handler != NULL);
		request->resume = NULL;
		if (handler(request, &request->reply, &request->err) < 0) {
			CHECK(request->reply.status == 0);
			request->has_failed = true;
		}
	}
	log_context_set("request_id", NULL);
	if (!request->has_failed && request->reply.status == 0) {
		CHECK(request->resume != NULL); /* suspended */
		return MHD_YES;
	}
	return send_reply(request);
}

static enum MHD_Result on_request(void *context, struct MHD_Connection *http, const char *url,
				  const char *method, const char *version, const char *upload_data,
				  size_t *upload_data_size, void **request_context)
{
	struct request *request = *request_context;

	(void)context;
	(void)http;
	(void)url;
	(void)version;
	CHECK(request != NULL);
	if (!request->has_begun) {
		request->has_begun = true;
		clients_mark(request->server->clients, http, true);
		if (admit(request, method, &request->err) < 0)
			request->has_failed = true;
		request->is_discarded = request->has_failed || request->reply.status != 0;
		/* The client may be waiting for our word before it sends a large body. */
		if (request->is_discarded && !body_is_small(request))
			return send_reply(request);
		return MHD_YES;
	}
	if (*upload_data_size > 0) {
		size_t bytes = *upload_data_size;

		*upload_data_size = 0;
		return body_take(request, upload_data, bytes) ? MHD_YES : MHD_NO;
	}
	return answer(request);
}

/* Paths and queries are decoded by us, strictly: the library's own decoding is switched off. */
static size_t keep_encoded(void *context, struct MHD_Connection *http, char *text)
{
	(void)context;
	(void)http;
	return strlen(text);
}

PRINTF_FORMAT(2, 0) static void on_log(void *context, const char *format, va_list args)
{
	char line[256];

	(void)context;
	(void)vsnprintf(line, sizeof(line), format, args);
	log_debug("api.http", F_STR("message", line));
}

int server_start(struct server *server, int listen_fd, const char *tls_pem, size_t threads,
		 struct error *err)
{
	struct MHD_OptionItem options[] = {
		{MHD_OPTION_URI_LOG_CALLBACK, (intptr_t)on_target, server},
		{MHD_OPTION_UNESCAPE_CALLBACK, (intptr_t)keep_encoded, NULL},
		{MHD_OPTION_NOTIFY_COMPLETED, (intptr_t)on_completed, server},
		{MHD_OPTION_NOTIFY_CONNECTION, (intptr_t)clients_on_connection, server->clients},
		{MHD_OPTION_LISTEN_SOCKET, listen_fd, NULL},
		{MHD_OPTION_THREAD_POOL_SIZE, (intptr_t)threads, NULL},
		{MHD_OPTION_CONNECTION_LIMIT, LIMIT_CONNECTIONS, NULL},
		{MHD_OPTION_CONNECTION_MEMORY_LIMIT, CONNECTION_MEMORY, NULL},
		{MHD_OPTION_CONNECTION_TIMEOUT, IDLE_TIMEOUT_S, NULL},
		{MHD_OPTION_STRICT_FOR_CLIENT, 1, NULL},
		{MHD_OPTION_END, 0, NULL},
	};
	/* The library reads neither beyond its own copy; it only lacks the const. */
	struct MHD_OptionItem tls[] = {
		{MHD_OPTION_HTTPS_MEM_CERT, 0, (void *)(uintptr_t)tls_pem},
		{MHD_OPTION_HTTPS_MEM_KEY, 0, (void *)(uintptr_t)tls_pem},
		{MHD_OPTION_END, 0, NULL},
	};
	struct MHD_OptionItem nothing[] = {{MHD_OPTION_END, 0, NULL}};
	unsigned flags =
		MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG;

	server->daemon = MHD_start_daemon(flags | (tls_pem != NULL ? MHD_USE_TLS : 0), 0, NULL,
					  NULL, on_request, server, MHD_OPTION_EXTERNAL_LOGGER,
					  on_log, NULL, MHD_OPTION_ARRAY, options, MHD_OPTION_ARRAY,
					  tls_pem != NULL ? tls : nothing, MHD_OPTION_END);
	if (server->daemon == NULL)
		return error_set(err, ERR_INTERNAL, "cannot start the HTTP server%s",
				 tls_pem != NULL ? ": is tls-file a certificate and its key?" : "");
	return 0;
}

void server_stop(struct server *server, uint64_t patience_ms)
{
	uint64_t deadline_ms = clock_boottime_ms() + patience_ms;

	atomic_store(&server->is_stopping, true);
	int listen_fd = MHD_quiesce_daemon(server->daemon);
	followers_end_all(server->followers);
	while (atomic_load(&server->active) > 0 && clock_boottime_ms() < deadline_ms)
		(void)poll(NULL, 0, STOP_POLL_MS);
	if (atomic_load(&server->active) > 0)
		log_warning("api.requests_cut_off", F_INT("count", atomic_load(&server->active)));
	clients_hang_up_idle(server->clients);
	/* The library must not be stopped while a connection is suspended. */
	submitter_stop(server->submitter);
	followers_stop(server->followers);
	MHD_stop_daemon(server->daemon);
	server->daemon = NULL;
	if (listen_fd >= 0)
		(void)close(listen_fd);
}
