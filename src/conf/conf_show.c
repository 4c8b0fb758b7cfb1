#include "conf/conf.h"

#include "base/check.h"
#include "base/json.h"
#include "base/str.h"
#include "conf/table.h"

const char *conf_type_argument(enum conf_type type)
{
	switch (type) {
	case CONF_TYPE_TEXT:
	case CONF_TYPE_SECRET:
		return "TEXT";
	case CONF_TYPE_PATH:
		return "DIR";
	case CONF_TYPE_ADDRESS:
		return "ADDR:PORT";
	case CONF_TYPE_COUNT:
		return "N";
	case CONF_TYPE_BYTES:
		return "SIZE";
	case CONF_TYPE_DURATION:
		return "TIME";
	case CONF_TYPE_LEVEL:
		return "LEVEL";
	}
	UNREACHABLE();
}

void conf_environment_name(const struct conf_row *row, char *out, size_t size)
{
	(void)snprintf(out, size, "RGRID_%s", row->name);
	for (char *c = out; *c != '\0'; c++)
		if (*c == '-')
			*c = '_';
		else if (*c >= 'a' && *c <= 'z')
			*c = (char)(*c - 'a' + 'A');
}

/* Secrets are only said to be there. */
static const char *shown_text(const struct conf *conf, size_t param)
{
	const char *text = conf->values[param].text;
	if (conf_row((enum conf_param)param)->type == CONF_TYPE_SECRET && text[0] != '\0')
		return "(secret)";
	return text;
}

static void source_describe(const struct conf *conf, size_t param, struct buf *out)
{
	const struct conf_row *row = conf_row((enum conf_param)param);
	const struct conf_value *value = &conf->values[param];
	char name[64];
	switch (value->source) {
	case CONF_FROM_DEFAULT:
		buf_append_str(out, "default");
		return;
	case CONF_FROM_FILE:
		buf_appendf(out, "%s line %u", conf->file, value->line);
		return;
	case CONF_FROM_ENVIRONMENT:
		conf_environment_name(row, name, sizeof(name));
		buf_append_str(out, name);
		return;
	case CONF_FROM_OPTION:
		buf_appendf(out, "--%s", row->name);
		return;
	}
	UNREACHABLE();
}

void conf_show(const struct conf *conf, struct buf *out)
{
	buf_appendf(out, "# file: %s\n", conf->file != NULL ? conf->file : "none");
	for (size_t i = 0; i < CONF_PARAM_COUNT; i++) {
		CLEANUP(cleanup_free)
		char *setting = xasprintf("%s = %s", conf_row((enum conf_param)i)->name,
					  shown_text(conf, i));
		buf_appendf(out, "%-48s # ", setting);
		source_describe(conf, i, out);
		buf_append_char(out, '\n');
	}
}

void conf_show_json(const struct conf *conf, struct buf *out)
{
	CLEANUP(cleanup_json) json_t *all = json_object();
	for (size_t i = 0; i < CONF_PARAM_COUNT; i++) {
		CLEANUP(cleanup_buf) struct buf source;
		buf_init(&source, 8 * KIB);
		source_describe(conf, i, &source);
		json_object_set_new(all, conf_row((enum conf_param)i)->name,
				    json_pack("{s:s, s:s}", "value", shown_text(conf, i), "source",
					      source.data));
	}
	CLEANUP(cleanup_free) char *text = json_to_text(all);
	buf_append_str(out, text);
	buf_append_char(out, '\n');
}

void conf_sample(struct buf *out)
{
	buf_append_str(
		out, "# Configuration of RGrid. Options of the command line and RGRID_* variables\n"
		     "# of the environment come before what is set here.\n");
	for (size_t i = 0; i < CONF_PARAM_COUNT; i++) {
		const struct conf_row *row = conf_row((enum conf_param)i);
		buf_appendf(out, "\n# %s.\n#%s =%s%s\n", row->doc, row->name,
			    row->default_text == NULL || row->default_text[0] == '\0' ? "" : " ",
			    row->default_text == NULL ? "" : row->default_text);
	}
}

static void bounds_describe(const struct conf_row *row, struct buf *out)
{
	char low[32];
	char high[32];
	if (row->type == CONF_TYPE_COUNT)
		buf_appendf(out, " (%llu to %llu)", (unsigned long long)row->min,
			    (unsigned long long)row->max);
	if (row->type == CONF_TYPE_BYTES)
		buf_appendf(out, " (%s to %s)", format_bytes(row->min, low, sizeof(low)),
			    format_bytes(row->max, high, sizeof(high)));
	if (row->type == CONF_TYPE_DURATION)
		buf_appendf(out, " (%s to %s)", format_duration(row->min, low, sizeof(low)),
			    format_duration(row->max, high, sizeof(high)));
}

void conf_markdown(struct buf *out)
{
	buf_append_str(out, "| Parameter | Value | Default | Meaning |\n|---|---|---|---|\n");
	for (size_t i = 0; i < CONF_PARAM_COUNT; i++) {
		const struct conf_row *row = conf_row((enum conf_param)i);
		buf_appendf(out, "| `%s` | %s", row->name, conf_type_argument(row->type));
		bounds_describe(row, out);
		if (row->default_text == NULL)
			buf_append_str(out, " | see text");
		else if (row->default_text[0] == '\0')
			buf_append_str(out, " | empty");
		else
			buf_appendf(out, " | `%s`", row->default_text);
		buf_appendf(out, " | %s |\n", row->doc);
	}
}
