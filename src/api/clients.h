/* The open connections, and how long each has been without a request: libmicrohttpd's own timeout
 * starts anew with each byte, so a client that sends its header a byte at a time would stay for
 * ever. */
#pragma once

#include <microhttpd.h>
#include <stdbool.h>
#include <stdint.h>

struct clients;

struct clients *clients_new(void);
void clients_free(struct clients *clients);

/* For MHD_OPTION_NOTIFY_CONNECTION, with the struct clients as context. */
void clients_on_connection(void *context, struct MHD_Connection *http, void **socket_context,
			   enum MHD_ConnectionNotificationCode code);
/* A request's header is complete, or its answer is. */
void clients_mark(struct clients *clients, struct MHD_Connection *http, bool in_request);
/* Hangs up on those without a request for longer. */
void clients_sweep(struct clients *clients, uint64_t idle_ms_max);
/* Hangs up on all that have no request at this moment. */
void clients_hang_up_idle(struct clients *clients);
