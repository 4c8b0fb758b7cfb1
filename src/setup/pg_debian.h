/* A PostgreSQL cluster as Debian keeps it: configuration in /etc/postgresql/VERSION/NAME, found and
 * restarted with Debian's own programs (pg_lsclusters, pg_ctlcluster), asked through its socket as
 * the user that it belongs to. Needs root. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"
#include "store/pg.h"

struct pg_debian {
	char *version, *name;
	char *config; /* "/etc/postgresql/15/main" */
	char *data;
	char *socket; /* its directory */
	uint64_t port;
	uid_t uid; /* whose it is */
	gid_t gid;
	char *user;
};

/* `wanted` is "VERSION/NAME", or NULL for the only one there is. ERR_NOT_FOUND lists them;
 * ERR_UNAVAILABLE when it does not run. */
MUST_CHECK int pg_debian_find(const char *wanted, struct pg_debian *ret, struct error *err);
void pg_debian_release(struct pg_debian *cluster);
#define cleanup_pg_debian pg_debian_release

/* Another cluster of this machine that runs and has the file in its directory of configuration, as
 * "VERSION/NAME", to be freed; NULL: none. */
MUST_CHECK int pg_debian_other_with(const struct pg_debian *cluster, const char *file,
				    char **ret_name, struct error *err);

/* A connection as its superuser, which is to be used at once: once lost it cannot be reopened. */
MUST_CHECK int pg_debian_connect(const struct pg_debian *cluster, struct pg **ret,
				 struct error *err);

/* As above, to another database than "postgres". */
MUST_CHECK int pg_debian_connect_to(const struct pg_debian *cluster, const char *database,
				    struct pg **ret, struct error *err);
/* migrate_run as its superuser. */
MUST_CHECK int pg_debian_migrate(const struct pg_debian *cluster, const char *database,
				 struct error *err);

/* What is in force. */
struct pg_in_force {
	char *listen_addresses, *listen_source;
	bool ssl, listen_pending; /* a restart would change listen_addresses */
	char *cert_file, *key_file, *ssl_min, *password_encryption, *hba_file;
	int64_t version_num, load_wall_us;
	bool database_exists;
};
MUST_CHECK int pg_debian_in_force(const struct pg_debian *cluster, const char *database,
				  struct pg_in_force *ret, struct error *err);
void pg_in_force_release(struct pg_in_force *in_force);
#define cleanup_pg_in_force pg_in_force_release

/* ERR_CONFLICT with line and reason when PostgreSQL would not take pg_hba.conf as it is on disk. */
MUST_CHECK int pg_debian_hba_check(const struct pg_debian *cluster, struct error *err);
/* ERR_CONFLICT with file and line when PostgreSQL would not take its configuration files as they
 * are on disk: a restart would end it. with_restart: also when a restart would make a setting live
 * that is not ours, which may be one that it cannot start with. */
MUST_CHECK int pg_debian_conf_check(const struct pg_debian *cluster, bool with_restart,
				    struct error *err);
/* ERR_CONFLICT when the file is not among those that PostgreSQL reads, or one that it reads later
 * says something else. */
MUST_CHECK int pg_debian_conf_obeyed(const struct pg_debian *cluster, const char *path,
				     struct error *err);
/* Returns when the configuration has been read again. Connections stay. */
MUST_CHECK int pg_debian_reload(const struct pg_debian *cluster, struct error *err);
/* Connections end. */
MUST_CHECK int pg_debian_restart(const struct pg_debian *cluster, struct error *err);

/* Runs a program as root, waits; ERR_INTERNAL with its last words when it fails. */
MUST_CHECK int pg_debian_command(const char *const *argv, struct error *err);
