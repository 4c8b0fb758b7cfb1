#include "hcloud/resources.h"

#include "base/cleanup.h"
#include "hcloud/action.h"
#include "hcloud/action_routes.h"
#include "hcloud/ssh_key.h"

static const struct route *const tables[] = {
	action_routes,
	ssh_key_routes,
};

/* Kinds whose view is more than doc_public. */
static json_t *(*const views[KIND_MAX])(struct sim *sim, struct project *project,
					const json_t *doc) = {
	[KIND_ACTION] = action_view,
};

const struct route *resource_routes(size_t index)
{
	return index < ARRAY_SIZE(tables) ? tables[index] : NULL;
}

json_t *resource_view(struct sim *sim, struct project *project, enum kind kind, const json_t *doc)
{
	return views[kind] ? views[kind](sim, project, doc) : doc_public(doc);
}
