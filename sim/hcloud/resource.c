#include "hcloud/resource.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/str.h"
#include "hcloud/action.h"
#include "hcloud/resources.h"

int resource_reply(struct call *call, unsigned status, enum kind kind, const json_t *doc)
{
	return call_reply(call, status,
			  json_pack("{s:o}", kind_singular(kind),
				    resource_view(call->sim, call->project, kind, doc)));
}

int resource_get(struct call *call, enum kind kind)
{
	const json_t *doc = call_find(call, kind, 0);

	return doc ? resource_reply(call, 200, kind, doc) : -1;
}

int resource_check_name(struct call *call, enum kind kind, const char *name, int64_t except_id)
{
	const json_t *other = table_find_name(sim_table(call->sim, call->project, kind), name);

	if (!other || doc_id(other) == except_id)
		return 0;
	return problem_named(&call->problem, PROBLEM_UNIQUENESS_ERROR, "name",
			     "%s name is already used", kind_title(kind));
}

int resource_update(struct call *call, enum kind kind)
{
	json_t *doc = call_find(call, kind, 0);
	const json_t *labels = NULL;
	const char *name = NULL;
	struct fields fields;

	if (!doc)
		return -1;
	call_fields(call, &fields);
	fields_str(&fields, "name", FIELD_OPTIONAL, RESOURCE_NAME_BYTES_MAX, &name);
	fields_labels(&fields, &labels);
	if (name && name[0] == '\0')
		fields_fail(&fields, "name", "Shorter than minimum length 1.");
	if (fields_finish(&fields) < 0)
		return -1;
	if (name && resource_check_name(call, kind, name, doc_id(doc)) < 0)
		return -1;
	if (name)
		doc_set_str(doc, "name", name);
	if (labels)
		doc_set(doc, "labels", json_deep_copy(labels));
	return resource_reply(call, 200, kind, doc);
}

json_t *resource_new(struct sim *sim, const char *name, const json_t *labels)
{
	char now[VCLOCK_TEXT_BYTES];
	int64_t now_us = vclock_now_us(&sim->clock);
	json_t *doc =
		json_pack("{s:I,s:s,s:o,s:s,s:I,s:I}", "id", (json_int_t)sim_new_id(sim), "name",
			  name, "labels", labels ? json_deep_copy(labels) : json_object(),
			  "created", vclock_format(now_us, now), "_created_us", (json_int_t)now_us,
			  "_born_ms", (json_int_t)clock_boottime_ms());

	CHECK(doc != NULL);
	return doc;
}

int resource_check_unlocked(struct call *call, enum kind kind, const json_t *doc)
{
	if (!action_is_running_on(call->sim, call->project, kind, doc_id(doc)))
		return 0;
	return problem_set(&call->problem, PROBLEM_LOCKED,
			   "cannot perform operation because resource is locked");
}

int resource_check_unprotected(struct call *call, const json_t *doc, const char *what)
{
	if (!doc_flag(doc, "protection", what))
		return 0;
	return problem_set(&call->problem, PROBLEM_PROTECTED, "%s protection is enabled", what);
}
