/* The worker's standing in the fleet: joins, says every HEARTBEAT_MS that it lives and which
 * attempts it holds, stops those that the answers name, and fences itself: when no heartbeat has
 * got through for SELF_FENCE_MS, or the database says that this worker is gone, all its attempts
 * are thrown away before somebody else is given them, and it must join anew. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <systemd/sd-event.h>

#include "base/hash.h"
#include "store/worker_link.h"
#include "worker/roster.h"

struct membership;

struct membership_options {
	sd_event *event;
	struct worker_link *link; /* borrowed, as the roster */
	struct roster *roster;
	size_t slots;
	const char *const *unenforced; /* the sandbox's sentences; borrowed */
	uint8_t blob_key_sha256[SHA256_BYTES];
	void *context;
	void (*on_joined)(void *context, int64_t worker_id, int32_t incarnation);
	/* All attempts were thrown away. membership_join when the link is up. */
	void (*on_fenced)(void *context, const char *why);
	/* The fleet does not take this worker (any more): there is nothing left to do here. */
	void (*on_refused)(void *context, const struct error *err);
	/* With every heartbeat's answer: whether this worker is to claim no more, and leave. */
	void (*on_told)(void *context, bool drain);
	/* A call failed for another reason. */
	void (*on_error)(void *context, const struct error *err);
};

struct membership *membership_new(const struct membership_options *options);
void membership_free(struct membership *membership);

/* Between a join and the next fencing or leaving. */
bool membership_is_held(const struct membership *membership);
/* Does nothing while it is held or a join is under way. */
void membership_join(struct membership *membership);
/* At once, besides the regular ones. */
void membership_beat(struct membership *membership);
void membership_fence(struct membership *membership, const char *why);
/* Asks to leave because the fleet has drained it: the fleet may have taken that back. The standing
 * is kept, unless the answer is LEAVING_DONE. */
void membership_ask_to_leave(struct membership *membership, const char *reason,
			     worker_left_fn callback, void *context);
/* Attempts still held are tried again elsewhere. The callback may be omitted by a lost link. */
void membership_leave(struct membership *membership, const char *reason, worker_left_fn callback,
		      void *context);
