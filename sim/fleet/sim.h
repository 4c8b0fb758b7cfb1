/* One simulated run: real orchestrators (fleet_loop, fleet_decide) and modelled workers on a
 * modelled store and provider, under a virtual clock and one seed. First things go wrong, then they
 * stop going wrong, and everything has to end. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "fleet/fault_kind.h"
#include "fleet/host.h"
#include "fleet/invariant.h"
#include "fleet/model_cloud.h"
#include "fleet/model_store.h"
#include "fleet/plant.h"
#include "fleet/prng.h"
#include "fleet/timeline.h"
#include "orchestrator/fleet_loop.h"

#define SIM_ORCHESTRATORS 2
#define SIM_RULE_FIRST	  101
#define SIM_RULES_MAX	  64
#define SIM_START_US	  INT64_C(1800000000000000)
#define SIM_SECOND_US	  INT64_C(1000000)
#define SIM_MINUTE_US	  (60 * SIM_SECOND_US)

/* What may go wrong in a run, chosen by its seed; 0 or false: not in this one. Rates in permille of
 * the calls concerned. */
struct sim_faults {
	uint64_t store_before, store_after; /* errors of orchestrators' store calls */
	uint64_t crash, stall;		    /* of an orchestrator, at a port call */
	struct model_cloud_faults cloud;
	struct guest_faults hosts;
	uint64_t hints; /* of the database to workers, that are lost */
	bool outages, jumps, sell_outs, withdrawals, quotas, networks, prices, provider_outages;
	bool vanishing, host_crashes, partitions, pauses, orphans, kills, operators, cancels,
		limits, stops;
};

struct sim;

struct sim_orchestrator {
	struct sim *sim;
	size_t index;
	struct fleet_loop *loop; /* NULL while it is down */
	struct fleet_store store;
	struct fleet_cloud cloud;
	struct model_session store_session;
	struct model_cloud_session cloud_session;
	uint64_t fenced_changes; /* of the store, when the call began */
	uint64_t chain;		 /* of its step events: older ones are dropped */
	int64_t due_us;
	bool in_step;
	bool stalled;	  /* once in this step */
	int64_t stops_us; /* it shuts the grid down, and is started anew then; 0: it does not */
	bool crashed;	  /* dies when the step returns; until then no call has an effect */
};

/* What is remembered of a job, to see it change. */
struct sim_job {
	enum model_place place;
	int64_t worker_id; /* of its lease */
	uint64_t token;
	uint32_t losses; /* seen; the store's own count may be wrong */
	uint32_t rescues;
	/* A process runs for this lease though it has ended, since then. */
	uint64_t stray_token;
	int64_t unwanted_since_us; /* 0: it is wanted */
	int64_t stray_since_us;
	uint64_t held_at; /* the last look at which a worker was seen to hold its lease */
};

struct sim {
	uint64_t seed;
	struct prng prng;
	int64_t now_us;
	struct timeline timeline;
	struct model_store store;
	struct model_cloud cloud;
	struct host_world host_world;
	struct host **hosts;	       /* one for each server; NULL: nobody ordered it */
	size_t host_count, hosts_gone; /* all before are dead */
	struct fleet_policy policy;
	/* The policy's own, unless that has a planted bug. */
	uint64_t max; /* servers */
	int64_t spend_limit_micros;
	struct sim_faults faults;
	struct sim_orchestrator orchestrators[SIM_ORCHESTRATORS];
	struct fleet_listener listener;
	uint64_t last_session;
	unsigned depth; /* of stalls within events */
	bool is_calm;
	int64_t calm_us, submit_until_us, deadline_us;
	int64_t store_down_until_us, provider_away_until_us, shaken_us; /* last outage or jump */
	uint64_t jump_count;
	/* Checks */
	enum worker_state *worker_states; /* one for each row */
	size_t worker_count;
	int64_t *stray_since_us; /* one for each server: it exists without a living row; 0: no */
	size_t stray_count;
	struct sim_job *jobs;
	size_t job_count;
	uint64_t moves; /* of the queue, when it was looked at last */
	uint64_t looks;
	bool is_over;
	/* Result */
	uint64_t events;
	uint64_t hash;
	struct fault_counts struck;
	uint64_t rules[SIM_RULES_MAX]; /* how often each has asked for something, from the first */
	bool is_traced;
	enum invariant broken; /* 0: none */
	char failure[256];
};

/* Runs to the end, or to the first broken invariant. */
void sim_run(struct sim *sim, uint64_t seed, enum plant plant, bool is_traced);
void sim_release(struct sim *sim);

/* Within: */

/* Mixes what happens into the hash of the run, and prints it if the run is traced. */
void sim_note(struct sim *sim, const char *what, int64_t a, int64_t b);
/* The first one counts. */
__attribute__((format(printf, 3, 4))) void sim_fail(struct sim *sim, enum invariant broken,
						    const char *format, ...);
/* It runs, then its next event is planned. After whatever happens to it. */
void sim_run_host(struct sim *sim, size_t place);
/* Tells everybody that jobs wait; some do not hear it. */
void sim_wake_hosts(struct sim *sim);
/* Lets everything else happen until then. */
void sim_pass(struct sim *sim, int64_t until_us);

void orchestrators_init(struct sim *sim);
void orchestrators_release(struct sim *sim);
void orchestrator_step(struct sim_orchestrator *orchestrator);
/* It shuts the grid down, for that long. */
void orchestrator_stop(struct sim_orchestrator *orchestrator, int64_t us);
/* Steps the leader soon: jobs have arrived. */
void orchestrators_wake(struct sim *sim);

/* Chooses what goes wrong in this run, and the policy. */
void faults_choose(struct sim *sim);
/* One thing goes wrong. */
void faults_strike(struct sim *sim);
/* Whoever drained the worker takes it back. */
void faults_regret(struct sim *sim, size_t worker_id);
void faults_end(struct sim *sim);

/* After every event. */
void checks_run(struct sim *sim);
/* Whether all has ended that should; fails the run if something is left over. */
bool checks_are_done(struct sim *sim);
void checks_at_end(struct sim *sim);
/* The orchestrator has just changed something under its fence. */
void checks_on_changed(struct sim *sim, const struct sim_orchestrator *orchestrator);
void checks_on_created(struct sim *sim, size_t server);
void checks_on_deleting(struct sim *sim, size_t server);
