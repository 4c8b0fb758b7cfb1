/* The fleet's decision, pure: what is seen in, what to do out. Rules are numbered rows of a table
 * (fleet_rules.c, printed as docs/fleet.md); an action carries the rule that asked for it and the
 * reason in words. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "core/fleet_plan.h"
#include "core/fleet_world.h"

struct fleet_policy {
	uint64_t min;	/* workers to keep whatever happens */
	uint64_t max;	/* servers at most, those that are going included */
	uint64_t warm;	/* idle workers to keep for jobs to come */
	uint32_t slots; /* of a new worker */

	uint64_t start_deadline_ms; /* from creation to the first heartbeat */
	uint64_t adopt_ms;     /* an intent without server is given up after this at the earliest;
				* longer     than any request to the provider may take */
	uint32_t absent_looks; /* complete listings in a row that must lack a server; at least 1 */
	uint64_t absent_ms;    /* and they lie as far apart: listings may lag */
	uint64_t young_ms;     /* nothing younger is believed gone */
	uint64_t alive_ms;     /* nor a worker that was heard of within this time */
	uint64_t orphan_ms;    /* age at which a server without a row is deleted */
	uint64_t bake_ms;      /* age at which a server is deleted of which an image was to be made;
				* longer than that ever takes */
	uint64_t
		delete_retry_ms; /* a deletion that shows no effect is asked for again after this */
	uint64_t drained_ms;	 /* an empty draining worker is left this long to leave by itself */

	uint64_t hour_ms; /* what the provider bills as one; 0: nothing is billed */
	/* An idle worker drains this long before its next hour, and is kept with less left than the
	 * other: its deletion would come too late. The least of both: fleet_hour_follow_deletions()
	 * makes them follow what deletions take. */
	uint64_t hour_margin_ms;
	uint64_t hour_late_ms;
	uint64_t pack_ms; /* a busy worker that is not needed takes no more jobs this long before
			   * its next hour; 0: never */
	uint64_t idle_min_ms; /* no worker drains as idle earlier */
	uint64_t age_max_ms;  /* a worker is replaced at this age; 0: never */
	bool can_undrain;

	uint64_t creations_max;	    /* of one tick */
	uint64_t requests_reserve;  /* of the provider's budget, kept for deletions */
	uint64_t network_limit;	    /* members of the private network; 0: no network */
	uint64_t placement_limit;   /* servers in all placement groups; 0: none are used */
	int64_t spend_limit_micros; /* of the fleet in a month; 0: none */

	uint64_t cool_sold_out_ms; /* how long a choice is left alone; up to a quarter is added */
	uint64_t cool_withdrawn_ms;
	uint64_t cool_no_start_ms;
	uint64_t cool_refused_ms;
	uint64_t quota_pause_ms;
};

/* For servers that are paid by the hour. min, max, warm and slots are left at 0, 0, 0, 1. */
void fleet_policy_default(struct fleet_policy *ret);
/* What the provider bills as an hour; all margins before its end shrink with it, but not below what
 * draining and deleting take. For a simulated provider whose clock runs fast. */
void fleet_policy_set_hour(struct fleet_policy *policy, uint64_t hour_ms);
/* For processes of this machine: no hours, no listings that lag. Exactly `workers` are kept. */
void fleet_policy_local(uint64_t workers, uint32_t slots, struct fleet_policy *ret);

/* Total: any world gives a plan. Never orders more servers than policy->max, never deletes a worker
 * that has jobs unless it is lost, never drains one below the minimum but by rules that say so.
 * Takes time that grows with the world times the logarithm of it. */
void fleet_decide(const struct fleet_world *world, const struct fleet_policy *policy,
		  struct fleet_plan *ret_plan);

struct fleet_rule_text {
	int number;
	enum fleet_action_kind kind;
	const char *name;   /* "idle-before-hour" */
	const char *reason; /* as stored with events */
	const char *detail; /* what it looks at, for the documentation */
};
/* The table's rows in the order in which they are tried; NULL after the last. */
const struct fleet_rule_text *fleet_rule_text(size_t index);
/* The tables of rules, actions and waits in Markdown: docs/fleet.md between its marks. */
void fleet_rules_document(struct buf *out);
