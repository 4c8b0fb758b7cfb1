#include "hcloud/state_file.h"

#include <fcntl.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/fs.h"
#include "base/json.h"
#include "base/log.h"
#include "base/str.h"
#include "hcloud/action.h"

#define VERSION	       1
#define BYTES_MAX      (256ULL * 1024 * 1024)
#define FILE_MODE      0600
#define NOT_A_STATE(e) error_set((e), ERR_INVALID, "it is not a state of hcloud-sim")

static json_t *project_to_json(struct project *project)
{
	json_t *tables = json_object();

	for (enum kind kind = KIND_NONE + 1; kind < KIND_MAX; kind++) {
		json_t *docs = json_array();

		for (size_t i = 0; i < project->tables[kind].count; i++)
			(void)json_array_append(docs, project->tables[kind].docs[i]);
		doc_set(tables, kind_plural(kind), docs);
	}
	return json_pack("{s:s,s:o,s:O}", "name", project->name, "tables", tables, "ledger",
			 project->ledger);
}

json_t *state_to_json(struct sim *sim)
{
	json_t *projects = json_array();
	int64_t ahead_us = vclock_now_us(&sim->clock) - clock_wall_us();

	for (size_t i = 0; i < sim->project_count; i++)
		(void)json_array_append_new(projects, project_to_json(sim->projects[i]));
	json_t *state = json_pack("{s:i,s:I,s:I,s:o}", "version", VERSION, "next_id",
				  (json_int_t)sim->next_id, "ahead_us", (json_int_t)ahead_us,
				  "projects", projects);
	CHECK(state != NULL);
	return state;
}

void state_file_save(struct sim *sim)
{
	CLEANUP(cleanup_json) json_t *state = NULL;
	CLEANUP(cleanup_free) char *text = NULL;
	struct error err;

	if (!sim->state_path)
		return;
	state = state_to_json(sim);
	text = json_to_text(state);
	if (fs_write_atomic(sim->state_path, text, strlen(text), FILE_MODE, &err) < 0)
		log_error("sim.state_not_saved", F_ERROR(&err));
}

static int load_table(struct sim *sim, struct table *table, const json_t *docs, struct error *err)
{
	for (size_t i = 0; i < json_array_size(docs); i++) {
		json_t *doc = json_array_get(docs, i);
		int64_t previous = table->count ? doc_id(table->docs[table->count - 1]) : 0;

		if (!json_is_object(doc) || doc_id(doc) <= previous || doc_id(doc) >= sim->next_id)
			return NOT_A_STATE(err);
		table_add(table, json_incref(doc));
	}
	return 0;
}

static int load_project(struct sim *sim, const json_t *json, struct error *err)
{
	const json_t *tables = json_object_get(json, "tables");

	const json_t *ledger = json_object_get(json, "ledger");

	if (!doc_str(json, "name") || !json_is_object(tables) || !json_is_array(ledger))
		return NOT_A_STATE(err);
	struct project *project = sim_project(sim, doc_str(json, "name"));
	(void)json_array_extend(project->ledger, (json_t *)(uintptr_t)ledger);
	for (enum kind kind = KIND_NONE + 1; kind < KIND_MAX; kind++) {
		const json_t *docs = json_object_get(tables, kind_plural(kind));

		if (load_table(sim, &project->tables[kind], docs, err) < 0)
			return -1;
	}
	return 0;
}

static int load(struct sim *sim, const json_t *state, struct error *err)
{
	const json_t *projects = json_object_get(state, "projects");

	if (doc_int(state, "version") != VERSION || !json_is_array(projects) ||
	    doc_int(state, "next_id") < sim->next_id)
		return NOT_A_STATE(err);
	sim->next_id = doc_int(state, "next_id");
	if (doc_int(state, "ahead_us") > 0)
		vclock_advance(&sim->clock, (uint64_t)doc_int(state, "ahead_us"));
	for (size_t i = 0; i < json_array_size(projects); i++) {
		if (load_project(sim, json_array_get(projects, i), err) < 0)
			return -1;
	}
	return 0;
}

int state_file_load(struct sim *sim, struct error *err)
{
	CLEANUP(cleanup_json) json_t *state = NULL;
	CLEANUP(cleanup_buf) struct buf text;

	buf_init(&text, BYTES_MAX);
	if (!sim->state_path || access(sim->state_path, F_OK) < 0)
		return 0;
	if (fs_read(AT_FDCWD, sim->state_path, &text, err) < 0 ||
	    json_parse(text.data, text.bytes, &state, err) < 0 || load(sim, state, err) < 0)
		return error_wrap(err, "cannot read the state %s", sim->state_path);
	action_resume_all(sim);
	return 0;
}
