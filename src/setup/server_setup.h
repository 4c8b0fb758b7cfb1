/* `rgrid server setup`: what is left between the private network and running daemons on the control
 * server, a Debian with a PostgreSQL cluster of Debian's. Needs root.
 *
 * It is a list of steps, as `rgrid db expose` is: each looks whether there is something to do, so
 * that a second run changes nothing and a run that was cut off is completed by the next. Afterwards
 * three daemons can run as the user rgrid with nothing but these files of environment:
 *
 *	api.env           rgridd api, for users, on loopback
 *	api-workers.env   with api.env: rgridd api over TLS, for workers, at the private address
 *	orchestrator.env  rgridd orchestrator
 *	hetzner.env       with it: the provider's token, for root's eyes only
 *
 * Lines in them that are not RGrid's to write stay byte for byte. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "conf/conf.h"
#include "setup/db_expose.h"

#define SERVER_USER	    "rgrid"
#define SERVER_DATABASE	    "rgrid"
#define SERVER_STATE_DIR    "/var/lib/rgrid"
#define SERVER_ETC_DIR	    "/etc/rgrid"
#define SERVER_COMMON_ENV   SERVER_ETC_DIR "/rgrid.env" /* read by all units, if it is there */
#define SERVER_API_ENV	    SERVER_ETC_DIR "/api.env"
#define SERVER_WORKERS_ENV  SERVER_ETC_DIR "/api-workers.env"
#define SERVER_TLS_FILE	    SERVER_ETC_DIR "/pki/api.pem"
#define SERVER_WORKERS_PORT DB_EXPOSE_API_PORT

struct server_setup_options {
	const struct conf *conf;
	const char *program_directory; /* of rgridd and rgrid-worker */
	const char *cluster;	       /* "15/main"; NULL: the only one */
	const char *private_ip; /* NULL: the environment's, public or private, or the default */
	const char *env_file;	/* for users: RGRID_URL and RGRID_TOKEN; NULL: print it */
	uint64_t api_port;	/* of the API for users, on loopback; 0: as it is */
	bool dry_run, json;
};

MUST_CHECK int server_setup(const struct server_setup_options *options, struct error *err);
