/* `rgrid db expose`: a Debian PostgreSQL that workers reach over the private network, and nobody
 * else from anywhere. Needs root. Without a private network the workers are named, one address
 * each: by the operator, or by the orchestrator in a file (core/address_list.h), which is believed
 * only as far as it names single public addresses.
 *
 * It is a list of steps. Each looks whether there is something to do, so that a second run changes
 * nothing, and a run that was cut off is completed by the next; after each of them PostgreSQL
 * starts and answers locally. The firewall stands before anything listens. */
#pragma once

#include <stdbool.h>

#include "base/error.h"
#include "base/opts.h"
#include "conf/conf.h"
#include "setup/db_exposure.h"
#include "setup/pg_debian.h"

#define DB_EXPOSE_IP_VARIABLE	 "RGRID_PRIVATE_DB_IP"
#define DB_EXPOSE_IP_DEFAULT	 "10.0.1.2"
#define DB_EXPOSE_SUBNET_DEFAULT "10.0.1.0/24"
#define DB_EXPOSE_DATABASE	 "rgrid"
#define DB_EXPOSE_API_PORT	 8443
#define DB_EXPOSE_CONF		 "conf.d/zz-rgrid.conf" /* beside postgresql.conf */
#define DB_EXPOSE_PUBLIC_IP	 "RGRID_PUBLIC_DB_IP"
/* Tests name a step here, after which the process kills itself; not for users. */
#define DB_EXPOSE_DIE_VARIABLE "RGRID_TEST_DIE_AFTER"

struct db_expose_options {
	const struct conf *conf;
	const char *cluster;	/* "15/main"; NULL: the only one */
	const char *database;	/* NULL: the configured one */
	const char *private_ip; /* NULL: the environment's, or the default */
	const char *subnet;	/* NULL: the default */
	const char *env_file;	/* the orchestrator's; NULL: the default */
	const char *pki_dir;	/* NULL: the default */
	const char *public_ip;	/* this server's public address; with one of: */
	struct opt_list public_workers;
	const char
		*public_workers_file; /* the orchestrator's list; the address may be in env_file */
	bool rotate_certificate, undo, dry_run, json;
};

/* ERR_CONFLICT when the proof fails. */
MUST_CHECK int db_expose(const struct db_expose_options *options, struct error *err);

/* Where things are. */
struct db_expose_paths {
	char *conf; /* the drop-in */
	char *pem;
	char *api_pem; /* of the API's listener for workers */
	char *ca;
	char *hba;
	char *hba_backup;
};
void db_expose_paths_make(const struct pg_debian *cluster, const struct pg_in_force *in_force,
			  const char *pki_dir, struct db_expose_paths *ret);
void db_expose_paths_release(struct db_expose_paths *paths);
#define cleanup_db_expose_paths db_expose_paths_release
/* The port in RGRID_WORKER_API_URL of the orchestrator's environment file; else the default. */
uint64_t db_expose_api_port(const char *env_file);
/* The database's name as the configuration says, to be freed. */
char *db_expose_database(const struct conf *conf);
