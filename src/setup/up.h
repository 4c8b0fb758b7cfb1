/* `rgrid up`: a whole grid on one machine, from nothing. Makes a private PostgreSQL cluster,
 * migrates it, makes a project and a key, keeps PostgreSQL, API and orchestrator running, and tells
 * how to use it. Everything lives in one data directory, in which the next `up` finds all jobs
 * again. */
#pragma once

#include <stdbool.h>

#include "base/error.h"
#include "conf/conf.h"

struct up_options {
	const struct conf *conf;
	const char *program;  /* path of rgridd, for the children */
	const char *env_file; /* written when ready, removed at the end; or NULL */
	bool verbose;	      /* the children's output also to stderr */
};

/* Returns after SIGINT or SIGTERM, when everything has ended. */
MUST_CHECK int up_run(const struct up_options *options, struct error *err);
