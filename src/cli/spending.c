#include "cli/spending.h"

#include "base/str.h"
#include "cli/api_client.h"

void spending_held(struct spending *spending, struct terminal *terminal, const char *id)
{
	if (spending->said_held)
		return;
	spending->said_held = true;
	terminal_note(
		terminal,
		"%s waits: the monthly spending limit of the project is reached; it runs when "
		"the limit is raised or a new month begins, and is not lost",
		id);
	terminal_hint(
		terminal,
		"an admin key raises it: rgrid cost limit EUROS. Who will not wait here comes "
		"back by: rgrid attach %s",
		id);
}

void spending_note(struct spending *spending, struct terminal *terminal, const json_t *answer,
		   const char *id)
{
	const char *status = api_text(answer, "limit_status");

	if (!status)
		return;
	if (str_eq(status, "held"))
		spending_held(spending, terminal, id);
	if (!str_eq(status, "warning") || spending->warned)
		return;
	spending->warned = true;
	terminal_note(terminal,
		      "warning: 80 %% of the project's monthly limit are spent; when all of it is, "
		      "new jobs wait (see: rgrid cost)");
}
