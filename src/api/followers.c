#include "api/followers.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "api/follow_events.h"
#include "api/server.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "store/queries.h"

#define GROUP_MAX	   64 /* followers of one query */
#define PENDING_BYTES_MAX  (8 * MIB)
#define PENDING_BYTES_HIGH (64 * KIB) /* a follower that is behind by more waits for its client */
#define SEND_BYTES	   (32 * KIB)
#define KEEP_ALIVE_MS	   15000
/* Between two turns: short after news, else longer the more followers there are. */
#define PAUSE_BUSY_MS	20
#define PAUSE_IDLE_MS	40
#define PAUSE_MS_MAX	250
#define PAUSE_FAILED_MS 1000
#define BUSY_FOR_MS	1000

/* One stream. Belongs to its response (whose end sets is_gone) and, while a turn goes on, to the
 * thread: whoever leaves last frees it. */
struct follower {
	struct follower *next;
	struct follower *previous;
	struct followers *owner;
	struct MHD_Connection *http;
	bool in_turn;
	bool is_gone;
	/* The thread's alone. */
	struct follow_progress progress;
	/* Under the owner's mutex. */
	struct buf pending;
	size_t sent; /* of pending */
	bool is_suspended;
	bool is_over; /* pending is all there will be */
	uint64_t fed_ms;
};

struct followers {
	struct pg *pg;
	pthread_t thread;
	pthread_mutex_t mutex;
	pthread_cond_t changed;
	struct follower *first; /* least recently looked at first */
	struct follower *last;
	size_t count;
	bool is_ending; /* no more streams */
	bool is_stopping;
};

static void lock(struct followers *followers)
{
	CHECK(pthread_mutex_lock(&followers->mutex) == 0);
}

static void unlock(struct followers *followers)
{
	CHECK(pthread_mutex_unlock(&followers->mutex) == 0);
}

/* The list and the streams: under the mutex */

static void link_last(struct followers *followers, struct follower *follower)
{
	follower->previous = followers->last;
	follower->next = NULL;
	*(followers->last != NULL ? &followers->last->next : &followers->first) = follower;
	followers->last = follower;
	followers->count++;
}

static void unlink_one(struct followers *followers, struct follower *follower)
{
	*(follower->previous != NULL ? &follower->previous->next : &followers->first) =
		follower->next;
	*(follower->next != NULL ? &follower->next->previous : &followers->last) =
		follower->previous;
	followers->count--;
}

static void free_follower(struct follower *follower)
{
	buf_release(&follower->pending);
	free(follower);
}

static void let_go_on(struct follower *follower)
{
	if (!follower->is_suspended)
		return;
	follower->is_suspended = false;
	MHD_resume_connection(follower->http);
}

static void feed(struct follower *follower, const struct buf *events)
{
	if (events->bytes == 0)
		return;
	if (follower->sent == follower->pending.bytes) {
		buf_clear(&follower->pending);
		follower->sent = 0;
	}
	buf_append(&follower->pending, events->data, events->bytes);
	/* Its client would miss something: it is to reconnect and go on where it was. */
	if (follower->pending.overflowed)
		follower->is_over = true;
	follower->fed_ms = clock_boottime_ms();
	let_go_on(follower);
}

static void keep_alive(struct follower *follower, uint64_t now_ms)
{
	static const char comment[] = ": keep-alive\n\n";

	if (follower->is_over || follower->sent < follower->pending.bytes ||
	    now_ms - follower->fed_ms < KEEP_ALIVE_MS)
		return;
	struct buf text = {.data = (char *)(uintptr_t)comment, .bytes = sizeof(comment) - 1};
	feed(follower, &text);
}

/* A turn */

struct group {
	struct follower *items[GROUP_MAX];
	size_t count;
};

/* The next followers that can take more. They go to the end of the list. */
static void take_group(struct followers *followers, size_t look_at, struct group *ret)
{
	uint64_t now_ms = clock_boottime_ms();

	ret->count = 0;
	for (size_t i = 0; i < look_at; i++) {
		struct follower *follower = followers->first;

		unlink_one(followers, follower);
		link_last(followers, follower);
		keep_alive(follower, now_ms);
		if (follower->is_over ||
		    follower->pending.bytes - follower->sent > PENDING_BYTES_HIGH)
			continue;
		follower->in_turn = true;
		ret->items[ret->count++] = follower;
	}
}

static int read_group(struct followers *followers, const struct group *group, PGresult **ret,
		      struct error *err)
{
	CLEANUP(cleanup_pg_params) struct pg_params params = {0};
	int64_t jobs[GROUP_MAX];
	int64_t attempts[GROUP_MAX];
	int64_t after[GROUP_MAX];

	for (size_t i = 0; i < group->count; i++) {
		const struct log_position *position = &group->items[i]->progress.position;

		jobs[i] = position->job;
		attempts[i] = position->attempt;
		after[i] = position->after_seq;
	}
	pg_param_i64_array(&params, jobs, group->count);
	pg_param_i64_array(&params, attempts, group->count);
	pg_param_i64_array(&params, after, group->count);
	pg_param_i64(&params, FOLLOW_CHUNKS);
	return pg_run(followers->pg, &query_log_follow, &params, ret, err);
}

/* Hands the rows [first, end) to their follower. */
static bool tell(struct follower *follower, const PGresult *rows, int first, int end)
{
	CLEANUP(cleanup_buf) struct buf events = {0};
	bool is_over = true; /* without rows: the job is no more */

	buf_init(&events, PENDING_BYTES_MAX / 2);
	if (first < end)
		is_over = follow_events(&follower->progress, rows, first, end, &events);
	CHECK(!events.overflowed);
	lock(follower->owner);
	feed(follower, &events);
	follower->is_over = follower->is_over || is_over;
	if (is_over)
		let_go_on(follower);
	unlock(follower->owner);
	return events.bytes > 0;
}

static bool tell_group(const struct group *group, const PGresult *rows)
{
	bool any = false;
	int row = 0;

	for (size_t i = 0; i < group->count; i++) {
		int first = row;

		while (row < PQntuples(rows) &&
		       pg_get_i64(rows, row, FOLLOW_POSITION) == (int64_t)i + 1)
			row++;
		any = tell(group->items[i], rows, first, row) || any;
	}
	return any;
}

static void end_turn(struct followers *followers, struct group *group)
{
	lock(followers);
	for (size_t i = 0; i < group->count; i++) {
		group->items[i]->in_turn = false;
		if (group->items[i]->is_gone)
			free_follower(group->items[i]);
	}
	unlock(followers);
}

/* All followers once. False when the database failed. */
static bool turn(struct followers *followers, bool *ret_any)
{
	lock(followers);
	size_t left = followers->count;
	unlock(followers);

	*ret_any = false;
	while (left > 0) {
		CLEANUP(cleanup_pgresult) PGresult *rows = NULL;
		struct group group;
		struct error err;

		lock(followers);
		/* Some may have gone meanwhile. */
		left = left < followers->count ? left : followers->count;
		size_t look_at = left < GROUP_MAX ? left : GROUP_MAX;
		take_group(followers, look_at, &group);
		unlock(followers);
		left -= look_at;
		if (group.count == 0)
			continue;
		bool is_good = read_group(followers, &group, &rows, &err) == 0;
		if (is_good)
			*ret_any = tell_group(&group, rows) || *ret_any;
		else
			log_warning("api.follow_failed", F_ERROR(&err));
		end_turn(followers, &group);
		if (!is_good)
			return false;
	}
	return true;
}

static uint64_t pause_after(size_t count, bool is_busy)
{
	uint64_t pause_ms = (is_busy ? PAUSE_BUSY_MS : PAUSE_IDLE_MS) + count / 2;

	return pause_ms < PAUSE_MS_MAX ? pause_ms : PAUSE_MS_MAX;
}

/* Waits for the next turn; a new follower or the end comes at once. Under the mutex. */
static void rest(struct followers *followers, uint64_t pause_ms)
{
	struct timespec until;

	CHECK(clock_gettime(CLOCK_MONOTONIC, &until) == 0);
	until.tv_nsec += (long)(pause_ms * 1000000);
	until.tv_sec += until.tv_nsec / 1000000000;
	until.tv_nsec %= 1000000000;
	int result = pthread_cond_timedwait(&followers->changed, &followers->mutex, &until);
	CHECK(result == 0 || result == ETIMEDOUT);
}

static void *run(void *context)
{
	struct followers *followers = context;
	uint64_t busy_until_ms = 0;
	bool any;

	lock(followers);
	while (!followers->is_stopping) {
		if (followers->first == NULL) {
			CHECK(pthread_cond_wait(&followers->changed, &followers->mutex) == 0);
			continue;
		}
		unlock(followers);
		bool is_good = turn(followers, &any);
		uint64_t now_ms = clock_boottime_ms();
		if (any)
			busy_until_ms = now_ms + BUSY_FOR_MS;
		lock(followers);
		if (!followers->is_stopping)
			rest(followers,
			     is_good ? pause_after(followers->count, now_ms < busy_until_ms)
				     : PAUSE_FAILED_MS);
	}
	unlock(followers);
	return NULL;
}

/* The HTTP side */

static ssize_t read_some(void *context, uint64_t offset, char *out, size_t bytes_max)
{
	struct follower *follower = context;
	ssize_t result;

	(void)offset;
	lock(follower->owner);
	size_t left = follower->pending.bytes - follower->sent;
	if (left > 0) {
		size_t bytes = left < bytes_max ? left : bytes_max;

		memcpy(out, follower->pending.data + follower->sent, bytes);
		follower->sent += bytes;
		result = (ssize_t)bytes;
	} else if (follower->is_over) {
		result = MHD_CONTENT_READER_END_OF_STREAM;
	} else {
		MHD_suspend_connection(follower->http);
		follower->is_suspended = true;
		result = 0;
	}
	unlock(follower->owner);
	return result;
}

/* The response has ended, or its client has gone. */
static void on_gone(void *context)
{
	struct follower *follower = context;
	struct followers *followers = follower->owner;

	lock(followers);
	unlink_one(followers, follower);
	follower->is_gone = true;
	if (!follower->in_turn)
		free_follower(follower);
	unlock(followers);
}

static struct follower *make_follower(struct followers *followers, struct request *request,
				      const struct log_position *position, unsigned streams)
{
	struct follower *follower = xcalloc(1, sizeof(*follower));

	follower->owner = followers;
	follower->http = request->http;
	follower->progress.position = *position;
	follower->progress.streams = streams;
	follower->fed_ms = clock_boottime_ms();
	buf_init(&follower->pending, PENDING_BYTES_MAX);
	buf_append_str(&follower->pending, "retry: 1000\n\n");
	return follower;
}

int followers_add(struct request *request, const struct log_position *position, unsigned streams,
		  struct reply *reply, struct error *err)
{
	struct followers *followers = request->server->followers;
	struct follower *follower = NULL;

	lock(followers);
	if (followers->count < LIMIT_FOLLOWERS && !followers->is_ending) {
		follower = make_follower(followers, request, position, streams);
		link_last(followers, follower);
		CHECK(pthread_cond_signal(&followers->changed) == 0);
	}
	unlock(followers);
	if (follower == NULL)
		return error_set(err, ERR_UNAVAILABLE,
				 "too many streams are open, or the server "
				 "is stopping");
	reply_header(reply, MHD_HTTP_HEADER_CONTENT_TYPE, "text/event-stream");
	reply_header(reply, "X-Accel-Buffering", "no");
	struct MHD_Response *response = MHD_create_response_from_callback(
		MHD_SIZE_UNKNOWN, SEND_BYTES, read_some, follower, on_gone);
	CHECK(response != NULL);
	return reply_response(reply, MHD_HTTP_OK, response);
}

size_t followers_count(struct followers *followers)
{
	lock(followers);
	size_t count = followers->count;
	unlock(followers);
	return count;
}

/* Lifecycle */

struct followers *followers_start(const char *conninfo)
{
	struct followers *followers = xcalloc(1, sizeof(*followers));
	pthread_condattr_t attributes;

	followers->pg = pg_new(conninfo);
	CHECK(pthread_mutex_init(&followers->mutex, NULL) == 0);
	CHECK(pthread_condattr_init(&attributes) == 0);
	CHECK(pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC) == 0);
	CHECK(pthread_cond_init(&followers->changed, &attributes) == 0);
	(void)pthread_condattr_destroy(&attributes);
	CHECK(pthread_create(&followers->thread, NULL, run, followers) == 0);
	return followers;
}

void followers_end_all(struct followers *followers)
{
	lock(followers);
	followers->is_ending = true;
	for (struct follower *follower = followers->first; follower != NULL;
	     follower = follower->next) {
		follower->is_over = true;
		let_go_on(follower);
	}
	unlock(followers);
}

void followers_stop(struct followers *followers)
{
	lock(followers);
	followers->is_stopping = true;
	CHECK(pthread_cond_signal(&followers->changed) == 0);
	unlock(followers);
	CHECK(pthread_join(followers->thread, NULL) == 0);
}

void followers_free(struct followers *followers)
{
	if (followers == NULL)
		return;
	CHECK(followers->first == NULL);
	pg_free(followers->pg);
	(void)pthread_cond_destroy(&followers->changed);
	(void)pthread_mutex_destroy(&followers->mutex);
	free(followers);
}
