#include "api/clients.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "base/check.h"
#include "base/cleanup.h"
#include "base/clock.h"

struct client {
	struct client *previous;
	struct client *next;
	int fd;
	bool in_request;
	uint64_t since_ms;
};

struct clients {
	pthread_mutex_t mutex;
	struct client *first;
};

struct clients *clients_new(void)
{
	struct clients *clients = xcalloc(1, sizeof(*clients));

	CHECK(pthread_mutex_init(&clients->mutex, NULL) == 0);
	return clients;
}

void clients_free(struct clients *clients)
{
	if (clients == NULL)
		return;
	CHECK(clients->first == NULL);
	(void)pthread_mutex_destroy(&clients->mutex);
	free(clients);
}

static void add(struct clients *clients, int fd, void **socket_context)
{
	struct client *client = xcalloc(1, sizeof(*client));

	client->fd = fd;
	client->since_ms = clock_boottime_ms();
	client->next = clients->first;
	if (clients->first != NULL)
		clients->first->previous = client;
	clients->first = client;
	*socket_context = client;
}

static void drop(struct clients *clients, struct client *client)
{
	if (client->next != NULL)
		client->next->previous = client->previous;
	if (client->previous != NULL)
		client->previous->next = client->next;
	else
		clients->first = client->next;
	free(client);
}

/* Called before the socket is closed: whoever holds the mutex may use the descriptors in the list.
 */
void clients_on_connection(void *context, struct MHD_Connection *http, void **socket_context,
			   enum MHD_ConnectionNotificationCode code)
{
	struct clients *clients = context;
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(http, MHD_CONNECTION_INFO_CONNECTION_FD);

	CHECK(pthread_mutex_lock(&clients->mutex) == 0);
	switch (code) {
	case MHD_CONNECTION_NOTIFY_STARTED:
		add(clients, info->connect_fd, socket_context);
		break;
	case MHD_CONNECTION_NOTIFY_CLOSED:
		drop(clients, *socket_context);
		break;
	}
	CHECK(pthread_mutex_unlock(&clients->mutex) == 0);
}

void clients_mark(struct clients *clients, struct MHD_Connection *http, bool in_request)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(http, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
	struct client *client = info->socket_context;

	CHECK(pthread_mutex_lock(&clients->mutex) == 0);
	client->in_request = in_request;
	client->since_ms = clock_boottime_ms();
	CHECK(pthread_mutex_unlock(&clients->mutex) == 0);
}

void clients_sweep(struct clients *clients, uint64_t idle_ms_max)
{
	uint64_t now_ms = clock_boottime_ms();

	CHECK(pthread_mutex_lock(&clients->mutex) == 0);
	for (const struct client *client = clients->first; client != NULL; client = client->next) {
		if (!client->in_request && now_ms - client->since_ms >= idle_ms_max)
			(void)shutdown(client->fd, SHUT_RDWR);
	}
	CHECK(pthread_mutex_unlock(&clients->mutex) == 0);
}

void clients_hang_up_idle(struct clients *clients)
{
	clients_sweep(clients, 0);
}
