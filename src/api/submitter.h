/* Single submissions of many requests share transactions: what arrives while one is being committed
 * goes together into the next. The commit dominates the cost of a submission, so this is what makes
 * many clients fast; a lone one waits for nobody. The requests are suspended meanwhile and hold no
 * thread. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/hash.h"

struct request;
struct waker;
struct submitter;

enum submission_status { SUBMISSION_CREATED = 1, SUBMISSION_REPLAYED = 2, SUBMISSION_MISMATCH = 3 };

struct submission {
	struct request *request; /* goes on when this is done */
	int64_t project_id;
	const char *key; /* NULL: no idempotency */
	uint8_t request_sha256[SHA256_BYTES];
	char *spec;	  /* owned */
	char *labels;	  /* JSON or NULL, owned */
	const char *name; /* or NULL; like key borrowed from the request */
	int64_t retries;
	/* The result */
	bool has_failed;
	struct error err;
	int64_t job_id;
	enum submission_status status;
	struct submission *next; /* of the queue */
};

void submission_free(struct submission *submission);

struct submitter *submitter_start(const char *conninfo, struct waker *waker);
/* Finishes what is queued and ends the thread; takes no more. */
void submitter_stop(struct submitter *submitter);
void submitter_free(struct submitter *submitter);
/* Queues it; its request must be suspended. ERR_UNAVAILABLE when too many are. */
MUST_CHECK int submitter_add(struct submitter *submitter, struct submission *submission,
			     struct error *err);
