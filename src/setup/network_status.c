#include "setup/doctor.h"
#include "setup/network.h"

/* What doctor checks of the network, as a verb of its own. */
int network_status(const struct network_options *options, struct error *err)
{
	static const struct check_table *const tables[] = {&doctor_network, &doctor_environment};
	struct doctor_options doctor = {
		.conf = options->conf,
		.env_file = network_env_path(options),
		.wish = options->wish,
		.server = options->server,
		.network_needed = true,
		.json = options->json,
	};

	if (network_wish_check(&options->wish, err) < 0)
		return -1;
	return doctor_run_tables(&doctor, tables, ARRAY_SIZE(tables), err);
}
