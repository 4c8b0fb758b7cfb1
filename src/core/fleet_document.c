#include "base/cleanup.h"
#include "core/fleet.h"

struct word {
	const char *name;
	const char *meaning;
};

static const struct word actions[] = {
#define X(NAME, name, meaning) {(name), (meaning)},
	FLEET_ACTIONS(X)
#undef X
};

static const struct word waits[] = {
#define X(NAME, name, next) {(name), (next)},
	FLEET_WAITS(X)
#undef X
};

void fleet_rules_document(struct buf *out)
{
	const struct fleet_rule_text *rule = NULL;

	buf_append_str(out, "### Rules, in the order in which they are tried\n"
			    "| Rule | Name | Action | Reason, as stored with the event | When |\n"
			    "|---|---|---|---|---|\n");
	for (size_t i = 0; (rule = fleet_rule_text(i)) != NULL; i++)
		buf_appendf(out, "| %d | %s | %s | %s | %s |\n", rule->number, rule->name,
			    fleet_action_kind_name(rule->kind), rule->reason, rule->detail);
	buf_append_str(out, "\n### Actions\n| Action | What it does |\n|---|---|\n");
	for (size_t i = 0; i < ARRAY_SIZE(actions); i++)
		buf_appendf(out, "| %s | %s |\n", actions[i].name, actions[i].meaning);
	buf_append_str(out, "\n### Why a job waits\n| Reason | What happens next |\n|---|---|\n");
	for (size_t i = 0; i < ARRAY_SIZE(waits); i++)
		buf_appendf(out, "| %s | %s |\n", waits[i].name, waits[i].meaning);
}
