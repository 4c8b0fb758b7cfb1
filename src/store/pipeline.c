#include "store/pipeline.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/rand.h"
#include "store/answer_queue.h"
#include "store/pg_error.h"

/* Less urgent than all that may issue calls, so that one turn's calls share a group. */
#define PRIORITY_IO    (SD_EVENT_PRIORITY_NORMAL - 10)
#define PRIORITY_FLUSH (SD_EVENT_PRIORITY_NORMAL + 5)

enum pipeline_state {
	PIPELINE_WAITING = 1, /* for the next attempt to connect */
	PIPELINE_CONNECTING,
	PIPELINE_PREPARING,
	PIPELINE_UP,
};

struct pipeline {
	struct pipeline_options options;
	char *conninfo;
	char *application_name;
	PGconn *connection;
	enum pipeline_state state;
	sd_event_source *io;
	sd_event_source *flush; /* ends the group at the end of the turn */
	sd_event_source *timer; /* next connect, connect timeout, or answer timeout: by state */
	struct answer_queue waiting; /* issued, unanswered, in order */
	struct answer_queue group;   /* answered, their sync outstanding */
	struct answer_queue refused; /* issued while not up: failed at the end of the turn */
	uint64_t group_number;
	bool group_open; /* calls were issued since the last sync */
	bool broken;	 /* sending failed: closed at the end of the turn */
	uint64_t backoff_ms;
};

static int on_io(sd_event_source *source, int fd, uint32_t events, void *context);

static void set_timer(struct pipeline *pipeline, uint64_t delay_ms)
{
	CHECK(sd_event_source_set_time_relative(pipeline->timer, delay_ms * 1000) >= 0);
	CHECK(sd_event_source_set_enabled(pipeline->timer, SD_EVENT_ONESHOT) >= 0);
}

/* Watches the socket, through a duplicate of our own: libpq closes its descriptor without asking,
 * and a child between fork and exec may hold it open still, so that the loop could not take it out
 * of epoll any more. While connecting libpq may change sockets; the watch is made anew each time.
 */
static int watch(struct pipeline *pipeline, uint32_t events, struct error *err)
{
	int fd = fcntl(PQsocket(pipeline->connection), F_DUPFD_CLOEXEC, 0);
	int failed;

	pipeline->io = sd_event_source_disable_unref(pipeline->io);
	if (fd < 0)
		return error_set_errno(err, ERR_UNAVAILABLE, errno, "cannot watch the connection");
	failed = sd_event_add_io(pipeline->options.event, &pipeline->io, fd, events, on_io,
				 pipeline);
	if (failed < 0) {
		(void)close(fd);
		return error_set_errno(err, ERR_INTERNAL, -failed, "cannot watch the connection");
	}
	(void)sd_event_source_set_io_fd_own(pipeline->io, 1);
	(void)sd_event_source_set_priority(pipeline->io, PRIORITY_IO);
	return 0;
}

static void pipeline_down(struct pipeline *pipeline, const struct error *err)
{
	struct answer_queue group;
	struct answer_queue waiting;

	answer_queue_take(&pipeline->group, &group);
	answer_queue_take(&pipeline->waiting, &waiting);
	pipeline->group_open = false;
	pipeline->group_number++;
	pipeline->broken = false;
	pipeline->io = sd_event_source_disable_unref(pipeline->io);
	PQfinish(pipeline->connection);
	pipeline->connection = NULL;
	pipeline->state = PIPELINE_WAITING;
	set_timer(pipeline, pipeline->backoff_ms / 2 + rand_below(pipeline->backoff_ms));
	pipeline->backoff_ms *= 2;
	if (pipeline->backoff_ms > PIPELINE_BACKOFF_MAX_MS)
		pipeline->backoff_ms = PIPELINE_BACKOFF_MAX_MS;
	answer_queue_fail(&group, err);
	answer_queue_fail(&waiting, err);
	pipeline->options.on_down(pipeline->options.context, err);
}

static void lost(struct pipeline *pipeline)
{
	struct error err;

	(void)pg_error_from_connection(pipeline->connection, &err);
	pipeline_down(pipeline, &err);
}

/* Writes what libpq holds back; asks for POLLOUT while there is more. False when lost. */
static bool pipeline_write(struct pipeline *pipeline)
{
	int unsent = PQflush(pipeline->connection);

	if (unsent < 0) {
		lost(pipeline);
		return false;
	}
	(void)sd_event_source_set_io_events(pipeline->io, EPOLLIN | (unsent > 0 ? EPOLLOUT : 0u));
	return true;
}

/* Ends the open group. */
static void pipeline_sync(struct pipeline *pipeline)
{
	if (!pipeline->group_open)
		return;
	pipeline->group_open = false;
	pipeline->group_number++;
	if (PQpipelineSync(pipeline->connection) != 1)
		pipeline->broken = true;
	answer_expect(&pipeline->waiting, true, NULL, NULL);
}

/* Ends the group, sends it, and watches over the answer. */
static void pipeline_flush(struct pipeline *pipeline)
{
	int armed = SD_EVENT_OFF;

	pipeline_sync(pipeline);
	if (pipeline->broken) {
		lost(pipeline);
		return;
	}
	if (!pipeline_write(pipeline))
		return;
	(void)sd_event_source_get_enabled(pipeline->timer, &armed);
	if (armed == SD_EVENT_OFF)
		set_timer(pipeline, PIPELINE_ANSWER_MS);
}

static int on_flush(sd_event_source *source, void *context)
{
	struct pipeline *pipeline = context;
	struct answer_queue refused;
	struct error err;

	(void)source;
	answer_queue_take(&pipeline->refused, &refused);
	(void)error_set(&err, ERR_UNAVAILABLE, "the database is not connected");
	answer_queue_fail(&refused, &err);
	if (pipeline->state == PIPELINE_UP)
		pipeline_flush(pipeline);
	return 0;
}

static void send_setup(struct pipeline *pipeline)
{
	PGconn *connection = pipeline->connection;
	bool sent = true;

	for (size_t i = 0; i < pipeline->options.statement_count; i++) {
		const struct pg_statement *statement = pipeline->options.statements[i];

		sent = sent && PQsendPrepare(connection, statement->name, statement->sql, 0, NULL);
		answer_expect(&pipeline->waiting, false, NULL, NULL);
	}
	for (const char *const *channel = pipeline->options.channels; *channel; channel++) {
		CLEANUP(cleanup_free) char *listen = xasprintf("LISTEN %s", *channel);

		sent = sent && PQsendQueryParams(connection, listen, 0, NULL, NULL, NULL, NULL, 1);
		answer_expect(&pipeline->waiting, false, NULL, NULL);
	}
	pipeline->group_open = true;
	pipeline->broken = !sent;
	pipeline->state = PIPELINE_PREPARING;
	set_timer(pipeline, PIPELINE_ANSWER_MS);
	pipeline_flush(pipeline);
}

static void pipeline_connected(struct pipeline *pipeline)
{
	struct error err;

	if (PQsetnonblocking(pipeline->connection, 1) != 0 ||
	    PQenterPipelineMode(pipeline->connection) != 1) {
		lost(pipeline);
		return;
	}
	if (watch(pipeline, EPOLLIN, &err) < 0) {
		pipeline_down(pipeline, &err);
		return;
	}
	send_setup(pipeline);
}

static void pipeline_connect_step(struct pipeline *pipeline)
{
	PostgresPollingStatusType status = PQconnectPoll(pipeline->connection);
	struct error err;

	if (status == PGRES_POLLING_OK)
		pipeline_connected(pipeline);
	else if (status == PGRES_POLLING_FAILED)
		lost(pipeline);
	else if (watch(pipeline, status == PGRES_POLLING_READING ? EPOLLIN : EPOLLOUT, &err) < 0)
		pipeline_down(pipeline, &err);
}

/* libpq would print them. What matters comes as an error too. */
static void ignore_notice(void *context, const PGresult *notice)
{
	(void)context;
	(void)notice;
}

static void pipeline_connect(struct pipeline *pipeline)
{
	/* What stands before dbname are defaults that the conninfo may overrule. A dead peer is
	 * noticed within seconds. */
	static const char *const keywords[] = {
		"application_name",
		"client_encoding",
		"options",
		"keepalives_idle",
		"keepalives_interval",
		"keepalives_count",
		"tcp_user_timeout",
		"gssencmode",
		"target_session_attrs",
		"dbname",
		NULL,
	};
	const char *const values[] = {
		pipeline->application_name,
		"UTF8",
		"-c search_path=",
		"10",
		"3",
		"3",
		"10000",
		"disable",
		"read-write",
		pipeline->conninfo,
		NULL,
	};
	struct error err;

	_Static_assert(ARRAY_SIZE(keywords) == ARRAY_SIZE(values), "one value for each keyword");
	pipeline->connection = PQconnectStartParams(keywords, values, 1);
	CHECK(pipeline->connection != NULL);
	(void)PQsetNoticeReceiver(pipeline->connection, ignore_notice, NULL);
	/* Refusals are told from absence by their SQLSTATE. */
	(void)PQsetErrorVerbosity(pipeline->connection, PQERRORS_VERBOSE);
	pipeline->state = PIPELINE_CONNECTING;
	if (PQstatus(pipeline->connection) == CONNECTION_BAD) {
		lost(pipeline);
		return;
	}
	set_timer(pipeline, PIPELINE_CONNECT_MS);
	/* A fresh connection wants to write first. */
	if (watch(pipeline, EPOLLOUT, &err) < 0)
		pipeline_down(pipeline, &err);
}

/* The setup's group is complete: failed if any of it did. */
static void setup_done(struct pipeline *pipeline, const struct error *failure)
{
	if (failure) {
		pipeline_down(pipeline, failure);
		return;
	}
	pipeline->state = PIPELINE_UP;
	pipeline->backoff_ms = PIPELINE_BACKOFF_MIN_MS;
	pipeline->options.on_up(pipeline->options.context);
}

/* A sync arrived: what was answered before it is now committed, or all of it was rolled back. */
static void group_done(struct pipeline *pipeline)
{
	struct answer_queue group;
	struct answer *item;
	struct error failure;
	struct error bystander;
	bool failed = false;

	answer_queue_take(&pipeline->group, &group);
	for (item = group.head; item && !failed; item = item->next) {
		ExecStatusType status = PQresultStatus(item->result);

		if (status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK)
			continue;
		failed = true;
		(void)pg_error_from_result(item->result, &failure);
	}
	if (failed)
		(void)error_set(&bystander, ERR_UNAVAILABLE,
				"rolled back with another call that failed: %.300s", failure.msg);
	if (pipeline->state == PIPELINE_PREPARING) {
		answer_queue_clear(&group);
		setup_done(pipeline, failed ? &failure : NULL);
		return;
	}
	while ((item = answer_queue_pop(&group)) != NULL) {
		ExecStatusType status = PQresultStatus(item->result);

		if (!failed)
			item->callback(item->context, item->result, NULL);
		else if (status == PGRES_FATAL_ERROR)
			item->callback(item->context, NULL, &failure);
		else
			item->callback(item->context, NULL, &bystander);
		answer_free(item);
	}
}

/* An answer that nobody waits for: the server's last word before it closes, as a rule. */
static void answered_out_of_turn(struct pipeline *pipeline, PGresult *result)
{
	struct error err;

	if (PQresultStatus(result) == PGRES_FATAL_ERROR)
		(void)pg_error_from_result(result, &err);
	else
		(void)error_set(&err, ERR_INTERNAL, "the database's answers do not fit the calls");
	err.code = ERR_UNAVAILABLE;
	PQclear(result);
	pipeline_down(pipeline, &err);
}

/* Takes in one result, or (NULL) the end of a call's results. */
static void take_result(struct pipeline *pipeline, PGresult *result)
{
	struct answer *head = pipeline->waiting.head;
	bool is_sync = result && PQresultStatus(result) == PGRES_PIPELINE_SYNC;

	if (!result) {
		if (!head->is_sync && head->seen)
			answer_queue_push(&pipeline->group, answer_queue_pop(&pipeline->waiting));
	} else if (is_sync != head->is_sync || head->seen) {
		answered_out_of_turn(pipeline, result);
	} else if (is_sync) {
		PQclear(result);
		answer_free(answer_queue_pop(&pipeline->waiting));
		group_done(pipeline);
	} else {
		head->seen = true;
		head->result = result;
	}
}

static void drain_results(struct pipeline *pipeline)
{
	int nulls = 0;

	/* Between two calls libpq answers NULL once or twice; more often means that the rest is
	 * still to be sent. */
	while (nulls <= 2 && pipeline->connection && pipeline->waiting.head &&
	       !PQisBusy(pipeline->connection)) {
		PGresult *result = PQgetResult(pipeline->connection);

		nulls = result ? 0 : nulls + 1;
		take_result(pipeline, result);
	}
}

static void drain_notifies(struct pipeline *pipeline)
{
	PGnotify *notify;

	while (pipeline->connection && (notify = PQnotifies(pipeline->connection)) != NULL) {
		if (pipeline->state == PIPELINE_UP)
			pipeline->options.on_notify(pipeline->options.context, notify->relname,
						    notify->extra);
		PQfreemem(notify);
	}
}

static int on_io(sd_event_source *source, int fd, uint32_t events, void *context)
{
	struct pipeline *pipeline = context;

	(void)source;
	(void)fd;
	if (pipeline->state == PIPELINE_CONNECTING) {
		pipeline_connect_step(pipeline);
		return 0;
	}
	if (pipeline->broken || PQconsumeInput(pipeline->connection) != 1) {
		/* What arrived before the end is still answered. */
		if (!pipeline->broken)
			drain_results(pipeline);
		if (pipeline->connection)
			lost(pipeline);
		return 0;
	}
	drain_results(pipeline);
	drain_notifies(pipeline);
	if (!pipeline->connection)
		return 0;
	if (PQstatus(pipeline->connection) == CONNECTION_BAD) {
		lost(pipeline);
		return 0;
	}
	if ((events & EPOLLOUT) != 0)
		(void)pipeline_write(pipeline);
	return 0;
}

static void check_answer_time(struct pipeline *pipeline)
{
	const struct answer *head = pipeline->waiting.head;
	uint64_t waited_ms;

	if (!head)
		return;
	waited_ms = clock_boottime_ms() - head->sent_ms;
	if (waited_ms >= PIPELINE_ANSWER_MS) {
		struct error err;

		(void)error_set(&err, ERR_UNAVAILABLE, "the database did not answer for %d s",
				PIPELINE_ANSWER_MS / 1000);
		pipeline_down(pipeline, &err);
	} else {
		set_timer(pipeline, PIPELINE_ANSWER_MS - waited_ms);
	}
}

static int on_timer(sd_event_source *source, uint64_t now_us, void *context)
{
	struct pipeline *pipeline = context;
	struct error err;

	(void)source;
	(void)now_us;
	switch (pipeline->state) {
	case PIPELINE_WAITING:
		pipeline_connect(pipeline);
		break;
	case PIPELINE_CONNECTING:
		(void)error_set(&err, ERR_UNAVAILABLE, "cannot connect to the database within %d s",
				PIPELINE_CONNECT_MS / 1000);
		pipeline_down(pipeline, &err);
		break;
	case PIPELINE_PREPARING:
	case PIPELINE_UP:
		check_answer_time(pipeline);
		break;
	}
	return 0;
}

int pipeline_new(const struct pipeline_options *options, struct pipeline **ret, struct error *err)
{
	struct pipeline *pipeline = xcalloc(1, sizeof(*pipeline));
	int failed;

	pipeline->options = *options;
	pipeline->options.event = sd_event_ref(options->event);
	pipeline->conninfo = xstrdup(options->conninfo);
	pipeline->application_name = xstrdup(options->application_name);
	pipeline->state = PIPELINE_WAITING;
	pipeline->backoff_ms = PIPELINE_BACKOFF_MIN_MS;
	answer_queue_init(&pipeline->waiting);
	answer_queue_init(&pipeline->group);
	answer_queue_init(&pipeline->refused);
	failed = sd_event_add_defer(options->event, &pipeline->flush, on_flush, pipeline);
	if (failed >= 0)
		failed = sd_event_source_set_enabled(pipeline->flush, SD_EVENT_OFF);
	if (failed >= 0)
		failed = sd_event_source_set_priority(pipeline->flush, PRIORITY_FLUSH);
	if (failed >= 0)
		failed = sd_event_add_time_relative(options->event, &pipeline->timer,
						    CLOCK_BOOTTIME, 0, 1000, on_timer, pipeline);
	if (failed < 0) {
		pipeline_free(pipeline);
		return error_set_errno(err, ERR_INTERNAL, -failed,
				       "cannot set up the event loop for the database");
	}
	*ret = pipeline;
	return 0;
}

void pipeline_free(struct pipeline *pipeline)
{
	if (!pipeline)
		return;
	answer_queue_clear(&pipeline->waiting);
	answer_queue_clear(&pipeline->group);
	answer_queue_clear(&pipeline->refused);
	sd_event_source_disable_unref(pipeline->io);
	sd_event_source_disable_unref(pipeline->flush);
	sd_event_source_disable_unref(pipeline->timer);
	PQfinish(pipeline->connection);
	sd_event_unref(pipeline->options.event);
	free(pipeline->conninfo);
	free(pipeline->application_name);
	free(pipeline);
}

bool pipeline_is_up(const struct pipeline *pipeline)
{
	return pipeline->state == PIPELINE_UP;
}

uint64_t pipeline_group(const struct pipeline *pipeline)
{
	return pipeline->group_number;
}

void pipeline_call(struct pipeline *pipeline, const struct pg_statement *statement,
		   const struct pg_args *args, bool alone, pipeline_answered_fn callback,
		   void *context)
{
	static const int binary[PG_ARGS_MAX] = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1};
	const char *values[PG_ARGS_MAX];

	CHECK(args->count == statement->param_count);
	CHECK(sd_event_source_set_enabled(pipeline->flush, SD_EVENT_ONESHOT) >= 0);
	if (pipeline->state != PIPELINE_UP) {
		answer_expect(&pipeline->refused, false, callback, context);
		return;
	}
	if (alone)
		pipeline_sync(pipeline);
	pg_args_values(args, values);
	if (PQsendQueryPrepared(pipeline->connection, statement->name, args->count, values,
				args->lengths, binary, 1) != 1)
		pipeline->broken = true;
	answer_expect(&pipeline->waiting, false, callback, context);
	pipeline->group_open = true;
	if (alone)
		pipeline_sync(pipeline);
}
