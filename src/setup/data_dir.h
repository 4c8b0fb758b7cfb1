/* The directory that holds all of a grid on one machine. It carries a marker file, so that a
 *mistyped
 * --data-dir never fills a directory that is somebody's; it is locked while `rgrid up` runs in it.
 *
 *	rgrid-data   marker: the layout's version
 *	lock         flock()ed by `up`; holds its pid while it runs, is empty after an orderly stop
 *	postgres/    the private cluster (cluster.h)
 *	secrets/     0700: pgpass, token
 *	blobs/  log/  workers/ */
#pragma once

#include <stdbool.h>

#include "base/error.h"

struct data_dir {
	char *path;
	int lock_fd;	     /* -1 once released */
	bool was_left_dirty; /* the `up` before this one did not get to stop in order */
};

/* Creates what is missing, checks that it is ours, takes the lock. ERR_CONFLICT when another `up`
 * holds it or the directory is something else; ERR_NO_SPACE when the disk is nearly full. */
MUST_CHECK int data_dir_open(const char *path, struct data_dir *ret, struct error *err);
/* Records the orderly stop and lets go of the lock. */
void data_dir_close(struct data_dir *dir);
void cleanup_data_dir(struct data_dir *dir); /* lets go without recording an orderly stop */

/* "<path>/<name>", to be freed. */
char *data_dir_join(const struct data_dir *dir, const char *name);
