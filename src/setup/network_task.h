/* A task on the network, done step by step: look, decide, do the first step, look again, until
 * there is nothing left to do. What a request did whose answer was lost shows in the next look;
 * what another action holds up is waited for; what fails for good is the error. */
#pragma once

#include "base/error.h"
#include "cloud/hetzner.h"
#include "core/network_plan.h"
#include "setup/network_look.h"

/* What is seen at one moment, and what is left to do. */
struct network_state {
	struct network_look look;
	const struct hetzner_server *self; /* in look */
	struct network_seen seen;
	struct network_plan plan;
};
void network_state_release(struct network_state *state);
#define cleanup_network_state network_state_release

struct network_task {
	struct hetzner *hetzner;
	const struct network_wish *wish;
	const char *server; /* --server, or NULL */
	int (*decide)(const struct network_wish *wish, const struct network_seen *seen,
		      struct network_plan *ret, struct error *err);
	/* Told when a step begins and when it shows; state is the latest. */
	void (*on_step)(void *context, const struct network_step *step, bool done,
			const struct network_state *state);
	void *context;
};

MUST_CHECK int network_task_look(const struct network_task *task, struct network_state *ret,
				 struct error *err);
/* From a state that network_task_look gave; *state is the latest afterwards, in success and in
 * failure. */
MUST_CHECK int network_task_run(const struct network_task *task, struct network_state *state,
				struct error *err);
