#include "api/submitter.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "api/server.h"
#include "api/waker.h"
#include "base/check.h"
#include "core/limits.h"
#include "store/pg.h"
#include "store/queries.h"

#define GROUP_MAX	256
#define GROUP_BYTES_MAX (8 * MIB)

struct submitter {
	struct pg *pg;
	struct waker *waker;
	pthread_t thread;
	pthread_mutex_t mutex;
	pthread_cond_t changed;
	struct submission *first;
	struct submission **last_next;
	size_t count;
	bool is_stopping;
};

void submission_free(struct submission *submission)
{
	if (submission == NULL)
		return;
	free(submission->spec);
	free(submission->labels);
	free(submission);
}

struct group {
	struct submission *items[GROUP_MAX];
	size_t count;
};

static void add_i64_arrays(struct pg_params *params, const struct group *group, bool retries)
{
	int64_t numbers[GROUP_MAX];

	for (size_t i = 0; i < group->count; i++)
		numbers[i] = retries ? group->items[i]->retries : group->items[i]->project_id;
	pg_param_i64_array(params, numbers, group->count);
}

enum text_member { MEMBER_KEY, MEMBER_SPEC, MEMBER_NAME, MEMBER_LABELS };

static const char *member_of(const struct submission *submission, enum text_member member)
{
	switch (member) {
	case MEMBER_KEY:
		return submission->key;
	case MEMBER_SPEC:
		return submission->spec;
	case MEMBER_NAME:
		return submission->name;
	case MEMBER_LABELS:
		return submission->labels;
	}
	UNREACHABLE();
}

static void add_texts(struct pg_params *params, const struct group *group, enum text_member member)
{
	const char *texts[GROUP_MAX];

	for (size_t i = 0; i < group->count; i++)
		texts[i] = member_of(group->items[i], member);
	pg_param_text_array(params, texts, group->count);
}

static void add_digests(struct pg_params *params, const struct group *group)
{
	uint8_t digests[GROUP_MAX * SHA256_BYTES];

	for (size_t i = 0; i < group->count; i++)
		memcpy(digests + i * SHA256_BYTES, group->items[i]->request_sha256, SHA256_BYTES);
	pg_param_bytes_array(params, digests, SHA256_BYTES, group->count);
}

static int submit_group(struct submitter *submitter, const struct group *group, bool *ret_any_new,
			struct error *err)
{
	CLEANUP(cleanup_pg_params) struct pg_params params = {0};
	CLEANUP(cleanup_pgresult) PGresult *result = NULL;

	add_i64_arrays(&params, group, false);
	add_texts(&params, group, MEMBER_KEY);
	add_digests(&params, group);
	add_texts(&params, group, MEMBER_SPEC);
	add_texts(&params, group, MEMBER_NAME);
	add_texts(&params, group, MEMBER_LABELS);
	add_i64_arrays(&params, group, true);
	if (pg_run(submitter->pg, &query_submit_many, &params, &result, err) < 0)
		return -1;
	CHECK((size_t)PQntuples(result) == group->count);
	for (int row = 0; row < PQntuples(result); row++) {
		int64_t position = pg_get_i64(result, row, 0);

		CHECK(position >= 1);
		CHECK((size_t)position <= group->count);
		struct submission *submission = group->items[position - 1];
		submission->job_id = pg_get_i64(result, row, 1);
		submission->status = (enum submission_status)pg_get_i64(result, row, 2);
		*ret_any_new = *ret_any_new || submission->status == SUBMISSION_CREATED;
	}
	return 0;
}

static void let_go_on(const struct group *group)
{
	/* The request may be gone as soon as it goes on, and the submission with it. */
	for (size_t i = 0; i < group->count; i++)
		server_go_on(group->items[i]->request);
}

static void fail_group(const struct group *group, const struct error *err)
{
	for (size_t i = 0; i < group->count; i++) {
		group->items[i]->has_failed = true;
		group->items[i]->err = *err;
	}
}

/* One bad element fails the whole call: the others are then sent one by one. */
static void submit_each(struct submitter *submitter, const struct group *group, bool *ret_any_new)
{
	for (size_t i = 0; i < group->count; i++) {
		struct group single = {.items = {group->items[i]}, .count = 1};
		struct error err;

		if (submit_group(submitter, &single, ret_any_new, &err) < 0)
			fail_group(&single, &err);
	}
}

static void work_off(struct submitter *submitter, const struct group *group)
{
	struct error err;
	bool any_new = false;

	if (submit_group(submitter, group, &any_new, &err) < 0) {
		if (err.code == ERR_UNAVAILABLE || group->count == 1)
			fail_group(group, &err);
		else
			submit_each(submitter, group, &any_new);
	}
	if (any_new)
		waker_wake(submitter->waker);
	let_go_on(group);
}

/* Waits for submissions; an empty group means the end. */
static void take_group(struct submitter *submitter, struct group *ret)
{
	size_t bytes = 0;

	ret->count = 0;
	CHECK(pthread_mutex_lock(&submitter->mutex) == 0);
	while (submitter->first == NULL && !submitter->is_stopping)
		CHECK(pthread_cond_wait(&submitter->changed, &submitter->mutex) == 0);
	while (submitter->first != NULL && ret->count < GROUP_MAX && bytes < GROUP_BYTES_MAX) {
		struct submission *submission = submitter->first;

		submitter->first = submission->next;
		if (submitter->first == NULL)
			submitter->last_next = &submitter->first;
		submitter->count--;
		bytes += strlen(submission->spec);
		ret->items[ret->count++] = submission;
	}
	CHECK(pthread_mutex_unlock(&submitter->mutex) == 0);
}

static void *run(void *context)
{
	struct submitter *submitter = context;
	struct group group;

	for (;;) {
		take_group(submitter, &group);
		if (group.count == 0)
			return NULL;
		work_off(submitter, &group);
	}
}

struct submitter *submitter_start(const char *conninfo, struct waker *waker)
{
	struct submitter *submitter = xcalloc(1, sizeof(*submitter));

	submitter->pg = pg_new(conninfo);
	submitter->waker = waker;
	submitter->last_next = &submitter->first;
	CHECK(pthread_mutex_init(&submitter->mutex, NULL) == 0);
	CHECK(pthread_cond_init(&submitter->changed, NULL) == 0);
	CHECK(pthread_create(&submitter->thread, NULL, run, submitter) == 0);
	return submitter;
}

int submitter_add(struct submitter *submitter, struct submission *submission, struct error *err)
{
	CHECK(pthread_mutex_lock(&submitter->mutex) == 0);
	bool is_full = submitter->count == LIMIT_SUBMISSIONS || submitter->is_stopping;
	if (!is_full) {
		submission->next = NULL;
		*submitter->last_next = submission;
		submitter->last_next = &submission->next;
		submitter->count++;
		CHECK(pthread_cond_signal(&submitter->changed) == 0);
	}
	CHECK(pthread_mutex_unlock(&submitter->mutex) == 0);
	if (!is_full)
		return 0;
	error_set(err, ERR_UNAVAILABLE, "too many submissions are waiting for the database");
	return error_hint(err, "send many jobs in one request: POST /api/v1/jobs/bulk");
}

void submitter_stop(struct submitter *submitter)
{
	CHECK(pthread_mutex_lock(&submitter->mutex) == 0);
	submitter->is_stopping = true;
	CHECK(pthread_cond_signal(&submitter->changed) == 0);
	CHECK(pthread_mutex_unlock(&submitter->mutex) == 0);
	CHECK(pthread_join(submitter->thread, NULL) == 0);
}

void submitter_free(struct submitter *submitter)
{
	if (submitter == NULL)
		return;
	pg_free(submitter->pg);
	(void)pthread_cond_destroy(&submitter->changed);
	(void)pthread_mutex_destroy(&submitter->mutex);
	free(submitter);
}
