/* Makes a new private cluster: passwords, initdb, first logins, database. Part of cluster.c's noun,
 * in a file of its own because it happens once in a data directory's life. */
#pragma once

#include "setup/cluster.h"

/* Leaves a finished cluster in cluster->data, or nothing. */
MUST_CHECK int cluster_make(const struct data_dir *dir, const struct cluster *cluster,
			    struct error *err);
