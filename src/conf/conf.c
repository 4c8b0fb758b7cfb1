#include "conf/conf.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <unistd.h>

#include "base/check.h"
#include "base/fs.h"
#include "base/str.h"
#include "conf/table.h"
#include "core/address_list.h"

#define FILE_BYTES_MAX (1 * MIB)

static const struct conf_row rows[CONF_PARAM_COUNT] = {
#define X(NAME, name_, type_, default_, min_, max_, users_, doc_) \
	[CONF_##NAME] = {.name = name_,                           \
			 .type = CONF_TYPE_##type_,               \
			 .default_text = default_,                \
			 .min = (min_),                           \
			 .max = (max_),                           \
			 .users = (users_),                       \
			 .doc = doc_},
#include "conf/params.def"
#undef X
};

const struct conf_row *conf_row(enum conf_param param)
{
	return &rows[param];
}

const char *conf_param_name(enum conf_param param)
{
	return rows[param].name;
}

void conf_param_variable(enum conf_param param, char out[CONF_VARIABLE_BYTES])
{
	conf_environment_name(&rows[param], out, CONF_VARIABLE_BYTES);
}

/* What the option's help says: the meaning, and the default where the table has one. */
static void describe(const struct conf_row *row, char out[CONF_HELP_BYTES])
{
	bool has_default = row->default_text != NULL && row->default_text[0] != '\0';
	int bytes = snprintf(out, CONF_HELP_BYTES, "%s%s%s%s", row->doc,
			     has_default ? " (default: " : "", has_default ? row->default_text : "",
			     has_default ? ")" : "");
	CHECK(bytes > 0 && bytes < CONF_HELP_BYTES);
}

size_t conf_options(enum conf_user user, struct conf_flags *flags, struct opt out[CONF_OPTIONS_MAX])
{
	size_t count = 0;
	*flags = (struct conf_flags){0};
	out[count++] = (struct opt)OPT_STR(0, "config", "FILE", &flags->file,
					   "Read the configuration from FILE", "file");
	for (size_t i = 0; i < CONF_PARAM_COUNT; i++) {
		if ((rows[i].users & (unsigned)user) == 0)
			continue;
		describe(&rows[i], flags->help[i]);
		out[count] = (struct opt)OPT_STR(
			0, rows[i].name, conf_type_argument(rows[i].type), &flags->values[i],
			flags->help[i], rows[i].type == CONF_TYPE_PATH ? "directory" : NULL);
		count++;
	}
	return count;
}

/* Checks the text of one value and turns it into a number where there is one. */
static int value_check(const struct conf_row *row, const char *text, uint64_t *ret_number,
		       struct error *err)
{
	uint64_t number = 0;
	switch (row->type) {
	case CONF_TYPE_TEXT:
	case CONF_TYPE_SECRET:
	case CONF_TYPE_PATH:
		break;
	case CONF_TYPE_ADDRESS: {
		CLEANUP(cleanup_free) char *host = NULL;
		uint16_t port = 0;
		if (conf_address_split(text, &host, &port, err) < 0)
			return -1;
		break;
	}
	case CONF_TYPE_COUNT:
		if (parse_u64(text, row->min, row->max, &number, err) < 0)
			return -1;
		break;
	case CONF_TYPE_BYTES:
		if (parse_bytes(text, &number, err) < 0)
			return -1;
		break;
	case CONF_TYPE_DURATION:
		if (parse_duration(text, &number, err) < 0)
			return -1;
		break;
	case CONF_TYPE_LEVEL: {
		enum log_level level = LOG_LEVEL_INFO;
		if (log_level_parse(text, &level, err) < 0)
			return -1;
		number = (uint64_t)level;
		break;
	}
	}
	if ((row->type == CONF_TYPE_BYTES || row->type == CONF_TYPE_DURATION) &&
	    (number < row->min || number > row->max)) {
		char low[32];
		char high[32];
		bool bytes = row->type == CONF_TYPE_BYTES;
		return error_set(err, ERR_INVALID, "\"%s\" is not between %s and %s", text,
				 bytes ? format_bytes(row->min, low, sizeof(low))
				       : format_duration(row->min, low, sizeof(low)),
				 bytes ? format_bytes(row->max, high, sizeof(high))
				       : format_duration(row->max, high, sizeof(high)));
	}
	*ret_number = number;
	return 0;
}

static void value_set(struct conf_value *value, const char *text, uint64_t number,
		      enum conf_source source, unsigned line)
{
	free(value->text);
	*value = (struct conf_value){
		.text = xstrdup(text), .number = number, .source = source, .line = line};
}

/* Makes a path absolute, so that children with another working directory mean the same. */
static char *path_absolute(const char *text)
{
	if (text[0] == '/' || text[0] == '\0')
		return xstrdup(text);
	CLEANUP(cleanup_free) char *here = getcwd(NULL, 0);
	return here == NULL ? xstrdup(text) : xasprintf("%s/%s", here, text);
}

static int value_take(struct conf *conf, size_t param, const char *text, enum conf_source source,
		      unsigned line, struct error *err)
{
	uint64_t number = 0;
	if (value_check(&rows[param], text, &number, err) < 0)
		return -1;
	CLEANUP(cleanup_free)
	char *stored = rows[param].type == CONF_TYPE_PATH ? path_absolute(text) : xstrdup(text);
	value_set(&conf->values[param], stored, number, source, line);
	return 0;
}

/* "/etc/rgrid/rgrid.conf" for root; for others below $`variable`, or below `fallback` in $HOME. */
static char *home_path(const char *for_root, const char *variable, const char *fallback,
		       const char *tail)
{
	if (geteuid() == 0)
		return xstrdup(for_root);
	const char *base = getenv(variable);
	if (base != NULL && base[0] == '/')
		return xasprintf("%s/%s", base, tail);
	const char *home = getenv("HOME");
	return xasprintf("%s/%s/%s", home != NULL && home[0] == '/' ? home : "/nonexistent",
			 fallback, tail);
}

static unsigned cpu_count(void)
{
	cpu_set_t set;
	if (sched_getaffinity(0, sizeof(set), &set) < 0)
		return 1;
	return (unsigned)CPU_COUNT(&set);
}

/* The workers of an API that listens everywhere reach it on the loopback. */
static char *default_api_url(const char *listen)
{
	if (str_has_prefix(listen, "0.0.0.0:"))
		return xasprintf("http://127.0.0.1:%s", listen + strlen("0.0.0.0:"));
	if (str_has_prefix(listen, "[::]:"))
		return xasprintf("http://[::1]:%s", listen + strlen("[::]:"));
	return xasprintf("http://%s", listen);
}

/* Rows with a default found out at start. Earlier rows have their values already. */
static char *default_found(const struct conf *conf, size_t param)
{
	if (param == CONF_DATA_DIR)
		return home_path("/var/lib/rgrid", "XDG_DATA_HOME", ".local/share", "rgrid");
	if (param == CONF_API_URL)
		return default_api_url(conf->values[CONF_LISTEN].text);
	if (param == CONF_BLOB_DIR)
		return xasprintf("%s/blobs", conf->values[CONF_DATA_DIR].text);
	if (param == CONF_WORKER_DIR)
		return xasprintf("%s/workers", conf->values[CONF_DATA_DIR].text);
	CHECK(param == CONF_SLOTS);
	return xasprintf("%u", cpu_count());
}

static int set_defaults(struct conf *conf, struct error *err)
{
	for (size_t i = 0; i < CONF_PARAM_COUNT; i++) {
		if (conf->values[i].source != 0)
			continue;
		CLEANUP(cleanup_free)
		char *text = rows[i].default_text != NULL ? xstrdup(rows[i].default_text)
							  : default_found(conf, i);
		if (value_take(conf, i, text, CONF_FROM_DEFAULT, 0, err) < 0)
			return error_wrap(err, "default of %s", rows[i].name);
	}
	return 0;
}

static char *trim(char *text)
{
	while (*text == ' ' || *text == '\t')
		text++;
	size_t bytes = strlen(text);
	while (bytes > 0 &&
	       (text[bytes - 1] == ' ' || text[bytes - 1] == '\t' || text[bytes - 1] == '\r'))
		text[--bytes] = '\0';
	return text;
}

static int param_find(const char *name, size_t *ret, struct error *err)
{
	const char *names[CONF_PARAM_COUNT];
	for (size_t i = 0; i < CONF_PARAM_COUNT; i++) {
		names[i] = rows[i].name;
		if (str_eq(name, rows[i].name)) {
			*ret = i;
			return 0;
		}
	}
	(void)error_set(err, ERR_INVALID, "there is no parameter \"%s\"", name);
	const char *near = str_suggest(name, names, CONF_PARAM_COUNT);
	return near != NULL ? error_hint(err, "did you mean %s?", near)
			    : error_hint(err, "`rgridd config sample` lists all parameters");
}

static int line_take(struct conf *conf, char *line, unsigned number, struct error *err)
{
	line = trim(line);
	if (line[0] == '\0' || line[0] == '#')
		return 0;
	char *equals = strchr(line, '=');
	if (equals == NULL)
		return error_set(err, ERR_INVALID, "\"%s\" is not of the form name = value", line);
	*equals = '\0';
	size_t param = 0;
	if (param_find(trim(line), &param, err) < 0)
		return -1;
	if (conf->values[param].source == CONF_FROM_FILE)
		return error_set(err, ERR_INVALID, "%s is set a second time (first in line %u)",
				 rows[param].name, conf->values[param].line);
	if (value_take(conf, param, trim(equals + 1), CONF_FROM_FILE, number, err) < 0)
		return error_wrap(err, "%s", rows[param].name);
	return 0;
}

static int lines_take(struct conf *conf, struct buf *text, struct error *err)
{
	if (memchr(text->data, '\0', text->bytes) != NULL)
		return error_set(err, ERR_INVALID, "%s is not a text file", conf->file);
	unsigned number = 0;
	char *rest = text->data;
	while (rest != NULL && *rest != '\0') {
		char *line = strsep(&rest, "\n");
		number++;
		if (line_take(conf, line, number, err) < 0)
			return error_wrap(err, "%s line %u", conf->file, number);
	}
	return 0;
}

static int read_file(struct conf *conf, const struct conf_flags *flags, struct error *err)
{
	const char *named = flags->file != NULL ? flags->file : getenv("RGRID_CONFIG");
	CLEANUP(cleanup_free)
	char *path = named != NULL ? path_absolute(named)
				   : home_path("/etc/rgrid/rgrid.conf", "XDG_CONFIG_HOME",
					       ".config", "rgrid/rgrid.conf");
	CLEANUP(cleanup_buf) struct buf text;
	buf_init(&text, FILE_BYTES_MAX);
	if (fs_read(AT_FDCWD, path, &text, err) < 0) {
		if (named == NULL && (err->errnum == ENOENT || err->errnum == ENOTDIR)) {
			error_clear(err);
			return 0;
		}
		return error_wrap(err, "configuration");
	}
	conf->file = TAKE_PTR(path);
	return lines_take(conf, &text, err);
}

static int read_environment(struct conf *conf, struct error *err)
{
	for (size_t i = 0; i < CONF_PARAM_COUNT; i++) {
		char name[CONF_VARIABLE_BYTES];
		conf_environment_name(&rows[i], name, sizeof(name));
		const char *text = getenv(name);
		if (text != NULL && value_take(conf, i, text, CONF_FROM_ENVIRONMENT, 0, err) < 0)
			return error_wrap(err, "environment variable %s", name);
	}
	return 0;
}

static int read_flags(struct conf *conf, const struct conf_flags *flags, struct error *err)
{
	for (size_t i = 0; i < CONF_PARAM_COUNT; i++) {
		const char *text = flags->values[i];
		if (text != NULL && value_take(conf, i, text, CONF_FROM_OPTION, 0, err) < 0)
			return error_wrap(err, "--%s", rows[i].name);
	}
	return 0;
}

int conf_load(const struct conf_flags *flags, struct conf *ret, struct error *err)
{
	CLEANUP(cleanup_conf) struct conf conf = {0};
	if (read_file(&conf, flags, err) < 0 || read_environment(&conf, err) < 0 ||
	    read_flags(&conf, flags, err) < 0 || set_defaults(&conf, err) < 0)
		return -1;
	*ret = conf;
	conf = (struct conf){0};
	return 0;
}

void conf_release(struct conf *conf)
{
	for (size_t i = 0; i < CONF_PARAM_COUNT; i++)
		free(conf->values[i].text);
	free(conf->file);
	*conf = (struct conf){0};
}

const char *conf_text(const struct conf *conf, enum conf_param param)
{
	return conf->values[param].text;
}

uint64_t conf_number(const struct conf *conf, enum conf_param param)
{
	return conf->values[param].number;
}

bool conf_is_given(const struct conf *conf, enum conf_param param)
{
	return conf->values[param].source != CONF_FROM_DEFAULT;
}

enum log_level conf_log_level(const struct conf *conf)
{
	return (enum log_level)conf->values[CONF_LOG_LEVEL].number;
}

int conf_address_split(const char *address, char **ret_host, uint16_t *ret_port, struct error *err)
{
	const char *colon = strrchr(address, ':');
	bool bracketed = address[0] == '[';
	size_t host_bytes = colon == NULL ? 0 : (size_t)(colon - address);
	bool well_formed = host_bytes > 0;
	if (well_formed && bracketed)
		well_formed = host_bytes > 2 && address[host_bytes - 1] == ']';
	if (well_formed && !bracketed)
		well_formed = memchr(address, ':', host_bytes) == NULL;
	if (!well_formed) {
		(void)error_set(err, ERR_INVALID, "\"%s\" is not an address and port", address);
		return error_hint(err,
				  "write 127.0.0.1:8000 or [::1]:8000; port 0 takes a free one");
	}
	uint64_t port = 0;
	if (parse_u64(colon + 1, 0, UINT16_MAX, &port, err) < 0)
		return error_wrap(err, "port in \"%s\"", address);
	*ret_host =
		bracketed ? xstrndup(address + 1, host_bytes - 2) : xstrndup(address, host_bytes);
	*ret_port = (uint16_t)port;
	return 0;
}
