#include "hcloud/action.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/str.h"
#include "hcloud/call.h"
#include "hcloud/effects.h"
#include "hcloud/settle.h"

#define ACTIONS_KEPT_MAX 20000
#define ASK_AGAIN_MS	 50

struct running_action {
	struct project *project;
	json_t *doc;	 /* borrowed from the project's table */
	uint64_t due_ms; /* CLOCK_BOOTTIME; 0 while another has to end before */
};

static const struct command {
	const char *name;
	uint64_t fast_ms;
	uint64_t realistic_ms;
	int (*effect)(const struct action_run *run);
} commands[] = {
#define X(name, fast_ms, realistic_ms, effect) {#name, fast_ms, realistic_ms, effect},
#include "hcloud/commands.def"
#undef X
};

static const struct command *command_find(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
		if (str_eq(commands[i].name, name))
			return &commands[i];
	}
	UNREACHABLE();
}

int action_no_effect(const struct action_run *run)
{
	(void)run;
	return 0;
}

int64_t action_resource_id(const json_t *action, enum kind kind)
{
	const json_t *resources = json_object_get(action, "resources");

	for (size_t i = 0; i < json_array_size(resources); i++) {
		const json_t *resource = json_array_get(resources, i);

		if (str_eq(doc_str(resource, "type"), kind_singular(kind)))
			return doc_id(resource);
	}
	return 0;
}

json_t *action_target(const struct action_run *run, enum kind kind)
{
	return table_find(sim_table(run->sim, run->project, kind),
			  action_resource_id(run->action, kind));
}

static uint64_t duration_ms(const struct sim *sim, const struct command *command)
{
	switch (sim->settings.action_speed) {
	case ACTIONS_FAST:
		return command->fast_ms;
	case ACTIONS_REALISTIC:
		return command->realistic_ms;
	case ACTIONS_FIXED:
		return sim->settings.action_ms;
	}
	UNREACHABLE();
}

static int on_timer(sd_event_source *source, uint64_t usec, void *context)
{
	(void)source;
	(void)usec;
	action_run_due(context);
	return 0;
}

/* Sets the timer to the action that is due first. */
static void arm(struct sim *sim)
{
	uint64_t first_ms = UINT64_MAX;

	for (size_t i = 0; i < sim->running_count; i++) {
		if (sim->running[i].due_ms > 0 && sim->running[i].due_ms < first_ms)
			first_ms = sim->running[i].due_ms;
	}
	if (!sim->event || first_ms == UINT64_MAX)
		return;
	if (!sim->action_timer)
		CHECK(sd_event_add_time(sim->event, &sim->action_timer, CLOCK_BOOTTIME,
					first_ms * 1000, 1, on_timer, sim) >= 0);
	CHECK(sd_event_source_set_time(sim->action_timer, first_ms * 1000) >= 0);
	CHECK(sd_event_source_set_enabled(sim->action_timer, SD_EVENT_ONESHOT) >= 0);
}

static void append(struct sim *sim, const struct running_action *item)
{
	sim->running =
		xreallocarray(sim->running, sim->running_count + 1, sizeof(struct running_action));
	sim->running[sim->running_count++] = *item;
}

static void track(struct sim *sim, struct project *project, json_t *doc, bool waits)
{
	uint64_t now_ms = clock_boottime_ms();

	append(sim, &(const struct running_action){
			    .project = project,
			    .doc = doc,
			    .due_ms = waits ? 0 : now_ms + (uint64_t)doc_int(doc, "_ms"),
		    });
	doc_set_int(doc, "_begun_ms", (json_int_t)now_ms);
}

/* The name of the server that it is about, which faults may ask for; "" for none. */
static const char *server_name(const struct project *project, const json_t *action)
{
	const json_t *server =
		table_find(&project->tables[KIND_SERVER], action_resource_id(action, KIND_SERVER));

	return server ? doc_str(server, "name") : "";
}

static void apply_fault(struct sim *sim, struct project *project, json_t *doc)
{
	const json_t *fault = faults_strike(&sim->faults, FAULT_ACTION,
					    (const struct fault_subject[]){
						    {"command", doc_str(doc, "command")},
						    {"server", server_name(project, doc)},
						    {NULL, NULL},
					    });

	if (!fault)
		return;
	doc_set_int(doc, "_ms", fault_int(fault, "ms", doc_int(doc, "_ms")));
	if (fault_str(fault, "error", NULL)) {
		doc_set_str(doc, "_error", fault_str(fault, "error", NULL));
		doc_set_str(doc, "_message", fault_str(fault, "message", "Action failed"));
		doc_set_bool(doc, "_effect", fault_int(fault, "effect", 0) != 0);
		doc_set_bool(doc, "_vanish", fault_int(fault, "vanish", 0) != 0);
	}
}

/* The oldest finished ones are forgotten. */
static void trim(struct table *actions)
{
	while (actions->count > ACTIONS_KEPT_MAX &&
	       !str_eq(doc_str(actions->docs[0], "status"), "running"))
		table_remove(actions, doc_id(actions->docs[0]));
}

static const json_t *find_running(const struct project *project, int64_t id)
{
	const json_t *action = table_find(&project->tables[KIND_ACTION], id);

	return action && str_eq(doc_str(action, "status"), "running") ? action : NULL;
}

json_t *action_begin(struct sim *sim, struct project *project, const struct action_request *request)
{
	const struct command *command = command_find(request->command);
	uint64_t ms = duration_ms(sim, command) + request->extra_ms;
	char now[VCLOCK_TEXT_BYTES];
	json_t *resources = json_array();

	for (size_t i = 0; i < ACTION_RESOURCES_MAX && request->resources[i].kind != KIND_NONE; i++)
		(void)json_array_append_new(resources,
					    json_pack("{s:I,s:s}", "id",
						      (json_int_t)request->resources[i].id, "type",
						      kind_singular(request->resources[i].kind)));
	json_t *doc = json_pack("{s:I,s:s,s:s,s:i,s:s,s:n,s:o,s:n,s:I,s:o,s:I}", "id",
				(json_int_t)sim_new_id(sim), "command", command->name, "status",
				"running", "progress", 0, "started",
				vclock_format(vclock_now_us(&sim->clock), now), "finished",
				"resources", resources, "error", "_ms", (json_int_t)ms, "_args",
				request->args ? request->args : json_object(), "_after",
				(json_int_t)request->after);
	CHECK(doc != NULL);
	apply_fault(sim, project, doc);
	trim(&project->tables[KIND_ACTION]);
	table_add(&project->tables[KIND_ACTION], doc);
	track(sim, project, doc, find_running(project, request->after) != NULL);
	arm(sim);
	return doc;
}

json_t *action_view(struct sim *sim, struct project *project, const json_t *action)
{
	json_t *view = doc_public(action);

	(void)sim;
	(void)project;
	if (str_eq(doc_str(action, "status"), "running")) {
		uint64_t now_ms = clock_boottime_ms();
		uint64_t begun_ms = (uint64_t)doc_int(action, "_begun_ms");
		uint64_t whole_ms = (uint64_t)doc_int(action, "_ms");
		uint64_t percent = whole_ms ? (now_ms - begun_ms) * 100 / whole_ms : 0;

		doc_set_int(view, "progress", percent < 99 ? (json_int_t)percent : 99);
	}
	return view;
}

bool action_is_running_on(const struct sim *sim, const struct project *project, enum kind kind,
			  int64_t id)
{
	for (size_t i = 0; i < sim->running_count; i++) {
		if (sim->running[i].project == project &&
		    action_resource_id(sim->running[i].doc, kind) == id)
			return true;
	}
	return false;
}

bool action_is_changing(const struct sim *sim, const struct project *project, enum kind kind,
			int64_t id)
{
	for (size_t i = 0; i < sim->running_count; i++) {
		const json_t *resources = json_object_get(sim->running[i].doc, "resources");
		const json_t *first = json_array_get(resources, 0);

		if (sim->running[i].project == project && doc_id(first) == id &&
		    str_eq(doc_str(first, "type"), kind_singular(kind)))
			return true;
	}
	return false;
}

int action_reply(struct call *call, const json_t *action)
{
	return call_reply(
		call, 201,
		json_pack("{s:o}", "action", action_view(call->sim, call->project, action)));
}

/* Runs the effect and says how the action ended; false when it has not. */
static bool finish(struct sim *sim, struct project *project, json_t *doc, bool is_cancelled)
{
	struct problem problem = {.code = PROBLEM_NONE};
	const char *error = doc_str(doc, "_error");
	const char *message = doc_str(doc, "_message");
	bool has_happened = false;
	char now[VCLOCK_TEXT_BYTES];
	struct action_run run = {
		.sim = sim,
		.project = project,
		.action = doc,
		.args = json_object_get(doc, "_args"),
		.problem = &problem,
	};

	if (is_cancelled) {
		error = problem_code_name(PROBLEM_ACTION_FAILED);
		message = "Action failed";
	} else if (!error || doc_bool(doc, "_effect")) {
		int result = command_find(doc_str(doc, "command"))->effect(&run);

		if (result > 0)
			return false;
		has_happened = result == 0;
		if (result < 0 && !error) {
			error = problem_code_name(problem.code);
			message = problem.message;
		}
	}
	doc_set_str(doc, "status", error ? "error" : "success");
	doc_set_int(doc, "progress", 100);
	doc_set_str(doc, "finished", vclock_format(vclock_now_us(&sim->clock), now));
	if (error) {
		doc_set(doc, "error",
			json_pack("{s:s,s:s}", "code", error, "message", message ? message : ""));
		if (!has_happened || doc_bool(doc, "_vanish"))
			server_action_failed(&run);
	}
	return true;
}

/* Those that waited for it start, or fail with it. */
static void release_followers(struct sim *sim, const struct project *project,
			      const json_t *finished)
{
	bool failed = str_eq(doc_str(finished, "status"), "error");
	uint64_t now_ms = clock_boottime_ms();

	for (size_t i = 0; i < sim->running_count; i++) {
		struct running_action *item = &sim->running[i];

		if (item->project != project || item->due_ms > 0 ||
		    doc_int(item->doc, "_after") != doc_id(finished))
			continue;
		doc_set_bool(item->doc, "_cancelled", failed);
		doc_set_int(item->doc, "_begun_ms", (json_int_t)now_ms);
		item->due_ms = failed ? now_ms : now_ms + (uint64_t)doc_int(item->doc, "_ms");
	}
}

/* The due action that is due first, taken off the list. False when none is. */
static bool take_due(struct sim *sim, struct running_action *ret)
{
	size_t first = SIZE_MAX;

	for (size_t i = 0; i < sim->running_count; i++) {
		uint64_t due_ms = sim->running[i].due_ms;

		if (due_ms > 0 && due_ms <= clock_boottime_ms() &&
		    (first == SIZE_MAX || due_ms < sim->running[first].due_ms))
			first = i;
	}
	if (first == SIZE_MAX)
		return false;
	*ret = sim->running[first];
	sim->running_count--;
	memmove(&sim->running[first], &sim->running[first + 1],
		(sim->running_count - first) * sizeof(sim->running[0]));
	return true;
}

void action_run_due(struct sim *sim)
{
	struct running_action due;
	bool has_changed = false;

	while (take_due(sim, &due)) {
		if (!finish(sim, due.project, due.doc, doc_bool(due.doc, "_cancelled"))) {
			due.due_ms = clock_boottime_ms() + ASK_AGAIN_MS;
			append(sim, &due);
			continue;
		}
		release_followers(sim, due.project, due.doc);
		has_changed = true;
	}
	if (has_changed)
		settle(sim);
	arm(sim);
}

void action_resume_all(struct sim *sim)
{
	for (size_t i = 0; i < sim->project_count; i++) {
		struct project *project = sim->projects[i];
		struct table *actions = &project->tables[KIND_ACTION];

		for (size_t j = 0; j < actions->count; j++) {
			json_t *doc = actions->docs[j];

			if (str_eq(doc_str(doc, "status"), "running"))
				track(sim, project, doc,
				      find_running(project, doc_int(doc, "_after")) != NULL);
		}
	}
	arm(sim);
}

void action_stop_all(struct sim *sim)
{
	free(sim->running);
	sim->running = NULL;
	sim->running_count = 0;
	sim->action_timer = sd_event_source_unref(sim->action_timer);
}
