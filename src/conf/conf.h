/* Configuration: one table of parameters (params.def), four sources, and for each value the source
 * it came from. Precedence: option on the command line, environment
 * RGRID_<NAME>, file, default.
 *
 * The file holds lines `name = value`; lines that start with '#' and empty lines are skipped. It is
 * /etc/rgrid/rgrid.conf for root, else $XDG_CONFIG_HOME/rgrid/rgrid.conf (~/.config), unless
 * --config or RGRID_CONFIG name another. A name that is not in the table is an error: a misspelt
 * setting must not pass for one that is set.
 *
 * Loaded once by main and passed down as `const struct conf *`. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/log.h"
#include "base/opts.h"
#include "core/limits.h"

enum conf_param {
#define X(NAME, name, type, default_value, min, max, users, doc) CONF_##NAME,
#include "conf/params.def"
#undef X
	CONF_PARAM_COUNT
};

enum conf_type {
	CONF_TYPE_TEXT = 1,
	CONF_TYPE_SECRET,  /* text that is never shown */
	CONF_TYPE_PATH,	   /* absolute, or made so when loaded; "" where the default is "" */
	CONF_TYPE_ADDRESS, /* "host:port", "[v6]:port" */
	CONF_TYPE_COUNT,
	CONF_TYPE_BYTES,    /* "16M" */
	CONF_TYPE_DURATION, /* "30s"; milliseconds */
	CONF_TYPE_LEVEL,    /* of the log */
};

/* Which commands take a parameter as an option. */
enum conf_user {
	CONF_UP = 1 << 0,
	CONF_API = 1 << 1,
	CONF_ORCHESTRATOR = 1 << 2,
	CONF_OPERATOR = 1 << 3,
	CONF_BUNDLE = 1 << 4,
	CONF_EVERY = (1 << 5) - 1,
};

enum conf_source { CONF_FROM_DEFAULT = 1, CONF_FROM_FILE, CONF_FROM_ENVIRONMENT, CONF_FROM_OPTION };

struct conf_value {
	char *text;	 /* as written; never NULL once loaded */
	uint64_t number; /* COUNT, BYTES, DURATION, LEVEL */
	enum conf_source source;
	unsigned line; /* in the file, from 1 */
};

struct conf {
	struct conf_value values[CONF_PARAM_COUNT];
	char *file; /* path read, or NULL when there is none */
};

#define CONF_HELP_BYTES 384

/* The options' targets while a command line is parsed; all NULL at first. */
struct conf_flags {
	const char *file; /* --config */
	const char *values[CONF_PARAM_COUNT];
	char help[CONF_PARAM_COUNT][CONF_HELP_BYTES]; /* filled by conf_options */
};

#define CONF_OPTIONS_MAX (CONF_PARAM_COUNT + 1)
/* Fills out with --config and an option for each parameter of `user`; returns how many. The targets
 * point into *flags. */
size_t conf_options(enum conf_user user, struct conf_flags *flags,
		    struct opt out[CONF_OPTIONS_MAX]);

/* ERR_INVALID names the parameter, where the bad value stands, and what would be right. */
MUST_CHECK int conf_load(const struct conf_flags *flags, struct conf *ret, struct error *err);
void conf_release(struct conf *conf);
#define cleanup_conf conf_release

const char *conf_text(const struct conf *conf, enum conf_param param);
uint64_t conf_number(const struct conf *conf, enum conf_param param);
/* Somebody has set it: the value is not the table's default. */
bool conf_is_given(const struct conf *conf, enum conf_param param);
enum log_level conf_log_level(const struct conf *conf);

/* Splits "host:port" or "[v6]:port"; *ret_host is to be freed. */
MUST_CHECK int conf_address_split(const char *address, char **ret_host, uint16_t *ret_port,
				  struct error *err);

/* What the table says, for people. */
const char *conf_param_name(enum conf_param param);
#define CONF_VARIABLE_BYTES 64
/* "RGRID_DATA_DIR" */
void conf_param_variable(enum conf_param param, char out[CONF_VARIABLE_BYTES]);
void conf_show(const struct conf *conf, struct buf *out); /* name = value  # source */
void conf_show_json(const struct conf *conf, struct buf *out);
void conf_sample(struct buf *out);   /* a file with all defaults */
void conf_markdown(struct buf *out); /* the table of docs/configuration.md */
