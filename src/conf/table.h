/* The rows of params.def as data, for the two files of this room. */
#pragma once

#include "conf/conf.h"

struct conf_row {
	const char *name;	  /* "data-dir": in the file, and with "--" as an option */
	const char *default_text; /* NULL: found out at start */
	uint64_t min;
	uint64_t max;
	enum conf_type type;
	unsigned users;
	const char *doc;
};

const struct conf_row *conf_row(enum conf_param param);
const char *conf_type_argument(enum conf_type type); /* "DIR" */
/* "RGRID_DATA_DIR" */
void conf_environment_name(const struct conf_row *row, char *out, size_t size);
