#include "setup/network.h"

#include <stdio.h>

#include "base/json.h"
#include "cloud/hetzner.h"
#include "setup/env_file.h"
#include "setup/network_task.h"

#define RULE "=================================================="

/* What is told while it happens, in the words of the deployment guide: operators compare them. */
struct story {
	const struct network_options *options;
	bool created;	/* the network is of this run */
	bool at_server; /* step 3 has begun: the network is as it should be */
	json_t *changes;
};

const char *network_env_path(const struct network_options *options)
{
	return options->env_file != NULL ? options->env_file : ENV_FILE_DEFAULT;
}

static json_t *step_json(const struct network_step *step)
{
	return json_pack("{s:i, s:s, s:s}", "rule", step->rule, "step",
			 network_step_name(step->kind), "reason", step->reason);
}

void network_print_plan(const struct network_options *options, const struct network_plan *plan,
			const char *env_change)
{
	if (options->json) {
		CLEANUP(cleanup_json) json_t *steps = json_array();
		for (size_t i = 0; i < plan->count; i++)
			(void)json_array_append_new(steps, step_json(&plan->steps[i]));
		CLEANUP(cleanup_json)
		json_t *all = json_pack("{s:b, s:O, s:s?}", "dry_run", 1, "steps", steps,
					"environment", env_change);
		CLEANUP(cleanup_free) char *text = json_to_text(all);
		(void)puts(text);
		return;
	}
	if (plan->count == 0 && env_change == NULL)
		(void)puts("Nothing to do.");
	for (size_t i = 0; i < plan->count; i++)
		(void)printf("would %s (rule %d): %s\n", network_step_name(plan->steps[i].kind),
			     plan->steps[i].rule, plan->steps[i].reason);
	if (env_change != NULL)
		(void)printf("would write %s\n", env_change);
}

PRINTF_FORMAT(2, 3) static void tell(const struct story *story, const char *format, ...)
{
	va_list args;

	if (story->options->json)
		return;
	va_start(args, format);
	(void)vprintf(format, args);
	va_end(args);
	(void)fflush(stdout);
}

static void tell_server(struct story *story, const struct hetzner_server *self)
{
	if (story->at_server)
		return;
	story->at_server = true;
	tell(story, "\nStep 2: Finding staging server...\n✓ Found staging server: %s (ID: %lld)\n",
	     self->name, (long long)self->id);
	tell(story, "\nStep 3: Attaching staging server to private network...\n");
}

static void tell_begin(struct story *story, const struct network_step *step,
		       const struct network_state *state)
{
	const struct network_wish *wish = &story->options->wish;

	switch (step->kind) {
	case NETWORK_CREATE:
		tell(story, "Creating network '%s'...\n", wish->name);
		return;
	case NETWORK_ADOPT:
		tell(story, "Adopting network '%s'...\n", wish->name);
		return;
	case NETWORK_DELETE_SUBNET:
		tell(story, "Deleting subnet %s, which is in another zone...\n", wish->subnet);
		return;
	case NETWORK_ADD_SUBNET:
		if (!story->created)
			tell(story, "Adding subnet %s...\n", wish->subnet);
		return;
	case NETWORK_DETACH:
		tell_server(story, state->self);
		tell(story, "Detaching server, which has the address %s...\n",
		     state->seen.attached_ip);
		return;
	case NETWORK_ATTACH:
		tell_server(story, state->self);
		return;
	case NETWORK_DELETE:
	case NETWORK_STEP_KIND_MAX:
		return;
	}
}

static void tell_done(struct story *story, const struct network_step *step,
		      const struct network_state *state)
{
	(void)json_array_append_new(story->changes, step_json(step));
	switch (step->kind) {
	case NETWORK_CREATE:
		story->created = true;
		tell(story, "✓ Network created successfully!\n  Network ID: %lld\n  IP Range: %s\n",
		     (long long)state->look.network->id, state->look.network->ip_range);
		return;
	case NETWORK_ADOPT:
		tell(story, "✓ Network adopted\n");
		return;
	case NETWORK_DELETE_SUBNET:
		tell(story, "✓ Subnet deleted\n");
		return;
	case NETWORK_ADD_SUBNET:
		if (!story->created)
			tell(story, "✓ Subnet added\n  Subnet: %s\n", story->options->wish.subnet);
		return;
	case NETWORK_DETACH:
		tell(story, "✓ Server detached\n");
		return;
	case NETWORK_ATTACH:
		tell(story, "✓ Server attached to network\n  Private IP: %s\n",
		     state->seen.attached_ip);
		return;
	case NETWORK_DELETE:
	case NETWORK_STEP_KIND_MAX:
		return;
	}
}

static void on_step(void *context, const struct network_step *step, bool done,
		    const struct network_state *state)
{
	struct story *story = context;

	if (done)
		tell_done(story, step, state);
	else
		tell_begin(story, step, state);
}

static void tell_summary(const struct story *story, const struct network_state *state)
{
	const struct hetzner_network *network = state->look.network;

	tell(story, "\n" RULE "\nSETUP COMPLETE!\n" RULE "\n");
	tell(story,
	     "\nNetwork Configuration:\n  Network ID: %lld\n  Network Name: %s\n  IP Range: %s\n"
	     "  Subnet: %s\n",
	     (long long)network->id, network->name, network->ip_range, story->options->wish.subnet);
	tell(story, "\nStaging Server:\n  Server ID: %lld\n  Server Name: %s\n  Private IP: %s\n",
	     (long long)state->self->id, state->self->name, state->seen.attached_ip);
}

static bool wants_env(const struct network_options *options)
{
	if (options->keep_env)
		return false;
	return options->write_env || options->env_file != NULL ||
	       env_file_is_writable(network_env_path(options));
}

static int write_env(const struct story *story, const struct network_state *state,
		     bool *ret_changed, struct error *err)
{
	const char *path = network_env_path(story->options);
	char id[24];

	(void)snprintf(id, sizeof(id), "%lld", (long long)state->look.network->id);
	if (!wants_env(story->options)) {
		tell(story,
		     "\nAdd to the orchestrator's environment (%s):\n  " ENV_NETWORK_ID
		     "=%s\n  " ENV_DB_IP "=%s\n",
		     path, id, state->seen.attached_ip);
		return 0;
	}
	if (env_file_set(path, id, state->seen.attached_ip, ret_changed, err) < 0) {
		(void)error_wrap(err, "the network is set up, but its values are not written");
		return error_hint(err,
				  "add " ENV_NETWORK_ID "=%s and " ENV_DB_IP
				  "=%s to the orchestrator's environment",
				  id, state->seen.attached_ip);
	}
	if (*ret_changed)
		tell(story,
		     "\nWrote " ENV_NETWORK_ID " and " ENV_DB_IP
		     " to %s.\nRestart the orchestrator: systemctl restart rgrid-orchestrator\n",
		     path);
	else
		tell(story, "\n%s has these values already.\n", path);
	return 0;
}

static void print_json(const struct story *story, const struct network_state *state, bool changed)
{
	const struct hetzner_network *network = state->look.network;
	const struct network_options *options = story->options;
	CLEANUP(cleanup_json)
	json_t *all = json_pack(
		"{s:{s:I, s:s, s:s, s:s}, s:{s:I, s:s, s:s}, s:O, s:{s:s?, s:b}}", "network", "id",
		(json_int_t)network->id, "name", network->name, "ip_range", network->ip_range,
		"subnet", options->wish.subnet, "server", "id", (json_int_t)state->self->id, "name",
		state->self->name, "private_ip", state->seen.attached_ip, "changes", story->changes,
		"environment", "file", wants_env(options) ? network_env_path(options) : NULL,
		"changed", changed);
	CLEANUP(cleanup_free) char *text = json_to_text(all);
	(void)puts(text);
}

static int run(struct story *story, const struct network_task *task, struct network_state *state,
	       struct error *err)
{
	bool changed = false;

	tell(story, "=== RGrid Private Network Setup ===\n\nStep 1: Checking for existing "
		    "network...\n");
	if (network_task_look(task, state, err) < 0)
		return -1;
	if (state->look.network != NULL)
		tell(story, "✓ Network '%s' already exists (ID: %lld)\n  IP Range: %s\n",
		     state->look.network->name, (long long)state->look.network->id,
		     state->look.network->ip_range);
	bool attached = state->seen.attached_ip[0] != '\0';
	bool at_address = attached && strcmp(state->seen.attached_ip, story->options->wish.ip) == 0;
	if (network_task_run(task, state, err) < 0)
		return -1;
	tell_server(story, state->self);
	if (at_address)
		tell(story, "✓ Server already attached to network\n  Private IP: %s\n",
		     state->seen.attached_ip);
	tell_summary(story, state);
	if (write_env(story, state, &changed, err) < 0)
		return -1;
	if (story->options->json)
		print_json(story, state, changed);
	return 0;
}

int network_setup(const struct network_options *options, struct error *err)
{
	CLEANUP(cleanup_hetzner) struct hetzner *hetzner = NULL;
	CLEANUP(cleanup_network_state) struct network_state state = {0};
	CLEANUP(cleanup_json) json_t *changes = json_array();
	struct story story = {.options = options, .changes = changes};
	struct network_task task = {.wish = &options->wish,
				    .server = options->server,
				    .decide = network_plan_setup,
				    .on_step = on_step,
				    .context = &story};

	if (network_wish_check(&options->wish, err) < 0 ||
	    hetzner_new_from_environment(&hetzner, err) < 0)
		return -1;
	task.hetzner = hetzner;
	if (!options->dry_run)
		return run(&story, &task, &state, err);
	if (network_task_look(&task, &state, err) < 0)
		return -1;
	network_print_plan(options, &state.plan,
			   wants_env(options) ? network_env_path(options) : NULL);
	return 0;
}
