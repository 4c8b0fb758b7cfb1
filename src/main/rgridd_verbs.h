/* The verbs of rgridd as a table: what each is called, takes and does. */
#pragma once

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/opts.h"
#include "conf/conf.h"
#include "core/limits.h"
#include "orchestrator/image_bake.h"
#include "setup/db_expose.h"
#include "setup/network.h"

#define RGRIDD_PROGRAM	   "rgridd"
#define RGRIDD_OPTIONS_MAX (CONF_OPTIONS_MAX + 24)
#define RGRIDD_HELP_BYTES  (256 * KIB)

/* One call of a verb: what the command line said. */
struct rgridd_call {
	struct conf conf;
	char self[PATH_MAX]; /* this executable */
	const char **positional;
	int count;
	const char *env_file;
	const char *project;
	const char *scopes;
	uint64_t lifetime_ms;
	bool verbose;
	bool json;
	struct network_options network;	 /* of `network` and `doctor` */
	struct db_expose_options expose; /* of `db expose` */
	struct image_bake_options bake;	 /* of `image bake` */
	bool listen_inherited;
	uint64_t api_port; /* of `server setup` */
};

struct rgridd_verb {
	const char *words;
	const char *synopsis;
	const char *summary;
	enum conf_user settings; /* parameters taken as options */
	int positional_count;
	const char *options; /* keys of the verbs' own options, separated by spaces */
	int (*run)(struct rgridd_call *call, struct error *err);
	const char *description;
};

/* The table, in the order of the help. */
const struct rgridd_verb *rgridd_verbs(size_t *ret_count);
/* A call in which every option has its default. */
void rgridd_call_init(struct rgridd_call *ret);
/* Fills out with the options of the verb, whose targets point into *call and *flags; returns how
 * many. */
size_t rgridd_options(const struct rgridd_verb *verb, struct rgridd_call *call,
		      struct conf_flags *flags, struct opt out[RGRIDD_OPTIONS_MAX]);
