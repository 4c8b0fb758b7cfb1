#include <unistd.h>

#include "cli/verb.h"

int verb_version(struct verb_call *call, struct error *err)
{
	static const char plain[] = "rgrid " RGRID_VERSION "\n";
	static const char json[] = "{\"name\": \"rgrid\", \"version\": \"" RGRID_VERSION "\"}\n";
	bool as_json = false;
	const struct opt options[] = {
		OPT_FLAG(0, "json", &as_json, "Print JSON"),
	};
	struct opt_command command = {
		.synopsis = "[--json]",
		.options = options,
		.option_count = ARRAY_SIZE(options),
	};
	int parsed = verb_parse(call, &command, 0, 0, err);

	if (parsed <= 0)
		return parsed;
	return as_json ? terminal_write(STDOUT_FILENO, json, sizeof(json) - 1, err)
		       : terminal_write(STDOUT_FILENO, plain, sizeof(plain) - 1, err);
}
