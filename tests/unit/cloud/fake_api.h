/* A Hetzner Cloud that answers what a test has written down: an HTTP server on a free port of the
 * loopback, one thread per connection. Request number n gets step n; the last step answers all
 * later ones. What it was sent is kept. */
#pragma once

#include <pthread.h>
#include <stddef.h>

#include "cloud/hetzner.h"

#define FAKE_TOKEN	  "s3cretT0kenOfTheProject"
#define FAKE_REQUESTS_MAX 256
#define FAKE_BACKOFF_MS	  20	/* before a first retry */
#define FAKE_TIMEOUT_MS	  20000 /* of one request of the client's */

enum fake_end {
	FAKE_ANSWERS = 1,
	FAKE_BREAKS_OFF, /* announces one byte more than it sends */
	FAKE_CLOSES,	 /* reads the request, ends the connection */
	FAKE_RESETS,	 /* the same with a TCP reset */
	FAKE_HANGS,	 /* never answers */
};

struct fake_step {
	enum fake_end end;
	int status;
	const char *headers; /* "Name: value\r\n…" or NULL */
	const char *body;
};

struct fake_api {
	const struct fake_step *steps;
	size_t step_count;
	int listen_fd;
	int stop_fds[2]; /* closed to end it */
	char endpoint[64];
	pthread_t acceptor;
	pthread_t threads[FAKE_REQUESTS_MAX];
	size_t thread_count;
	pthread_mutex_t lock;
	char *requests[FAKE_REQUESTS_MAX];
	size_t request_count;
	int at_work, at_work_most; /* requests in the hands of a thread */
};

/* Starts it and gives a client of it. */
struct hetzner *fake_api_start(struct fake_api *api, const struct fake_step *steps,
			       size_t step_count, uint64_t request_timeout_ms);
#define FAKE_START(api, steps) fake_api_start(api, steps, ARRAY_SIZE(steps), FAKE_TIMEOUT_MS)
/* Ends both. */
void fake_api_stop(struct fake_api *api, struct hetzner *hetzner);
/* "GET /v1/servers?page=1": the beginning of request number n. */
bool fake_api_was_asked(const struct fake_api *api, size_t n, const char *begin);
