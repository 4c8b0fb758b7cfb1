/* What a new worker's machine is told: a cloud-config for cloud-init (Debian 12, Ubuntu 24.04) that
 * writes the grid's CA, two environment files, a script that finds the private network and fetches
 * the worker, and systemd units (packaging/worker). No package is installed on the way.
 *
 * Any process of the machine can read it, for as long as the machine lives: what is secret in it
 * (login, bundle token) is good until the worker has enrolled, and no longer. Pure: same input,
 * same bytes. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

#define USER_DATA_BYTES_MAX ((size_t)32 * 1024) /* the provider's */

struct user_data {
	/* No worker: an image is to be made of the machine, which fetches the programs, forgets
	 * everything else and powers itself off. Without login, slots, lost_ms_max. */
	bool is_builder;
	const char *worker_name;
	uint32_t slots;
	const char *api_url; /* of the workers' listener: "https://10.0.1.2:8443" */
	const char *ca_pem;
	const char *login;	   /* the first one, a connection string */
	const char *database_host; /* an IPv4 address; the private interface leads to it */
	const char *bundle_sha256; /* 64 hexadecimal digits */
	const char *bundle_token;
	const char
		*gateway; /* first address of the private network's range; NULL: no such network */
	bool needs_way_out;   /* private only: default route via the gateway, and … */
	const char *dns;      /* … these servers, blanks between; NULL: leave as it is */
	uint64_t start_ms;    /* without having joined by then, the machine powers itself off */
	uint64_t lost_ms_max; /* without the grid for so long, the same */
};

/* *ret is to be freed. ERR_INVALID: a value that cannot stand in a line of an environment file, a
 * digest or token that is none; ERR_TOO_LARGE. */
MUST_CHECK int user_data_build(const struct user_data *data, char **ret, struct error *err);
