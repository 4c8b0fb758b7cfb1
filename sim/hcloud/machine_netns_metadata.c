#include "hcloud/machine_netns_metadata.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/check.h"
#include "base/str.h"

#define METADATA_PORT	    80
#define LISTENERS_MAX	    (1 + MACHINE_PRIVATE_NETS_MAX)
#define CONNECTIONS_MAX	    64
#define REQUEST_BYTES_MAX   8192
#define CONNECTION_LIMIT_US (30ULL * 1000 * 1000)

struct listener {
	struct cable cable;
	int fd;
	sd_event_source *source;
	struct metadata *metadata;
};

struct connection {
	int fd;
	sd_event_source *source;
	sd_event_source *deadline;
	struct buf request;
	struct buf answer;
	struct metadata *metadata;
	struct connection *next;
};

struct metadata {
	sd_event *event;
	const struct identity *identity;
	struct listener listeners[LISTENERS_MAX]; /* free ones have no source */
	struct connection *connections;
	size_t connection_count;
};

struct metadata *metadata_new(sd_event *event, const struct identity *identity)
{
	struct metadata *metadata = xcalloc(1, sizeof(*metadata));

	metadata->event = sd_event_ref(event);
	metadata->identity = identity;
	return metadata;
}

static void connection_close(struct connection *connection)
{
	struct metadata *metadata = connection->metadata;
	struct connection **at = &metadata->connections;

	while (*at != connection)
		at = &(*at)->next;
	*at = connection->next;
	metadata->connection_count--;
	(void)sd_event_source_disable_unref(connection->source);
	(void)sd_event_source_disable_unref(connection->deadline);
	(void)close(connection->fd);
	buf_release(&connection->request);
	buf_release(&connection->answer);
	free(connection);
}

static void listener_close(struct listener *listener)
{
	listener->source = sd_event_source_disable_unref(listener->source);
	(void)close(listener->fd);
}

void metadata_free(struct metadata *metadata)
{
	if (metadata == NULL)
		return;
	while (metadata->connections != NULL)
		connection_close(metadata->connections);
	for (size_t i = 0; i < ARRAY_SIZE(metadata->listeners); i++) {
		if (metadata->listeners[i].source != NULL)
			listener_close(&metadata->listeners[i]);
	}
	(void)sd_event_unref(metadata->event);
	free(metadata);
}

int metadata_parse_request(const char *text, size_t bytes, char ret_path[METADATA_PATH_BYTES])
{
	static const char method[] = "GET ";
	const char *line_end = memchr(text, '\r', bytes);

	if (line_end == NULL || memchr(text, '\0', bytes) != NULL)
		return 400;
	if ((size_t)(line_end - text) < strlen(method) || memcmp(text, method, strlen(method)) != 0)
		return 405;
	const char *path = text + strlen(method);
	const char *path_end = memchr(path, ' ', (size_t)(line_end - path));

	if (path_end == NULL || *path != '/' || line_end - path_end < 6 ||
	    memcmp(path_end, " HTTP/", 6) != 0)
		return 400;
	const char *question = memchr(path, '?', (size_t)(path_end - path));
	size_t path_bytes = (size_t)((question != NULL ? question : path_end) - path);

	if (path_bytes >= METADATA_PATH_BYTES)
		return 404;
	memcpy(ret_path, path, path_bytes);
	ret_path[path_bytes] = '\0';
	return 0;
}

static const char *status_text(int status)
{
	switch (status) {
	case 200:
		return "OK";
	case 404:
		return "Not Found";
	case 405:
		return "Method Not Allowed";
	default:
		return "Bad Request";
	}
}

static void make_answer(struct connection *connection)
{
	CLEANUP(cleanup_buf) struct buf body;
	char path[METADATA_PATH_BYTES];
	int status =
		metadata_parse_request(connection->request.data, connection->request.bytes, path);

	buf_init(&body, IDENTITY_DOCUMENT_BYTES_MAX);
	if (status == 0)
		status = identity_document(connection->metadata->identity, path, &body) ? 200 : 404;
	if (status != 200)
		buf_appendf(&body, "%s\n", status_text(status));
	buf_appendf(&connection->answer,
		    "HTTP/1.1 %d %s\r\nContent-Type: text/plain; charset=utf-8\r\n"
		    "Content-Length: %zu\r\nConnection: close\r\n\r\n",
		    status, status_text(status), body.bytes);
	buf_append(&connection->answer, body.data, body.bytes);
}

/* True once the head is there, or can no longer come. */
static bool receive(struct connection *connection, bool *ret_ended)
{
	char piece[2048];
	ssize_t got = recv(connection->fd, piece, sizeof(piece), 0);

	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return false;
	if (got <= 0) {
		*ret_ended = true;
		return false;
	}
	buf_append(&connection->request, piece, (size_t)got);
	return connection->request.overflowed ||
	       memmem(connection->request.data, connection->request.bytes, "\r\n\r\n", 4) != NULL;
}

static int on_connection(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	struct connection *connection = userdata;
	bool ended = false;

	(void)fd;
	(void)revents;
	if (connection->answer.bytes == 0) {
		if (receive(connection, &ended)) {
			make_answer(connection);
			(void)sd_event_source_set_io_events(source, EPOLLOUT);
		}
	} else {
		ssize_t sent = send(connection->fd, connection->answer.data,
				    connection->answer.bytes, MSG_NOSIGNAL);

		if (sent >= 0)
			buf_consume(&connection->answer, (size_t)sent);
		ended = connection->answer.bytes == 0 ||
			(sent < 0 && errno != EAGAIN && errno != EINTR);
	}
	if (ended)
		connection_close(connection);
	return 0;
}

static int on_deadline(sd_event_source *source, uint64_t usec, void *userdata)
{
	(void)source;
	(void)usec;
	connection_close(userdata);
	return 0;
}

static int on_listener(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	struct listener *listener = userdata;
	struct metadata *metadata = listener->metadata;
	CLEANUP(cleanup_fd) int client = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	(void)source;
	(void)revents;
	if (client < 0 || metadata->connection_count == CONNECTIONS_MAX)
		return 0;
	struct connection *connection = xcalloc(1, sizeof(*connection));

	connection->fd = TAKE_FD(client);
	connection->metadata = metadata;
	buf_init(&connection->request, REQUEST_BYTES_MAX);
	buf_init(&connection->answer, IDENTITY_DOCUMENT_BYTES_MAX + 1024);
	connection->next = metadata->connections;
	metadata->connections = connection;
	metadata->connection_count++;
	if (sd_event_add_io(metadata->event, &connection->source, connection->fd, EPOLLIN,
			    on_connection, connection) < 0 ||
	    sd_event_add_time_relative(metadata->event, &connection->deadline, CLOCK_MONOTONIC,
				       CONNECTION_LIMIT_US, 0, on_deadline, connection) < 0)
		connection_close(connection);
	return 0;
}

int metadata_listen(struct metadata *metadata, const struct cable *cable, struct error *err)
{
	struct listener *listener = metadata->listeners;

	while (listener->source != NULL)
		listener++;
	CHECK(listener < metadata->listeners + LISTENERS_MAX);
	if (space_listen(cable->space, cable->device, ROUTER_METADATA_ADDRESS, METADATA_PORT,
			 &listener->fd, err) != 0)
		return -1;
	int rc = sd_event_add_io(metadata->event, &listener->source, listener->fd, EPOLLIN,
				 on_listener, listener);

	if (rc < 0) {
		(void)close(listener->fd);
		return error_set_errno(err, ERR_INTERNAL, -rc, "cannot serve metadata");
	}
	listener->cable = *cable;
	listener->metadata = metadata;
	return 0;
}

void metadata_unlisten(struct metadata *metadata, const struct cable *cable)
{
	for (size_t i = 0; i < ARRAY_SIZE(metadata->listeners); i++) {
		struct listener *listener = &metadata->listeners[i];

		if (listener->source != NULL && str_eq(listener->cable.space, cable->space))
			listener_close(listener);
	}
}
