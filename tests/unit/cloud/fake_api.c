#include "fake_api.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/check.h"
#include "base/str.h"
#include "tap.h"

#define HOLD_MS 30 /* how long each answer is held back, so that those in flight meet */

struct connection {
	struct fake_api *api;
	int fd;
};

/* False when the test is over, or the client has gone. */
static bool wait_readable(const struct fake_api *api, int fd)
{
	struct pollfd fds[] = {{.fd = fd, .events = POLLIN},
			       {.fd = api->stop_fds[0], .events = POLLIN}};

	return poll(fds, 2, -1) > 0 && fds[1].revents == 0;
}

static size_t content_length(const char *request)
{
	const char *at = strcasestr(request, "\r\ncontent-length:");

	return at != NULL ? strtoul(at + strlen("\r\ncontent-length:"), NULL, 10) : 0;
}

static bool receive(const struct fake_api *api, int fd, struct buf *request)
{
	for (;;) {
		const char *body = strstr(request->data, "\r\n\r\n");

		if (body != NULL && request->bytes >= (size_t)(body + 4 - request->data) +
							      content_length(request->data))
			return true;
		if (!wait_readable(api, fd))
			return false;
		char *to = buf_reserve(request, 65536);
		ssize_t got = to != NULL ? recv(fd, to, 65536, 0) : -1;
		if (got <= 0)
			return false;
		buf_commit(request, (size_t)got);
	}
}

static const struct fake_step *take_step(struct fake_api *api, const char *request)
{
	(void)pthread_mutex_lock(&api->lock);
	CHECK(api->request_count < FAKE_REQUESTS_MAX);
	size_t n = api->request_count++;
	api->requests[n] = xstrdup(request);
	if (++api->at_work > api->at_work_most)
		api->at_work_most = api->at_work;
	(void)pthread_mutex_unlock(&api->lock);
	return &api->steps[n < api->step_count ? n : api->step_count - 1];
}

static void end_step(struct fake_api *api)
{
	(void)pthread_mutex_lock(&api->lock);
	api->at_work--;
	(void)pthread_mutex_unlock(&api->lock);
}

static void send_all(int fd, const char *data, size_t bytes)
{
	while (bytes > 0) {
		ssize_t sent = send(fd, data, bytes, MSG_NOSIGNAL);

		if (sent <= 0)
			return;
		data += sent;
		bytes -= (size_t)sent;
	}
}

/* Whether the connection goes on. */
static bool answer(const struct fake_api *api, int fd, const struct fake_step *step)
{
	const struct linger hard = {.l_onoff = 1};
	const char *body = step->body != NULL ? step->body : "";

	if (step->end == FAKE_RESETS)
		(void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
	if (step->end == FAKE_HANGS) {
		struct pollfd stop = {.fd = api->stop_fds[0], .events = POLLIN};
		(void)poll(&stop, 1, -1);
	}
	if (step->end != FAKE_ANSWERS && step->end != FAKE_BREAKS_OFF)
		return false;
	CLEANUP(cleanup_free)
	char *head =
		xasprintf("HTTP/1.1 %d Status\r\nContent-Type: application/json\r\n"
			  "Content-Length: %zu\r\nX-Correlation-Id: 0123456789abcdef\r\n%s\r\n",
			  step->status, strlen(body) + (step->end == FAKE_BREAKS_OFF ? 1 : 0),
			  step->headers != NULL ? step->headers : "");
	send_all(fd, head, strlen(head));
	send_all(fd, body, strlen(body));
	return step->end == FAKE_ANSWERS;
}

static void *serve(void *context)
{
	CLEANUP(cleanup_free) struct connection *connection = context;
	struct fake_api *api = connection->api;
	CLEANUP(cleanup_buf) struct buf request;
	bool goes_on = true;

	buf_init(&request, 1 << 22);
	while (goes_on && receive(api, connection->fd, &request)) {
		const struct fake_step *step = take_step(api, request.data);

		(void)poll(NULL, 0, HOLD_MS);
		end_step(api);
		goes_on = answer(api, connection->fd, step);
		buf_clear(&request);
	}
	close(connection->fd);
	return NULL;
}

static void *accept_all(void *context)
{
	struct fake_api *api = context;

	while (wait_readable(api, api->listen_fd)) {
		struct connection *connection = xcalloc(1, sizeof(*connection));

		CHECK(api->thread_count < FAKE_REQUESTS_MAX);
		connection->api = api;
		connection->fd = accept4(api->listen_fd, NULL, NULL, SOCK_CLOEXEC);
		CHECK(connection->fd >= 0);
		CHECK(pthread_create(&api->threads[api->thread_count++], NULL, serve, connection) ==
		      0);
	}
	return NULL;
}

struct hetzner *fake_api_start(struct fake_api *api, const struct fake_step *steps,
			       size_t step_count, uint64_t request_timeout_ms)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
				      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t bytes = sizeof(address);
	struct hetzner *hetzner = NULL;
	struct error err;

	*api = (struct fake_api){.steps = steps, .step_count = step_count};
	EXPECT(pthread_mutex_init(&api->lock, NULL) == 0);
	EXPECT(pipe2(api->stop_fds, O_CLOEXEC) == 0);
	api->listen_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	EXPECT(bind(api->listen_fd, (const struct sockaddr *)&address, sizeof(address)) == 0);
	EXPECT(listen(api->listen_fd, 64) == 0);
	EXPECT(getsockname(api->listen_fd, (struct sockaddr *)&address, &bytes) == 0);
	EXPECT(pthread_create(&api->acceptor, NULL, accept_all, api) == 0);
	(void)snprintf(api->endpoint, sizeof(api->endpoint), "http://127.0.0.1:%d/v1",
		       ntohs(address.sin_port));
	struct hetzner_options options = {.token = FAKE_TOKEN,
					  .endpoint = api->endpoint,
					  .request_timeout_ms = request_timeout_ms,
					  .action_timeout_ms = FAKE_TIMEOUT_MS,
					  .backoff_ms = FAKE_BACKOFF_MS};
	EXPECT_OK(hetzner_new(&options, &hetzner, &err), err);
	return hetzner;
}

void fake_api_stop(struct fake_api *api, struct hetzner *hetzner)
{
	hetzner_free(hetzner);
	close(api->stop_fds[1]);
	EXPECT(pthread_join(api->acceptor, NULL) == 0);
	for (size_t i = 0; i < api->thread_count; i++)
		EXPECT(pthread_join(api->threads[i], NULL) == 0);
	for (size_t i = 0; i < api->request_count; i++)
		free(api->requests[i]);
	close(api->stop_fds[0]);
	close(api->listen_fd);
	(void)pthread_mutex_destroy(&api->lock);
}

bool fake_api_was_asked(const struct fake_api *api, size_t n, const char *begin)
{
	return n < api->request_count && str_has_prefix(api->requests[n], begin);
}
