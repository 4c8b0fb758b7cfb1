/* Actions: what the API does later. An action is a document of its project, running until its time
 * has come; then its effect happens and it ends as success, or as error when the effect could not
 * be, or a fault says so. One that comes `after` another starts when that has succeeded, and fails
 * with it. All that a pending effect needs is in the document ("_args"), so that it outlives a
 * restart.
 *
 * A resource with a running action is locked. */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "hcloud/problem.h"
#include "hcloud/sim.h"

struct call;

/* What an effect is called with. */
struct action_run {
	struct sim *sim;
	struct project *project;
	const json_t *action;
	const json_t *args;
	struct problem *problem;
};

/* An effect returns -1 with the problem filled when it cannot happen, and 1 when it cannot happen
 * yet: then the action goes on, and the effect is asked again soon. */
MUST_CHECK int action_no_effect(const struct action_run *run);
/* The document of the action's resource of that kind, or NULL when it is gone. */
json_t *action_target(const struct action_run *run, enum kind kind);

struct action_resource {
	enum kind kind;
	int64_t id;
};

#define ACTION_RESOURCES_MAX 4
struct action_request {
	const char *command;					/* one of commands.def */
	struct action_resource resources[ACTION_RESOURCES_MAX]; /* up to KIND_NONE */
	json_t *args;						/* taken; NULL: none */
	int64_t after;						/* 0, or another action's id */
	uint64_t extra_ms;					/* it takes so much longer */
};

/* The new action, borrowed. */
json_t *action_begin(struct sim *sim, struct project *project,
		     const struct action_request *request);
/* As the API shows it, a new reference. */
json_t *action_view(struct sim *sim, struct project *project, const json_t *action);
bool action_is_running_on(const struct sim *sim, const struct project *project, enum kind kind,
			  int64_t id);
/* Whether one runs whose first resource it is: the one that is changed, and not only involved. */
bool action_is_changing(const struct sim *sim, const struct project *project, enum kind kind,
			int64_t id);
/* Answers 201 with {"action": …}. Returns 0. */
int action_reply(struct call *call, const json_t *action);

/* The action's resource of that kind, 0 when it has none. */
int64_t action_resource_id(const json_t *action, enum kind kind);

/* After a restart: what runs goes on, with its whole time before it. */
void action_resume_all(struct sim *sim);
void action_stop_all(struct sim *sim);
/* Ends all whose time has come; the event loop calls it. */
void action_run_due(struct sim *sim);
