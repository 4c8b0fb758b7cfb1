/* The whole of a simulated cloud: projects with their resources, tokens, the catalog that all
 * projects share, faults, running actions, the clock. One event loop, one thread. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <systemd/sd-event.h>

#include "base/error.h"
#include "hcloud/doc.h"
#include "hcloud/fault.h"
#include "hcloud/network_rules.h"
#include "hcloud/rate_limit.h"
#include "hcloud/vclock.h"

struct project {
	char *name;
	struct table tables[KIND_MAX];
	struct rate_limit rate;
	json_t *ledger; /* billing.h */
};

struct token {
	char *text;
	struct project *project;
};

enum action_speed { ACTIONS_FAST = 1, ACTIONS_REALISTIC, ACTIONS_FIXED };

/* Numbers that are chosen at the start. */
struct sim_settings {
	uint64_t rate_limit;   /* requests an hour and project */
	uint64_t server_limit; /* servers a project */
	enum action_speed action_speed;
	uint64_t action_ms; /* with ACTIONS_FIXED */
	enum ip_order ip_order;
	uint64_t billed_hour_ms; /* what is billed as an hour; 0: a real one */
};

struct running_action; /* action.c */
struct machine_backend;

struct sim {
	sd_event *event;
	struct sim_settings settings;
	struct vclock clock;
	int64_t next_id;
	struct project **projects;
	size_t project_count;
	struct token *tokens;
	size_t token_count;
	struct table
		catalog[KIND_MAX]; /* of kinds that are not in projects, and the system's images */
	struct rate_limit anonymous; /* for requests without a valid token */
	struct faults faults;
	struct running_action *running;
	size_t running_count;
	sd_event_source *action_timer;
	struct machine_backend *machines; /* NULL: servers are rows, power is a word */
	const char *state_path;		  /* NULL: state ends with the process */
	json_t *requests;		  /* the last ones served, for /_sim/requests */
};

void sim_init(struct sim *sim, sd_event *event, const struct sim_settings *settings,
	      uint64_t clock_rate);
void sim_release(struct sim *sim);

/* The project of that name, made if need be. */
struct project *sim_project(struct sim *sim, const char *name);
void sim_add_token(struct sim *sim, const char *token, const char *project);
/* NULL when there is none. Compares in constant time. */
const struct token *sim_find_token(const struct sim *sim, const char *token);
int64_t sim_new_id(struct sim *sim);
/* Where documents of that kind are. */
struct table *sim_table(struct sim *sim, struct project *project, enum kind kind);
