#include "base/opts.h"

#include "base/check.h"
#include "base/str.h"

/* One pass over a command line. */
struct scan {
	const struct opt_command *command;
	int argc;
	const char **argv;
	int index;
	bool want_help;
	struct error *err;
};

void opt_list_release(struct opt_list *list)
{
	free(list->items);
	*list = (struct opt_list){0};
}

static const struct opt *find_long(const struct opt_command *command, const char *name,
				   size_t bytes)
{
	for (size_t i = 0; i < command->option_count; i++) {
		const char *candidate = command->options[i].long_name;
		if (strlen(candidate) == bytes && strncmp(candidate, name, bytes) == 0)
			return &command->options[i];
	}
	return NULL;
}

static const struct opt *find_short(const struct opt_command *command, char name)
{
	for (size_t i = 0; i < command->option_count; i++) {
		if (command->options[i].short_name == name)
			return &command->options[i];
	}
	return NULL;
}

static int unknown_long(const struct scan *scan, const char *name, size_t bytes)
{
	const struct opt_command *command = scan->command;
	CLEANUP(cleanup_free) char *word = xstrndup(name, bytes);
	CLEANUP(cleanup_free)
	const char **names = xcalloc(command->option_count + 1, sizeof(*names));
	for (size_t i = 0; i < command->option_count; i++)
		names[i] = command->options[i].long_name;
	names[command->option_count] = "help";

	error_set(scan->err, ERR_INVALID, "%s has no option --%s", command->name, word);
	const char *near = str_suggest(word, names, command->option_count + 1);
	if (near != NULL)
		return error_hint(scan->err, "did you mean --%s?", near);
	return error_hint(scan->err, "see \"%s -h\" for its options", command->name);
}

static int list_append(struct opt_list *list, const char *value, struct error *err)
{
	if (list->count == OPT_LIST_MAX)
		return error_set(err, ERR_INVALID, "given more than %d times", OPT_LIST_MAX);
	list->items = xreallocarray(list->items, list->count + 1, sizeof(*list->items));
	list->items[list->count++] = value;
	return 0;
}

static int set_value(const struct opt *option, const char *value, struct error *err)
{
	switch (option->kind) {
	case OPT_FLAG:
		*(bool *)option->target = true;
		return 0;
	case OPT_STR:
		*(const char **)option->target = value;
		return 0;
	case OPT_LIST:
		return list_append(option->target, value, err);
	case OPT_U64:
		return parse_u64(value, option->min, option->max, option->target, err);
	case OPT_BYTES:
		return parse_bytes(value, option->target, err);
	case OPT_DURATION:
		return parse_duration(value, option->target, err);
	case OPT_MILLIS:
		return parse_millis(value, option->target, err);
	}
	UNREACHABLE();
}

static int apply(const struct scan *scan, const struct opt *option, const char *value)
{
	if (set_value(option, value, scan->err) < 0)
		return error_wrap(scan->err, "--%s", option->long_name);
	return 0;
}

/* The argument after the option, which it needs. */
static int next_value(struct scan *scan, const struct opt *option, const char **ret)
{
	if (scan->index + 1 >= scan->argc) {
		error_set(scan->err, ERR_INVALID, "--%s needs a value: --%s %s", option->long_name,
			  option->long_name, option->argument);
		return -1;
	}
	*ret = scan->argv[++scan->index];
	return 0;
}

static int take_long(struct scan *scan, const char *text)
{
	const char *equals = strchr(text, '=');
	size_t bytes = equals != NULL ? (size_t)(equals - text) : strlen(text);
	const char *value = equals != NULL ? equals + 1 : NULL;

	if (bytes == 4 && strncmp(text, "help", 4) == 0 && value == NULL) {
		scan->want_help = true;
		return 0;
	}
	const struct opt *option = find_long(scan->command, text, bytes);
	if (option == NULL)
		return unknown_long(scan, text, bytes);
	if (option->kind == OPT_FLAG) {
		if (value != NULL)
			return error_set(scan->err, ERR_INVALID, "--%s takes no value",
					 option->long_name);
	} else if (value == NULL && next_value(scan, option, &value) < 0) {
		return -1;
	}
	return apply(scan, option, value);
}

/* "-abc": flags; the last may take a value, attached or as the next argument. */
static int take_short(struct scan *scan, const char *text)
{
	for (; *text != '\0'; text++) {
		const struct opt *option = find_short(scan->command, *text);
		if (option == NULL && *text == 'h') {
			scan->want_help = true;
			continue;
		}
		if (option == NULL) {
			error_set(scan->err, ERR_INVALID, "%s has no option -%c",
				  scan->command->name, *text);
			return error_hint(scan->err, "see \"%s -h\" for its options",
					  scan->command->name);
		}
		if (option->kind == OPT_FLAG) {
			if (apply(scan, option, NULL) < 0)
				return -1;
			continue;
		}
		const char *value = text + 1;
		if (*value == '\0' && next_value(scan, option, &value) < 0)
			return -1;
		return apply(scan, option, value);
	}
	return 0;
}

int opt_parse(const struct opt_command *command, int argc, const char **argv,
	      const char ***ret_positional, int *ret_count, bool *ret_help, struct error *err)
{
	struct scan scan = {.command = command, .argc = argc, .argv = argv, .err = err};
	int kept = 0; /* positional arguments are gathered at the front of argv */

	for (scan.index = 0; scan.index < argc; scan.index++) {
		const char *text = argv[scan.index];
		bool is_rest = str_eq(text, "--");
		bool is_positional = text[0] != '-' || text[1] == '\0';
		if (is_rest || (is_positional && command->stop_at_positional)) {
			for (int i = scan.index + (is_rest ? 1 : 0); i < argc; i++)
				argv[kept++] = argv[i];
			break;
		}
		if (is_positional) {
			argv[kept++] = text;
			continue;
		}
		int result =
			text[1] == '-' ? take_long(&scan, text + 2) : take_short(&scan, text + 1);
		if (result < 0)
			return -1;
	}
	if (kept < argc)
		argv[kept] = NULL; /* as argv itself ends */
	*ret_positional = argv;
	*ret_count = kept;
	*ret_help = scan.want_help;
	return 0;
}
