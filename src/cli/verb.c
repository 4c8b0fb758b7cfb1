#include "cli/verb.h"

#include <unistd.h>

#include "base/check.h"
#include "base/str.h"

#define HELP_BYTES_MAX (256ULL * 1024)

static const struct verb verbs[] = {
#define X(function, words, text) {.name = (words), .summary = (text), .run = verb_##function},
#define H(words, text)		 {.name = (words), .summary = (text)},
#define G(heading)		 {.summary = (heading)},
#include "cli/verbs.def"
#undef X
#undef H
#undef G
};

size_t verb_count(void)
{
	return ARRAY_SIZE(verbs);
}

const struct verb *verb_at(size_t index)
{
	CHECK(index < ARRAY_SIZE(verbs));
	return &verbs[index];
}

/* How many of argv's words spell the name; 0 if they do not. */
static int words_matched(const char *name, int argc, const char *const *argv)
{
	int words = 0;

	while (*name) {
		size_t bytes = strcspn(name, " ");

		if (words == argc || strlen(argv[words]) != bytes ||
		    memcmp(argv[words], name, bytes) != 0)
			return 0;
		words++;
		name += bytes + (name[bytes] == ' ');
	}
	return words;
}

const struct verb *verb_find(int argc, const char *const *argv, int *ret_words)
{
	const struct verb *found = NULL;
	int most = 0;

	for (size_t i = 0; i < ARRAY_SIZE(verbs); i++) {
		int words = verbs[i].name ? words_matched(verbs[i].name, argc, argv) : 0;

		if (words > most) {
			most = words;
			found = &verbs[i];
		}
	}
	*ret_words = most;
	return found;
}

const char *verb_suggest(const char *word)
{
	const char *names[ARRAY_SIZE(verbs)];
	size_t count = 0;

	for (size_t i = 0; i < ARRAY_SIZE(verbs); i++) {
		if (verbs[i].name)
			names[count++] = verbs[i].name;
	}
	return str_suggest(word, names, count);
}

bool verb_seconds(const char *first, struct buf *out)
{
	size_t bytes = strlen(first);
	bool found = false;

	for (size_t i = 0; i < ARRAY_SIZE(verbs); i++) {
		const char *name = verbs[i].name;

		if (!name || !str_has_prefix(name, first) || name[bytes] != ' ')
			continue;
		buf_appendf(out, "%s%s", found ? ", " : "", name + bytes + 1);
		found = true;
	}
	return found;
}

void verb_describe(const struct verb *verb, struct terminal *terminal,
		   void (*describe)(void *context, const struct opt_command *command),
		   void *context)
{
	struct cli_globals globals = {0};
	struct verb_call call = {
		.verb = verb,
		.globals = &globals,
		.terminal = terminal,
		.describe = describe,
		.describe_context = context,
	};
	struct error err;

	CHECK(verb->run != NULL);
	CHECK(verb->run(&call, &err) == 0);
}

static int print_help(const struct opt_command *command, struct error *err)
{
	CLEANUP(cleanup_buf) struct buf text = {0};

	buf_init(&text, HELP_BYTES_MAX);
	opt_help(command, "rgrid", &text);
	return terminal_write(STDOUT_FILENO, text.data, text.bytes, err);
}

static int refuse_count(const struct opt_command *command, const struct verb_call *call,
			struct error *err)
{
	if (call->positional_count == 0)
		error_set(err, ERR_INVALID, "rgrid %s needs an argument", command->name);
	else
		error_set(err, ERR_INVALID,
			  "rgrid %s takes fewer arguments; \"%s\" is one too many", command->name,
			  call->positional[call->positional_count - 1]);
	return error_hint(err, "usage: rgrid %s %s", command->name, command->synopsis);
}

int verb_parse(struct verb_call *call, struct opt_command *command, int positional_min,
	       int positional_max, struct error *err)
{
	bool help = false;

	command->name = call->verb->name;
	command->summary = call->verb->summary;
	if (call->describe) {
		call->describe(call->describe_context, command);
		return 0;
	}
	if (opt_parse(command, call->argc, call->argv, &call->positional, &call->positional_count,
		      &help, err) != 0) {
		if (!err->hint[0])
			error_hint(err, "see: rgrid help %s", command->name);
		return -1;
	}
	if (help)
		return print_help(command, err);
	if (call->positional_count < positional_min || call->positional_count > positional_max)
		return refuse_count(command, call, err);
	return 1;
}
