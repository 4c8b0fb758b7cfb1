#include "hcloud/protection.h"

#include "base/check.h"
#include "hcloud/resource.h"

/* The flag as asked for, else as it is. */
static void read_flag(struct fields *fields, const char *name, const json_t *doc, json_t *args)
{
	bool value = doc_flag(doc, "protection", name);

	fields_bool(fields, name, FIELD_OPTIONAL, &value);
	doc_set_bool(args, name, value);
}

static void read_flags(struct fields *fields, enum kind kind, const json_t *doc, json_t *args)
{
	read_flag(fields, "delete", doc, args);
	if (kind != KIND_SERVER)
		return;
	read_flag(fields, "rebuild", doc, args);
	if (doc_bool(args, "delete") != doc_bool(args, "rebuild"))
		fields_fail(fields, "rebuild", "must be the same as delete");
}

int protection_change(struct call *call, enum kind kind, const json_t *doc)
{
	json_t *args = json_object();
	struct fields fields;

	call_fields(call, &fields);
	read_flags(&fields, kind, doc, args);
	if (fields_finish(&fields) < 0 || resource_check_unlocked(call, kind, doc) < 0) {
		json_decref(args);
		return -1;
	}
	return action_reply(call, action_begin(call->sim, call->project,
					       &(const struct action_request){
						       .command = "change_protection",
						       .resources = {{kind, doc_id(doc)}},
						       .args = args,
					       }));
}

int protection_effect(const struct action_run *run)
{
	const json_t *resource = json_array_get(json_object_get(run->action, "resources"), 0);
	enum kind kind = kind_parse(doc_str(resource, "type"));
	json_t *doc = table_find(sim_table(run->sim, run->project, kind), doc_id(resource));

	if (doc)
		doc_set(doc, "protection", json_deep_copy(run->args));
	return 0;
}
