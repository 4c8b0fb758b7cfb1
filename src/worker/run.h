/* One attempt of one job on this worker, from its claim to the word that its end is recorded:
 *
 *	WAITING → STAGING → RUNNING → COLLECTING → REPORTING → OVER
 *
 * WAITING needs a slot; STAGING, RUNNING and COLLECTING hold one; REPORTING holds none. An attempt
 * refused before it starts goes straight to REPORTING; one whose lease is lost is DISCARDED: its
 * process is killed, nothing is reported, then it is OVER.
 *
 * The worker moves it on (start, cancel, discard) and is told of every change by on_change; it
 *frees a run only when it is OVER, which waits for all answers of the link that would come to it.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <systemd/sd-event.h>

#include "sandbox/sandbox.h"
#include "store/worker_link.h"
#include "worker/cache.h"
#include "worker/transfer.h"

enum run_state {
	RUN_WAITING = 1,
	RUN_STAGING,
	RUN_RUNNING,
	RUN_COLLECTING,
	RUN_REPORTING,
	RUN_DISCARDED,
	RUN_OVER,
};

#define RUN_NO_SLOT SIZE_MAX

/* What all runs share; borrowed, outlives them. */
struct run_services {
	sd_event *event;
	struct sandbox *sandbox;
	struct worker_link *link;
	struct cache *cache;
	struct transfers *transfers;
	int spool_fd; /* directory for nameless files */
	const char *worker_name;
	const char *unenforced; /* names joined by ',' */
	void *context;
	void (*on_change)(void *context);
	/* A call of a run failed: the worker fences itself if it must, else has all runs resend. */
	void (*on_link_error)(void *context, const struct error *err);
};

struct run;

struct run *run_new(const struct run_services *services, const struct worker_claim *claim);
/* At any time: a process still there is killed first and waited for. */
void run_free(struct run *run);

enum run_state run_state(const struct run *run);
const struct lease_id *run_lease(const struct run *run);
size_t run_slot(const struct run *run);	     /* RUN_NO_SLOT */
uint64_t run_age_ms(const struct run *run);  /* since its claim */
uint64_t run_time_us(const struct run *run); /* of its process */

void run_start(struct run *run, size_t slot);
/* Somebody asked for it; what ended already stays ended. */
void run_cancel(struct run *run);
void run_discard(struct run *run);

/* REPORTING: sends what is left of log and artifacts. True when all of it is acknowledged or goes
 * with the group that is open now, so that the completion may follow in it. */
bool run_send_rest(struct run *run);
void run_completion(const struct run *run, struct worker_completion *ret);
/* The completion is in flight, and was answered: recorded, or to be sent again. */
void run_reporting(struct run *run);
void run_reported(struct run *run, bool recorded);
bool run_is_being_reported(const struct run *run);
/* The link is up again, or an error's backoff is over. */
void run_resend(struct run *run);
