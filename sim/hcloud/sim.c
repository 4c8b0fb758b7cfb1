#include "hcloud/sim.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/str.h"
#include "hcloud/action.h"
#include "hcloud/catalog.h"

/* Beyond 32 bits, as a client has to be ready for. */
#define FIRST_ID 4300000001LL

void sim_init(struct sim *sim, sd_event *event, const struct sim_settings *settings,
	      uint64_t clock_rate)
{
	*sim = (struct sim){
		.event = event,
		.settings = *settings,
		.next_id = FIRST_ID,
		.requests = json_array(),
	};
	vclock_init(&sim->clock, clock_wall_us(), clock_rate);
	rate_limit_init(&sim->anonymous, settings->rate_limit, vclock_now_us(&sim->clock));
	faults_init(&sim->faults);
	catalog_fill(sim);
}

static void project_free(struct project *project)
{
	for (enum kind kind = KIND_NONE + 1; kind < KIND_MAX; kind++)
		table_release(&project->tables[kind]);
	json_decref(project->ledger);
	free(project->name);
	free(project);
}

void sim_release(struct sim *sim)
{
	action_stop_all(sim);
	for (size_t i = 0; i < sim->project_count; i++)
		project_free(sim->projects[i]);
	free(sim->projects);
	for (size_t i = 0; i < sim->token_count; i++)
		free(sim->tokens[i].text);
	free(sim->tokens);
	for (enum kind kind = KIND_NONE + 1; kind < KIND_MAX; kind++)
		table_release(&sim->catalog[kind]);
	faults_release(&sim->faults);
	json_decref(sim->requests);
	*sim = (struct sim){0};
}

struct project *sim_project(struct sim *sim, const char *name)
{
	for (size_t i = 0; i < sim->project_count; i++) {
		if (str_eq(sim->projects[i]->name, name))
			return sim->projects[i];
	}
	struct project *project = xcalloc(1, sizeof(*project));
	project->name = xstrdup(name);
	project->ledger = json_array();
	rate_limit_init(&project->rate, sim->settings.rate_limit, vclock_now_us(&sim->clock));
	sim->projects =
		xreallocarray(sim->projects, sim->project_count + 1, sizeof(struct project *));
	sim->projects[sim->project_count++] = project;
	return project;
}

void sim_add_token(struct sim *sim, const char *token, const char *project)
{
	struct project *owner = sim_project(sim, project);

	sim->tokens = xreallocarray(sim->tokens, sim->token_count + 1, sizeof(struct token));
	sim->tokens[sim->token_count++] = (struct token){.text = xstrdup(token), .project = owner};
}

const struct token *sim_find_token(const struct sim *sim, const char *token)
{
	const struct token *found = NULL;
	uint8_t wanted[SHA256_BYTES];

	sha256_of(token, strlen(token), wanted);
	for (size_t i = 0; i < sim->token_count; i++) {
		uint8_t digest[SHA256_BYTES];

		sha256_of(sim->tokens[i].text, strlen(sim->tokens[i].text), digest);
		if (sha256_equal(wanted, digest))
			found = &sim->tokens[i];
	}
	return found;
}

int64_t sim_new_id(struct sim *sim)
{
	return sim->next_id++;
}

struct table *sim_table(struct sim *sim, struct project *project, enum kind kind)
{
	if (!kind_is_in_project(kind))
		return &sim->catalog[kind];
	CHECK(project != NULL);
	return &project->tables[kind];
}
