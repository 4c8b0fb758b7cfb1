#include "hcloud/http.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <microhttpd.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/check.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/rand.h"
#include "base/str.h"
#include "hcloud/serve.h"

#define BODY_BYTES_MAX	  (1024ULL * 1024)
#define PEM_BYTES_MAX	  (1024ULL * 1024)
#define CONNECTION_MEMORY 65536L
#define IDLE_TIMEOUT_S	  60U
#define BACKLOG		  128
#define URL_BYTES	  128
#define US_PER_MS	  1000
#define US_PER_S	  1000000

struct http {
	struct sim *sim;
	struct MHD_Daemon *daemon;
	sd_event_source *io;
	sd_event_source *timer;
	const char *control_token;
	char url[URL_BYTES];
	struct buf cert;
	struct buf key;
	struct exchange *exchanges; /* all that are under way */
};

/* A request on its way through. */
struct exchange {
	struct http *http;
	struct MHD_Connection *connection;
	struct exchange *next;
	struct exchange *previous;
	char *target; /* path; the query behind its NUL */
	const char *query;
	char *method;
	struct buf body;
	struct call call;
	sd_event_source *delay;
	bool has_begun;
	bool is_served;
	bool is_suspended;
};

static void run(struct http *http);

static void *on_target(void *context, const char *target, struct MHD_Connection *connection)
{
	struct http *http = context;
	struct exchange *exchange = xcalloc(1, sizeof(*exchange));
	size_t path_bytes = strcspn(target, "?");

	exchange->http = http;
	exchange->connection = connection;
	exchange->target = xstrdup(target);
	exchange->query = target[path_bytes] ? exchange->target + path_bytes + 1 : "";
	exchange->target[path_bytes] = '\0';
	buf_init(&exchange->body, BODY_BYTES_MAX);
	exchange->next = http->exchanges;
	if (http->exchanges)
		http->exchanges->previous = exchange;
	http->exchanges = exchange;
	return exchange;
}

static void on_completed(void *context, struct MHD_Connection *connection, void **request_context,
			 enum MHD_RequestTerminationCode code)
{
	struct http *http = context;
	struct exchange *exchange = *request_context;

	(void)connection;
	(void)code;
	if (!exchange)
		return;
	*request_context = NULL;
	if (exchange->previous)
		exchange->previous->next = exchange->next;
	else
		http->exchanges = exchange->next;
	if (exchange->next)
		exchange->next->previous = exchange->previous;
	sd_event_source_disable_unref(exchange->delay);
	call_release(&exchange->call);
	buf_release(&exchange->body);
	free(exchange->target);
	free(exchange->method);
	free(exchange);
}

static bool is_local(struct MHD_Connection *connection)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
	char host[NI_MAXHOST];

	if (!info ||
	    getnameinfo(info->client_addr,
			info->client_addr->sa_family == AF_INET6 ? sizeof(struct sockaddr_in6)
								 : sizeof(struct sockaddr_in),
			host, sizeof(host), NULL, 0, NI_NUMERICHOST) != 0)
		return false;
	return str_has_prefix(host, "127.") || str_eq(host, "::1") ||
	       str_has_prefix(host, "::ffff:127.");
}

static void add_header(struct MHD_Response *response, const char *name, const char *value)
{
	(void)MHD_add_response_header(response, name, value);
}

static void add_rate_headers(struct MHD_Response *response, const struct rate_limit *rate)
{
	char number[24];

	(void)snprintf(number, sizeof(number), "%" PRIu64, rate->limit);
	add_header(response, "RateLimit-Limit", number);
	(void)snprintf(number, sizeof(number), "%" PRIu64, rate_limit_remaining(rate));
	add_header(response, "RateLimit-Remaining", number);
	(void)snprintf(number, sizeof(number), "%" PRId64, rate_limit_reset_s(rate));
	add_header(response, "RateLimit-Reset", number);
}

static void add_headers(const struct exchange *exchange, struct MHD_Response *response)
{
	const struct call *call = &exchange->call;
	struct sim *sim = exchange->http->sim;
	char text[VCLOCK_TEXT_BYTES];
	int64_t date_us = vclock_now_us(&sim->clock) + call->date_skew_s * US_PER_S;
	add_header(response, "Date", vclock_format_http(date_us, text));
	if (call->reply)
		add_header(response, "Content-Type",
			   call->is_pretty ? "application/json; charset=UTF-8"
					   : "application/json");
	if (call->rate)
		add_rate_headers(response, call->rate);
	if (call->link)
		add_header(response, "Link", call->link);
	(void)snprintf(text, sizeof(text), "%016" PRIx64, rand_u64());
	add_header(response, "X-Correlation-Id", text);
	add_header(response, "Access-Control-Allow-Origin", "*");
	add_header(response, "Access-Control-Allow-Credentials", "true");
	add_header(response, "Access-Control-Expose-Headers", "Link, X-Correlation-ID");
	add_header(response, "Strict-Transport-Security", "max-age=15724800; includeSubDomains");
}

/* Gives half of the text, then breaks off. */
static ssize_t read_half(void *context, uint64_t position, char *out, size_t bytes_max)
{
	const char *text = context;
	size_t half = strlen(text) / 2;

	if (position >= half)
		return MHD_CONTENT_READER_END_WITH_ERROR;
	size_t bytes = half - (size_t)position;
	if (bytes > bytes_max)
		bytes = bytes_max;
	memcpy(out, text + position, bytes);
	return (ssize_t)bytes;
}

/* Breaks the connection with RST. Lingering would not do: the library shuts down before it closes,
 * which is an orderly end. Dissolving the association resets. */
static enum MHD_Result reset(struct MHD_Connection *connection)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
	const struct sockaddr nowhere = {.sa_family = AF_UNSPEC};

	if (info)
		(void)connect(info->connect_fd, &nowhere, sizeof(nowhere));
	return MHD_NO;
}

static enum MHD_Result send_answer(struct exchange *exchange)
{
	const struct call *call = &exchange->call;
	CLEANUP(cleanup_free) char *text = serve_body_text(call);
	struct MHD_Response *response;
	size_t bytes = text ? strlen(text) : 0;

	if (call->transport == TRANSPORT_RESET)
		return reset(exchange->connection);
	if (call->transport == TRANSPORT_CUT && text)
		response = MHD_create_response_from_callback(bytes, bytes, read_half,
							     TAKE_PTR(text), free);
	else
		response = MHD_create_response_from_buffer(bytes, text, MHD_RESPMEM_MUST_COPY);
	CHECK(response != NULL);
	add_headers(exchange, response);
	enum MHD_Result result = MHD_queue_response(exchange->connection, call->status, response);
	MHD_destroy_response(response);
	return result;
}

static int on_delay(sd_event_source *source, uint64_t usec, void *context)
{
	struct exchange *exchange = context;
	struct http *http = exchange->http;

	(void)source;
	(void)usec;
	exchange->is_suspended = false;
	MHD_resume_connection(exchange->connection);
	run(http);
	return 0;
}

static enum MHD_Result hold(struct exchange *exchange)
{
	exchange->is_suspended = true;
	MHD_suspend_connection(exchange->connection);
	CHECK(sd_event_add_time_relative(exchange->http->sim->event, &exchange->delay,
					 CLOCK_BOOTTIME, exchange->call.delay_ms * US_PER_MS,
					 US_PER_MS, on_delay, exchange) >= 0);
	return MHD_YES;
}

static void begin(struct exchange *exchange)
{
	struct call *call = &exchange->call;
	struct MHD_Connection *connection = exchange->connection;

	*call = (struct call){
		.sim = exchange->http->sim,
		.method = exchange->method,
		.path = exchange->target,
		.query_text = exchange->query,
		.authorization = MHD_lookup_connection_value(connection, MHD_HEADER_KIND,
							     MHD_HTTP_HEADER_AUTHORIZATION),
		.base_url = exchange->http->url,
		.body_text = exchange->body.data,
		.body_bytes = exchange->body.bytes,
		.is_local = is_local(connection),
		.control_token = exchange->http->control_token,
	};
	if (exchange->body.overflowed) {
		problem_set(&call->problem, PROBLEM_INVALID_INPUT, "the request body is too large");
		call->problem.status = MHD_HTTP_CONTENT_TOO_LARGE;
	}
	serve(call);
	exchange->is_served = true;
}

static enum MHD_Result on_request(void *context, struct MHD_Connection *connection, const char *url,
				  const char *method, const char *version, const char *upload_data,
				  size_t *upload_data_size, void **request_context)
{
	struct exchange *exchange = *request_context;

	(void)context;
	(void)connection;
	(void)url;
	(void)version;
	CHECK(exchange != NULL);
	if (!exchange->has_begun) {
		exchange->has_begun = true;
		exchange->method = xstrdup(method);
		return MHD_YES;
	}
	if (*upload_data_size > 0) {
		buf_append(&exchange->body, upload_data, *upload_data_size);
		*upload_data_size = 0;
		return MHD_YES;
	}
	if (!exchange->is_served) {
		begin(exchange);
		if (exchange->call.delay_ms > 0)
			return hold(exchange);
	}
	return send_answer(exchange);
}

/* Queries are decoded by us: the library's own decoding is switched off. */
static size_t keep_encoded(void *context, struct MHD_Connection *connection, char *text)
{
	(void)context;
	(void)connection;
	return strlen(text);
}

PRINTF_FORMAT(2, 0) static void on_log(void *context, const char *format, va_list args)
{
	char line[256];

	(void)context;
	(void)vsnprintf(line, sizeof(line), format, args);
	log_debug("sim.http", F_STR("message", line));
}

static int on_io(sd_event_source *source, int fd, uint32_t events, void *context)
{
	(void)source;
	(void)fd;
	(void)events;
	run(context);
	return 0;
}

static int on_timer(sd_event_source *source, uint64_t usec, void *context)
{
	(void)source;
	(void)usec;
	run(context);
	return 0;
}

/* Lets the library do what there is to do, and sets the timer for what it has to do later. */
static void run(struct http *http)
{
	MHD_UNSIGNED_LONG_LONG timeout_ms;

	CHECK(MHD_run(http->daemon) == MHD_YES);
	if (MHD_get_timeout(http->daemon, &timeout_ms) != MHD_YES) {
		CHECK(sd_event_source_set_enabled(http->timer, SD_EVENT_OFF) >= 0);
		return;
	}
	CHECK(sd_event_source_set_time_relative(http->timer, timeout_ms * US_PER_MS) >= 0);
	CHECK(sd_event_source_set_enabled(http->timer, SD_EVENT_ONESHOT) >= 0);
}

static int open_socket(const struct addrinfo *at, const char *address, int *ret_fd,
		       struct error *err)
{
	CLEANUP(cleanup_fd)
	int fd = socket(at->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int yes = 1;

	if (fd < 0)
		return error_set_errno(err, ERR_INTERNAL, errno, "cannot make a socket");
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
	if (bind(fd, at->ai_addr, at->ai_addrlen) < 0 || listen(fd, BACKLOG) < 0)
		return error_set_errno(err, ERR_UNAVAILABLE, errno, "cannot listen on %s", address);
	*ret_fd = TAKE_FD(fd);
	return 0;
}

/* "127.0.0.1:8000", "[::1]:8000"; port 0 takes any free one. */
static int listen_on(const char *address, int *ret_fd, struct error *err)
{
	CLEANUP(cleanup_free) char *text = xstrdup(address);
	const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE};
	char *colon = strrchr(text, ':');
	struct addrinfo *found = NULL;
	char *host = text;

	if (!colon || colon == text || !colon[1])
		return error_set(err, ERR_INVALID, "\"%s\" is not of the form ADDRESS:PORT",
				 address);
	*colon = '\0';
	if (*host == '[' && colon[-1] == ']') {
		colon[-1] = '\0';
		host++;
	}
	int problem = getaddrinfo(host, colon + 1, &hints, &found);
	if (problem != 0)
		return error_set(err, ERR_INVALID, "cannot listen on %s: %s", address,
				 gai_strerror(problem));
	int result = open_socket(found, address, ret_fd, err);
	freeaddrinfo(found);
	return result;
}

static void write_url(struct http *http, int fd)
{
	struct sockaddr_storage bound = {0};
	socklen_t bytes = sizeof(bound);
	char host[NI_MAXHOST];
	char port[NI_MAXSERV];

	CHECK(getsockname(fd, (struct sockaddr *)&bound, &bytes) == 0);
	CHECK(getnameinfo((const struct sockaddr *)&bound, bytes, host, sizeof(host), port,
			  sizeof(port), NI_NUMERICHOST | NI_NUMERICSERV) == 0);
	(void)snprintf(http->url, sizeof(http->url),
		       bound.ss_family == AF_INET6 ? "%s://[%.80s]:%s" : "%s://%.80s:%s",
		       http->cert.bytes ? "https" : "http", host, port);
}

static int read_tls(struct http *http, const struct http_options *options, struct error *err)
{
	buf_init(&http->cert, PEM_BYTES_MAX);
	buf_init(&http->key, PEM_BYTES_MAX);
	if (!options->tls_cert != !options->tls_key)
		return error_set(err, ERR_INVALID, "--tls-cert and --tls-key go together");
	if (!options->tls_cert)
		return 0;
	if (fs_read(AT_FDCWD, options->tls_cert, &http->cert, err) < 0)
		return -1;
	return fs_read(AT_FDCWD, options->tls_key, &http->key, err);
}

static int start_daemon(struct http *http, int fd, struct error *err)
{
	bool has_tls = http->cert.bytes > 0;
	unsigned flags = MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG |
			 MHD_USE_SUPPRESS_DATE_NO_CLOCK | (has_tls ? MHD_USE_TLS : 0U);
	struct MHD_OptionItem options[] = {
		{MHD_OPTION_URI_LOG_CALLBACK, (intptr_t)on_target, http},
		{MHD_OPTION_UNESCAPE_CALLBACK, (intptr_t)keep_encoded, NULL},
		{MHD_OPTION_NOTIFY_COMPLETED, (intptr_t)on_completed, http},
		{MHD_OPTION_LISTEN_SOCKET, fd, NULL},
		{MHD_OPTION_CONNECTION_MEMORY_LIMIT, CONNECTION_MEMORY, NULL},
		{MHD_OPTION_CONNECTION_TIMEOUT, IDLE_TIMEOUT_S, NULL},
		{has_tls ? MHD_OPTION_HTTPS_MEM_CERT : MHD_OPTION_END, 0, http->cert.data},
		{MHD_OPTION_HTTPS_MEM_KEY, 0, http->key.data},
		{MHD_OPTION_END, 0, NULL},
	};

	http->daemon =
		MHD_start_daemon(flags, 0, NULL, NULL, on_request, http, MHD_OPTION_EXTERNAL_LOGGER,
				 on_log, NULL, MHD_OPTION_ARRAY, options, MHD_OPTION_END);
	if (!http->daemon)
		return error_set(err, ERR_INTERNAL, "cannot start the HTTP server%s",
				 has_tls ? "; are certificate and key right?" : "");
	return 0;
}

static void watch(struct http *http)
{
	const union MHD_DaemonInfo *info =
		MHD_get_daemon_info(http->daemon, MHD_DAEMON_INFO_EPOLL_FD);
	sd_event *event = http->sim->event;

	CHECK(info != NULL);
	CHECK(sd_event_add_io(event, &http->io, info->epoll_fd, EPOLLIN, on_io, http) >= 0);
	CHECK(sd_event_add_time(event, &http->timer, CLOCK_BOOTTIME, 0, US_PER_MS, on_timer,
				http) >= 0);
}

int http_start(struct sim *sim, const struct http_options *options, struct http **ret,
	       struct error *err)
{
	struct http *http = xcalloc(1, sizeof(*http));
	int fd = -1;

	http->sim = sim;
	http->control_token = options->control_token;
	if (read_tls(http, options, err) < 0 || listen_on(options->listen, &fd, err) < 0) {
		http_stop(http);
		return -1;
	}
	write_url(http, fd);
	/* The daemon owns the socket from here on. */
	if (start_daemon(http, fd, err) < 0) {
		(void)close(fd);
		http_stop(http);
		return -1;
	}
	watch(http);
	*ret = http;
	return 0;
}

void http_stop(struct http *http)
{
	if (!http)
		return;
	/* The library must not be stopped while a connection is suspended. */
	for (struct exchange *exchange = http->exchanges; exchange; exchange = exchange->next) {
		if (exchange->is_suspended) {
			exchange->is_suspended = false;
			MHD_resume_connection(exchange->connection);
		}
	}
	if (http->daemon)
		MHD_stop_daemon(http->daemon);
	sd_event_source_disable_unref(http->io);
	sd_event_source_disable_unref(http->timer);
	buf_release(&http->cert);
	buf_release(&http->key);
	free(http);
}

const char *http_url(const struct http *http)
{
	return http->url;
}
