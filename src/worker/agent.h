/* How a worker conducts itself towards the fleet: it joins when its line is up, reports and claims,
 * drains and comes back as it is told, asks before it leaves, and ends when it has left, is
 * refused, or has been lost for too long. It knows nothing of the world but the line, the runs and
 * the loop that it is given: the fleet's simulation (sim/fleet) runs it as it is. */
#pragma once

#include <stdint.h>
#include <systemd/sd-event.h>

#include "base/hash.h"
#include "store/worker_link.h"
#include "worker/run.h"

struct agent;

struct agent_options {
	sd_event *event; /* borrowed, as all here */
	struct worker_link *link;
	/* But for the last three fields, which the agent fills in. */
	struct run_services services;
	size_t slots;
	const char *const *unenforced; /* the sandbox's sentences */
	uint8_t blob_key_sha256[SHA256_BYTES];
	uint64_t lost_ms_max, refused_ms_max; /* struct worker_options */
	void *context;
	void (*on_joined)(void *context, int64_t worker_id, int32_t incarnation);
	/* It has no standing any more, and has thrown all attempts away. */
	void (*on_fenced)(void *context, const char *why);
	/* There is nothing left to do; failure: NULL, or why that is so. May come again until the
	 * loop has ended. */
	void (*on_ended)(void *context, const struct error *failure);
};

struct agent *agent_new(const struct agent_options *options);
/* After the link: nothing is answered to a run that is gone. Kills what still runs. */
void agent_free(struct agent *agent);

/* What the link tells: worker_link_options. */
void agent_link_up(struct agent *agent);
void agent_link_down(struct agent *agent, const struct error *err);
void agent_woken(struct agent *agent);
void agent_beat(struct agent *agent);

/* Somebody on this machine wants it to drain, for good; asked again, to stop at once. */
void agent_stop(struct agent *agent, const char *why);
/* For who reads on: the attempts that it holds. */
const struct roster *agent_roster(const struct agent *agent);
