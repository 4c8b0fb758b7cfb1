/* A PostgreSQL cluster that belongs to one data directory alone: reached through a unix socket
 *only, durable (fsync on), sized for one machine, with a login of its own for each part of the
 *grid.
 *
 *	postgres/         owned by the user that PostgreSQL runs as
 *	postgres/data/    the cluster; data.new while it is being made, so that a half one never
 *counts postgres/socket   the socket's directory, or a symbolic link to a short one when the path
 *is longer than the 107 bytes that a socket's address can hold secrets/pgpass    the passwords of
 *the logins, 0600, in libpq's passfile form
 *
 * The superuser that initdb makes has no password: nobody can log in as it. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/spawn.h"
#include "setup/data_dir.h"
#include "setup/pg_programs.h"

#define CLUSTER_OPERATOR     "rgrid_operator"
#define CLUSTER_API	     "rgrid_api"
#define CLUSTER_ORCHESTRATOR "rgrid_orchestrator"

struct cluster {
	struct pg_programs programs;
	char *directory;    /* <data-dir>/postgres */
	char *data;	    /* <data-dir>/postgres/data */
	char *config;	    /* <data-dir>/postgres/data/rgrid.conf */
	char *socket;	    /* <data-dir>/postgres/socket */
	char *socket_short; /* what it links to, removed at close; or NULL */
	const char *argv[8];
	char *argv_text[1];
};

/* Finds the programs, makes the cluster on first use (initdb, logins, database), writes its
 * configuration. It is then started with cluster_spawn_options. */
MUST_CHECK int cluster_open(const struct data_dir *dir, const char *bin_dir, uint64_t connections,
			    struct cluster *ret, struct error *err);
void cluster_release(struct cluster *cluster);
#define cleanup_cluster cluster_release

/* The server in the foreground; argv lives as long as *cluster. SIGINT is its fast shutdown. */
struct spawn_options cluster_spawn_options(const struct cluster *cluster);

/* Whether a server that was started earlier still holds the data directory (its supervisor was
 * killed): asks it to stop, and is to be called again until false. */
bool cluster_is_held(const struct cluster *cluster);
/* Whether it answers. */
bool cluster_is_up(const char *data_dir);

/* Connection string of a login of the cluster in `data_dir`; to be freed. ERR_NOT_FOUND when there
 * is no cluster. */
MUST_CHECK int cluster_conninfo(const char *data_dir, const char *login, char **ret,
				struct error *err);

/* Migrates it, and takes the operator's superuser rights away after the first time. */
MUST_CHECK int cluster_migrate(const char *data_dir, struct error *err);
