#include "hcloud/call.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/check.h"

void call_release(struct call *call)
{
	query_release(&call->query);
	json_decref(call->body);
	json_decref(call->reply);
	free(call->link);
	*call = (struct call){0};
}

int call_reply(struct call *call, unsigned status, json_t *body)
{
	CHECK(call->status == 0);
	CHECK(status == 204 || body != NULL);
	call->status = status;
	call->reply = body;
	return 0;
}

int call_not_found(struct call *call, enum kind kind, int64_t id)
{
	return problem_set(&call->problem, PROBLEM_NOT_FOUND, "%s with ID '%" PRId64 "' not found",
			   kind_title(kind), id);
}

json_t *call_find(struct call *call, enum kind kind, size_t index)
{
	CHECK(index < CALL_IDS_MAX);
	json_t *doc = table_find(sim_table(call->sim, call->project, kind), call->ids[index]);

	if (!doc)
		call_not_found(call, kind, call->ids[index]);
	return doc;
}

void call_fields(struct call *call, struct fields *fields)
{
	fields_init(fields, call->body, &call->problem);
}
