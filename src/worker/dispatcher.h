/* The worker's trade with the queue: reports attempts that ended, claims as many as it has room
 * for, starts them, and gives back what it cannot start soon. All of it goes through one kind of
 * call, the step, of which one is in flight at a time: what ends meanwhile goes with the next. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <systemd/sd-event.h>

#include "store/worker_link.h"
#include "worker/membership.h"
#include "worker/roster.h"
#include "worker/run.h"

/* Unstarted jobs are given back after this long: somebody else may be free. */
#define DISPATCHER_PREFETCH_AGE_MS 1000

struct dispatcher;

struct dispatcher_options {
	sd_event *event;
	struct worker_link *link; /* all borrowed */
	struct membership *membership;
	struct roster *roster;
	const struct run_services *services; /* on_change is called when dispatcher_turn is due */
};

struct dispatcher *dispatcher_new(const struct dispatcher_options *options);
void dispatcher_free(struct dispatcher *dispatcher);

/* Once a turn, after all that changed: starts what waits, and takes the next step if there is a
 * reason. `calm` is false while a failed call's backoff lasts: no step then. */
void dispatcher_turn(struct dispatcher *dispatcher, bool calm);
/* Ask for jobs as soon as there is room: we have just joined, or come back. */
void dispatcher_ask(struct dispatcher *dispatcher);
/* Somebody said that jobs may be waiting; he said it to many. */
void dispatcher_woken(struct dispatcher *dispatcher);
/* Claims no more, and gives back what was not started. */
void dispatcher_drain(struct dispatcher *dispatcher);
/* Claims again. */
void dispatcher_undrain(struct dispatcher *dispatcher);
bool dispatcher_is_idle(const struct dispatcher *dispatcher); /* no step is in flight */
