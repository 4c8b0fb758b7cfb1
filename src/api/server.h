/* What all requests of the process share, and the HTTP side of it: libmicrohttpd, with a thread per
 * database connection, each serving its share of the clients' connections. */
#pragma once

#include <microhttpd.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "api/auth.h"
#include "api/route.h"
#include "base/error.h"
#include "blob/blob.h"
#include "store/pg.h"

struct clients;
struct followers;
struct http_stats;
struct request;
struct submitter;
struct waker;

struct server {
	enum route_audience audience;
	struct pg_pool *pool;
	struct blob_store *blobs;
	struct auth *auth;
	struct waker *waker;
	struct submitter *submitter;
	struct followers *followers;
	struct http_stats *stats;
	struct clients *clients;
	struct MHD_Daemon *daemon;
	atomic_size_t active;	    /* requests between first line and end of answer */
	atomic_size_t memory_bytes; /* taken by bodies and what they are parsed into */
	atomic_bool is_stopping;

	/* What /metrics counts between scrapes; under its mutex. */
	pthread_mutex_t metrics_mutex;
	int64_t ended_upto_us; /* attempts up to here are counted; 0: none yet */
	uint64_t ended[16];    /* by enum outcome */
	char *metrics_text;    /* the last answer … */
	uint64_t metrics_ms;   /* … and when it was made */
};

/* Starts to accept on `listen_fd` (taken over). tls_pem: certificate and key, borrowed; NULL: plain
 * HTTP. */
MUST_CHECK int server_start(struct server *server, int listen_fd, const char *tls_pem,
			    size_t threads, struct error *err);
/* Stops accepting, ends streams, waits for requests in flight, at most `patience_ms`. */
void server_stop(struct server *server, uint64_t patience_ms);

/* Accounts for memory; false when the budget is used up. Given back at the request's end. */
bool server_take_memory(struct request *request, size_t bytes);

/* The request waits: its thread goes on with others until server_go_on calls request->resume.
 * Suspend first, then hand the request to whoever will let it go on. */
void server_suspend(struct request *request);
void server_go_on(struct request *request);
