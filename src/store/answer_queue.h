/* The answers that a pipeline expects, in the order in which they will come. Private to the
 * pipeline. */
#pragma once

#include <libpq-fe.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "store/pipeline.h"

/* Of a call, of a statement of the setup (no callback), or of a sync. */
struct answer {
	struct answer *next;
	bool is_sync;
	bool seen; /* its result arrived; the NULL that ends it has not */
	pipeline_answered_fn callback;
	void *context;	  /* from malloc, owned */
	PGresult *result; /* owned */
	uint64_t sent_ms;
};

struct answer_queue {
	struct answer *head;
	struct answer **tail;
};

void answer_queue_init(struct answer_queue *queue);
void answer_queue_push(struct answer_queue *queue, struct answer *answer);
struct answer *answer_queue_pop(struct answer_queue *queue); /* NULL: empty */
/* Moves all of `from` to *ret, so that callbacks may refill it. */
void answer_queue_take(struct answer_queue *from, struct answer_queue *ret);
/* Frees all, without callbacks. */
void answer_queue_clear(struct answer_queue *queue);
/* Tells all that they failed, and frees them. */
void answer_queue_fail(struct answer_queue *queue, const struct error *err);

/* Puts a new one at the end. */
void answer_expect(struct answer_queue *queue, bool is_sync, pipeline_answered_fn callback,
		   void *context);
void answer_free(struct answer *answer);
