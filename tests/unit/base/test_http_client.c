#include "base/http_client.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/str.h"
#include "tap.h"

/* A server that gives one prepared answer per connection or request and keeps what it was sent. */
struct server {
	const char *const *answers; /* NULL-terminated; "" closes without an answer */
	bool keep_alive;	    /* all answers on the first connection */
	int listen_fd;
	int connections;
	struct buf received;
	pthread_t thread;
};

static size_t content_length(const char *request)
{
	const char *at = strcasestr(request, "\r\ncontent-length:");
	char digits[24] = "";
	struct error err;
	uint64_t length = 0;

	if (at == NULL)
		return 0;
	at += strlen("\r\ncontent-length:");
	at += strspn(at, " ");
	(void)snprintf(digits, sizeof(digits), "%.*s", (int)strcspn(at, "\r"), at);
	EXPECT_OK(parse_u64(digits, 0, 1 << 24, &length, &err), err);
	return (size_t)length;
}

/* Reads one request to its end, behind what was received before. */
static bool receive(struct server *server, int fd)
{
	size_t begin = server->received.bytes;

	for (;;) {
		const char *request = server->received.data + begin;
		const char *body = strstr(request, "\r\n\r\n");

		if (body != NULL && server->received.bytes - begin >=
					    (size_t)(body + 4 - request) + content_length(request))
			return true;
		char *to = buf_reserve(&server->received, 65536);

		EXPECT(to != NULL);
		ssize_t got = recv(fd, to, 65536, 0);

		if (got <= 0)
			return false;
		buf_commit(&server->received, (size_t)got);
	}
}

static void *serve(void *context)
{
	struct server *server = context;
	int fd = -1;

	for (size_t i = 0; server->answers[i] != NULL; i++) {
		if (fd < 0) {
			fd = accept4(server->listen_fd, NULL, NULL, SOCK_CLOEXEC);
			server->connections++;
		}
		if (!receive(server, fd))
			break;
		const char *answer = server->answers[i];

		(void)send(fd, answer, strlen(answer), MSG_NOSIGNAL);
		if (!server->keep_alive || *answer == '\0') {
			close(fd);
			fd = -1;
		}
	}
	if (fd >= 0)
		close(fd);
	return NULL;
}

/* Starts it and gives a client of it. */
static struct http_client *start(struct server *server, const char *const *answers,
				 const char *authorization)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
				      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t bytes = sizeof(address);
	struct http_client *client = NULL;
	struct error err;
	char url[64];

	server->answers = answers;
	buf_init(&server->received, 1 << 24);
	server->listen_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	EXPECT(bind(server->listen_fd, (const struct sockaddr *)&address, sizeof(address)) == 0);
	EXPECT(listen(server->listen_fd, 5) == 0);
	EXPECT(getsockname(server->listen_fd, (struct sockaddr *)&address, &bytes) == 0);
	if (answers != NULL)
		EXPECT(pthread_create(&server->thread, NULL, serve, server) == 0);
	(void)snprintf(url, sizeof(url), "http://127.0.0.1:%d/", ntohs(address.sin_port));
	struct http_client_options options = {
		.base_url = url, .authorization = authorization, .user_agent = "test/1"};

	EXPECT_OK(http_client_new(&options, &client, &err), err);
	return client;
}

static void stop(struct server *server, struct http_client *client)
{
	http_client_free(client); /* ends the kept connection */
	if (server->answers != NULL)
		EXPECT(pthread_join(server->thread, NULL) == 0);
	close(server->listen_fd);
	buf_release(&server->received);
}

static const struct http_request get = {.method = "GET", .path = "/x?y=1", .body_fd = -1};

TEST(http_get)
{
	static const char *const answers[] = {
		"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Type: text/plain\r\n"
		"ETag:  \"abc\" \r\nx-request-id: r-7\r\n\r\nhello",
		NULL};
	CLEANUP(cleanup_http_response) struct http_response response = {0};
	struct server server = {0};
	struct http_client *client = start(&server, answers, "Bearer secret");
	struct error err;

	EXPECT_OK(http_client_perform(client, &get, &response, &err), err);
	EXPECT_INT(response.status, 200);
	EXPECT_STR(response.body.data, "hello");
	EXPECT_STR(response.content_type, "text/plain");
	EXPECT_STR(response.etag, "\"abc\"");
	EXPECT_STR(response.request_id, "r-7");
	EXPECT_INT(response.retry_after_s, 0);
	EXPECT(str_has_prefix(server.received.data, "GET /x?y=1 HTTP/1.1\r\n"));
	EXPECT(strstr(server.received.data, "\r\nAuthorization: Bearer secret\r\n") != NULL);
	EXPECT(strstr(server.received.data, "\r\nUser-Agent: test/1\r\n") != NULL);
	stop(&server, client);
}

TEST(http_keeps_the_connection)
{
	static const char *const answers[] = {
		"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nETag: one\r\nRetry-After: 9\r\n\r\n1",
		"HTTP/1.1 404 Not Found\r\nContent-Length: 1\r\n\r\n2",
		"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n3", NULL};
	struct server server = {.keep_alive = true};
	struct http_client *client = start(&server, answers, NULL);
	struct error err;

	for (int i = 0; i < 3; i++) {
		CLEANUP(cleanup_http_response) struct http_response response = {0};

		EXPECT_OK(http_client_perform(client, &get, &response, &err), err);
		EXPECT_INT(response.body.data[0], '1' + i);
		EXPECT_STR(response.etag, i == 0 ? "one" : "");
		EXPECT_INT(response.retry_after_s, i == 0 ? 9 : 0);
	}
	stop(&server, client);
	EXPECT_INT(server.connections, 1);
}

TEST(http_statuses_are_no_errors_and_redirects_not_followed)
{
	static const char *const answers[] = {
		"HTTP/1.1 503 Busy\r\nContent-Length: 4\r\nRetry-After: 17\r\n\r\nbusy",
		"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n",
		"HTTP/1.1 429 Slow\r\nRetry-After: Fri, 31 Dec 1999 23:59:59 GMT\r\n"
		"Content-Length: 0\r\n\r\n",
		"HTTP/1.1 204 None\r\n\r\n", NULL};
	static const long statuses[] = {503, 302, 429, 204};
	static const uint64_t retry_after_s[] = {17, 0, 0, 0};
	struct server server = {0};
	struct http_client *client = start(&server, answers, NULL);
	struct error err;

	for (size_t i = 0; i < ARRAY_SIZE(statuses); i++) {
		CLEANUP(cleanup_http_response) struct http_response response = {0};

		EXPECT_OK(http_client_perform(client, &get, &response, &err), err);
		EXPECT_INT(response.status, statuses[i]);
		EXPECT_INT(response.retry_after_s, retry_after_s[i]);
	}
	stop(&server, client);
}

#define OK_EMPTY "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"

TEST(http_sends_a_body_from_memory)
{
	static const char *const answers[] = {OK_EMPTY, NULL};
	static const char *const headers[] = {"Content-Type: application/json", "X-Mine: 1", NULL};
	CLEANUP(cleanup_http_response) struct http_response response = {0};
	struct http_request request = {.method = "POST",
				       .path = "/jobs",
				       .headers = headers,
				       .body = "{\"a\":1}",
				       .body_bytes = 7,
				       .body_fd = -1};
	struct server server = {0};
	struct http_client *client = start(&server, answers, NULL);
	struct error err;

	EXPECT_OK(http_client_perform(client, &request, &response, &err), err);
	EXPECT(str_has_prefix(server.received.data, "POST /jobs HTTP/1.1\r\n"));
	EXPECT(strcasestr(server.received.data, "\r\nContent-Length: 7\r\n") != NULL);
	EXPECT(strcasestr(server.received.data, "\r\nContent-Type: application/json\r\n") != NULL);
	EXPECT(strcasestr(server.received.data, "Expect:") == NULL);
	EXPECT(strcasestr(server.received.data, "x-www-form") == NULL);
	EXPECT(str_has_suffix(server.received.data, "\r\n\r\n{\"a\":1}"));
	stop(&server, client);
}

TEST(http_sends_a_large_body_from_a_file)
{
	static const char *const answers[] = {OK_EMPTY, NULL};
	CLEANUP(cleanup_http_response) struct http_response response = {0};
	CLEANUP(cleanup_free) char *data = xcalloc(1, 3000001);
	struct server server = {0};
	struct http_client *client = start(&server, answers, NULL);
	struct error err;

	for (size_t i = 0; i < 3000000; i++)
		data[i] = (char)('a' + i % 26);
	EXPECT_OK(fs_write_atomic("body", data, 3000000, 0600, &err), err);
	CLEANUP(cleanup_fd) int fd = open("body", O_RDONLY | O_CLOEXEC);

	EXPECT(lseek(fd, 100, SEEK_SET) == 100); /* where the descriptor stands does not matter */
	struct http_request request = {
		.method = "PUT", .path = "/blob", .body_fd = fd, .body_bytes = 3000000};

	EXPECT_OK(http_client_perform(client, &request, &response, &err), err);
	EXPECT(strcasestr(server.received.data, "\r\nContent-Length: 3000000\r\n") != NULL);
	EXPECT(strcasestr(server.received.data, "Expect:") == NULL);
	EXPECT(str_has_suffix(server.received.data, data));
	stop(&server, client);
}

TEST(http_file_that_is_shorter_than_promised)
{
	static const char *const answers[] = {OK_EMPTY, NULL};
	CLEANUP(cleanup_http_response) struct http_response response = {0};
	struct server server = {0};
	struct http_client *client = start(&server, answers, NULL);
	struct error err;

	EXPECT_OK(fs_write_atomic("body", "short", 5, 0600, &err), err);
	CLEANUP(cleanup_fd) int fd = open("body", O_RDONLY | O_CLOEXEC);
	struct http_request request = {
		.method = "PUT", .path = "/blob", .body_fd = fd, .body_bytes = 1000};

	EXPECT_ERR(http_client_perform(client, &request, &response, &err), err, ERR_INVALID);
	stop(&server, client);
}

TEST(http_post_without_body_has_a_length)
{
	static const char *const answers[] = {OK_EMPTY, NULL};
	CLEANUP(cleanup_http_response) struct http_response response = {0};
	struct http_request request = {.method = "POST", .path = "/cancel", .body_fd = -1};
	struct server server = {0};
	struct http_client *client = start(&server, answers, NULL);
	struct error err;

	EXPECT_OK(http_client_perform(client, &request, &response, &err), err);
	EXPECT(strcasestr(server.received.data, "\r\nContent-Length: 0\r\n") != NULL);
	stop(&server, client);
}

static bool collect(void *context, const char *data, size_t bytes)
{
	buf_append(context, data, bytes);
	return true;
}

static bool refuse(void *context, const char *data, size_t bytes)
{
	(void)data, (void)bytes;
	*(int *)context += 1;
	return false;
}

TEST(http_streams_good_bodies_and_collects_others)
{
	static const char *const answers[] = {"HTTP/1.1 200 OK\r\nTransfer-Encoding: "
					      "chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n",
					      "HTTP/1.1 500 Oops\r\nContent-Length: 4\r\n\r\noops",
					      NULL};
	CLEANUP(cleanup_http_response) struct http_response good = {0};
	CLEANUP(cleanup_http_response) struct http_response bad = {0};
	CLEANUP(cleanup_buf) struct buf streamed;
	struct http_request request = get;
	struct server server = {0};
	struct http_client *client = start(&server, answers, NULL);
	struct error err;

	buf_init(&streamed, 100);
	request.on_data = collect;
	request.context = &streamed;
	EXPECT_OK(http_client_perform(client, &request, &good, &err), err);
	EXPECT_STR(streamed.data, "abcde");
	EXPECT_STR(good.body.data, "");
	EXPECT_OK(http_client_perform(client, &request, &bad, &err), err);
	EXPECT_STR(streamed.data, "abcde");
	EXPECT_STR(bad.body.data, "oops");
	stop(&server, client);
}

TEST(http_stream_may_be_ended_by_its_reader)
{
	static const char *const answers[] = {
		"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nfirst", NULL};
	CLEANUP(cleanup_http_response) struct http_response response = {0};
	struct http_request request = get;
	struct server server = {0};
	struct http_client *client = start(&server, answers, NULL);
	struct error err;
	int calls = 0;

	request.on_data = refuse;
	request.context = &calls;
	EXPECT_OK(http_client_perform(client, &request, &response, &err), err);
	EXPECT_INT(response.status, 200);
	EXPECT_INT(calls, 1);
	stop(&server, client);
}

TEST(http_body_has_a_maximum)
{
	static const char *const answers[] = {"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n123456",
					      "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n12345",
					      NULL};
	CLEANUP(cleanup_http_response) struct http_response over = {0};
	CLEANUP(cleanup_http_response) struct http_response exact = {0};
	struct http_request request = get;
	struct server server = {0};
	struct http_client *client = start(&server, answers, NULL);
	struct error err;

	request.body_bytes_max = 5;
	EXPECT_ERR(http_client_perform(client, &request, &over, &err), err, ERR_TOO_LARGE);
	EXPECT_OK(http_client_perform(client, &request, &exact, &err), err);
	EXPECT_STR(exact.body.data, "12345");
	stop(&server, client);
}

TEST(http_broken_answers_are_unavailable)
{
	static const char *const answers[] = {"", "SSH-2.0-OpenSSH_9.2\r\n",
					      "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort",
					      NULL};
	struct server server = {0};
	struct http_client *client = start(&server, answers, NULL);
	struct error err;

	for (int i = 0; i < 3; i++) {
		CLEANUP(cleanup_http_response) struct http_response response = {0};

		EXPECT_ERR(http_client_perform(client, &get, &response, &err), err,
			   ERR_UNAVAILABLE);
		EXPECT(strstr(err.msg, "http://127.0.0.1:") != NULL);
	}
	stop(&server, client);
}

TEST(http_nobody_listens)
{
	CLEANUP(cleanup_http_response) struct http_response response = {0};
	CLEANUP(cleanup_http_client) struct http_client *client = NULL;
	struct http_client_options options = {.base_url = "http://127.0.0.1:1"};
	struct error err;

	EXPECT_OK(http_client_new(&options, &client, &err), err);
	EXPECT_ERR(http_client_perform(client, &get, &response, &err), err, ERR_UNAVAILABLE);
	EXPECT(strstr(err.msg, "127.0.0.1:1") != NULL);
}

/* Connections are accepted by the kernel, and nobody answers. */
TEST(http_timeout)
{
	CLEANUP(cleanup_http_response) struct http_response response = {0};
	struct http_request request = get;
	struct server server = {0};
	struct http_client *client = start(&server, NULL, NULL);
	struct error err;

	request.timeout_ms = 50;
	EXPECT_ERR(http_client_perform(client, &request, &response, &err), err, ERR_TIMEOUT);
	stop(&server, client);
}

static volatile int interrupted;

static void interrupt(int number)
{
	(void)number;
	interrupted = 1;
}

TEST(http_interruption_is_noticed_at_once)
{
	CLEANUP(cleanup_http_response) struct http_response response = {0};
	CLEANUP(cleanup_http_client) struct http_client *client = NULL;
	struct server server = {0};
	struct http_client *unused = start(&server, NULL, NULL);
	struct sockaddr_in address = {0};
	socklen_t bytes = sizeof(address);
	struct error err;
	char url[64];

	EXPECT(getsockname(server.listen_fd, (struct sockaddr *)&address, &bytes) == 0);
	(void)snprintf(url, sizeof(url), "http://127.0.0.1:%d", ntohs(address.sin_port));
	struct http_client_options options = {.base_url = url, .interrupted = &interrupted};

	EXPECT_OK(http_client_new(&options, &client, &err), err);
	EXPECT(signal(SIGALRM, interrupt) != SIG_ERR);
	alarm(1);
	uint64_t before_ms = clock_boottime_ms();

	EXPECT_ERR(http_client_perform(client, &get, &response, &err), err, ERR_TIMEOUT);
	EXPECT(strstr(err.msg, "interrupted") != NULL);
	EXPECT(clock_boottime_ms() - before_ms < 1700);
	stop(&server, unused);
}

TEST(http_refuses_bad_options)
{
	static const char *const urls[] = {"", "127.0.0.1:8000", "ftp://h/", "file:///etc/passwd",
					   "httpx://h"};
	struct http_client *client = NULL;
	struct error err;

	for (size_t i = 0; i < ARRAY_SIZE(urls); i++) {
		struct http_client_options options = {.base_url = urls[i]};

		EXPECT_ERR(http_client_new(&options, &client, &err), err, ERR_INVALID);
	}
	struct http_client_options options = {.base_url = "http://h",
					      .authorization = "Bearer a\r\nX-Evil: 1"};

	EXPECT_ERR(http_client_new(&options, &client, &err), err, ERR_INVALID);
	EXPECT(strstr(err.msg, "Evil") == NULL);
	EXPECT(client == NULL);
}
