/* One libpq connection in an sd-event loop that never blocks it: connecting, preparing, LISTENing,
 * calling, and coming back after a loss. It runs in pipeline mode. Calls issued in one turn of the
 * loop form a group: one write, one sync, one implicit transaction, one commit. An answer is handed
 * on only when its group's sync has arrived, for until then it may still be rolled back; if one
 * call of a group fails, all of it was rolled back, and all of it fails.
 *
 * A lost connection fails all calls in flight with ERR_UNAVAILABLE (their effect is unknown), then
 * the pipeline reconnects with jittered backoff, prepares again, and says on_up. A peer that does
 * not answer within PIPELINE_ANSWER_MS counts as lost. */
#pragma once

#include <libpq-fe.h>
#include <stdbool.h>
#include <stddef.h>
#include <systemd/sd-event.h>

#include "base/error.h"
#include "store/pg.h"
#include "store/pg_binary.h"

#define PIPELINE_CONNECT_MS	10000
#define PIPELINE_ANSWER_MS	20000
#define PIPELINE_BACKOFF_MIN_MS 50
#define PIPELINE_BACKOFF_MAX_MS 3000

struct pipeline;

/* The result's rows are binary; NULL with err set on failure. Runs from the loop, never from within
 * pipeline_call. It may issue further calls; it must not free the pipeline. */
typedef void (*pipeline_answered_fn)(void *context, const PGresult *result,
				     const struct error *err);

struct pipeline_options {
	sd_event *event;
	const char *conninfo; /* copied; give hostaddr too, for looking a name up blocks the loop */
	const char *application_name;		      /* borrowed for the call */
	const struct pg_statement *const *statements; /* prepared on every connection; borrowed */
	size_t statement_count;
	const char *const *channels; /* LISTENed to; constant names of ours, NULL-terminated */
	void *context;
	void (*on_up)(void *context);
	void (*on_down)(void *context, const struct error *err);
	void (*on_notify)(void *context, const char *channel, const char *payload);
};

MUST_CHECK int pipeline_new(const struct pipeline_options *options, struct pipeline **ret,
			    struct error *err);
/* Calls in flight are forgotten without their callbacks. NULL is fine. */
void pipeline_free(struct pipeline *pipeline);
bool pipeline_is_up(const struct pipeline *pipeline);
/* The number of the group that the next call joins: calls issued under one number commit together.
 */
uint64_t pipeline_group(const struct pipeline *pipeline);

/* Issues one call. `alone`: in a group of its own, so that it neither fails nor commits with
 * others. `context` is memory from malloc: the pipeline owns it and frees it after the callback.
 * While the connection is down the call fails in the next turn. */
void pipeline_call(struct pipeline *pipeline, const struct pg_statement *statement,
		   const struct pg_args *args, bool alone, pipeline_answered_fn callback,
		   void *context);
