#include "store/answer_queue.h"

#include <stdlib.h>

#include "base/clock.h"

void answer_queue_init(struct answer_queue *queue)
{
	queue->head = NULL;
	queue->tail = &queue->head;
}

void answer_queue_push(struct answer_queue *queue, struct answer *answer)
{
	answer->next = NULL;
	*queue->tail = answer;
	queue->tail = &answer->next;
}

struct answer *answer_queue_pop(struct answer_queue *queue)
{
	struct answer *answer = queue->head;

	if (answer) {
		queue->head = answer->next;
		if (!queue->head)
			queue->tail = &queue->head;
	}
	return answer;
}

void answer_queue_take(struct answer_queue *from, struct answer_queue *ret)
{
	*ret = *from;
	if (!ret->head)
		answer_queue_init(ret);
	answer_queue_init(from);
}

void answer_queue_clear(struct answer_queue *queue)
{
	struct answer *answer;

	while ((answer = answer_queue_pop(queue)) != NULL)
		answer_free(answer);
}

void answer_queue_fail(struct answer_queue *queue, const struct error *err)
{
	struct answer *answer;

	while ((answer = answer_queue_pop(queue)) != NULL) {
		if (answer->callback)
			answer->callback(answer->context, NULL, err);
		answer_free(answer);
	}
}

void answer_expect(struct answer_queue *queue, bool is_sync, pipeline_answered_fn callback,
		   void *context)
{
	struct answer *answer = xcalloc(1, sizeof(*answer));

	answer->is_sync = is_sync;
	answer->callback = callback;
	answer->context = context;
	answer->sent_ms = clock_boottime_ms();
	answer_queue_push(queue, answer);
}

void answer_free(struct answer *answer)
{
	PQclear(answer->result);
	free(answer->context);
	free(answer);
}
