/* For shell tests: print_user_data LOGIN NAME API-URL GATEWAY SHA256 CA. */
#include <stdio.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "orchestrator/user_data.h"

int main(int argc, char **argv)
{
	struct error err;
	CLEANUP(cleanup_free) char *text = NULL;

	if (argc != 7)
		return 2;
	const struct user_data data = {
		.login = argv[1],
		.worker_name = argv[2],
		.slots = 2,
		.api_url = argv[3],
		.database_host = "10.0.1.2",
		.bundle_sha256 = argv[5],
		.bundle_token = "token",
		.gateway = argv[4][0] != '\0' ? argv[4] : NULL,
		.ca_pem = argv[6],
		.start_ms = 5000,
		.lost_ms_max = 1800000,
	};
	if (user_data_build(&data, &text, &err) < 0) {
		(void)fprintf(stderr, "%s\n", err.msg);
		return 1;
	}
	(void)fputs(text, stdout);
	return 0;
}
