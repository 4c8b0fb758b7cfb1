/* Verbs: what a user can ask of rgrid. One table (verbs.def) says who serves a verb: a function
 * here, or the rgridd beside this executable. A verb's function declares its options as a table of
 * locals and calls verb_parse; asked to describe itself (help, manual page, completion) it gets no
 * further. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/opts.h"
#include "cli/terminal.h"

struct verb_call;

/* The exit code, or -1 with err filled. */
typedef int verb_function(struct verb_call *call, struct error *err);

struct verb {
	const char *name; /* "batch list"; NULL for the heading of a group */
	const char *summary;
	verb_function *run; /* NULL: handed to rgridd */
};

/* Options that come before the verb. */
struct cli_globals {
	const char *url;
	bool no_colour;
};

struct verb_call {
	const struct verb *verb;
	const struct cli_globals *globals;
	struct terminal *terminal;
	int argc; /* without the verb */
	const char **argv;
	const char **positional; /* after verb_parse */
	int positional_count;
	/* Set when only the description is wanted. */
	void (*describe)(void *context, const struct opt_command *command);
	void *describe_context;
};

#define X(name, words, summary) verb_function verb_##name;
#define H(words, summary)
#define G(heading)
#include "cli/verbs.def"
#undef X
#undef H
#undef G

size_t verb_count(void);
const struct verb *verb_at(size_t index);
/* The verb that argv begins with ("batch list" before "batch"), and how many words it took. */
const struct verb *verb_find(int argc, const char *const *argv, int *ret_words);
/* The verb nearest to a mistyped word, or NULL. */
const char *verb_suggest(const char *word);
/* Appends "list, status" for "batch"; false if no verb of two words begins so. */
bool verb_seconds(const char *first, struct buf *out);
/* Calls `describe` with the declaration of a verb that is served here. */
void verb_describe(const struct verb *verb, struct terminal *terminal,
		   void (*describe)(void *context, const struct opt_command *command),
		   void *context);

/* 1: go on, options and call->positional are set. 0: nothing left to do (help was printed, or the
 * verb described). -1: err. name and summary of the command come from the table. */
MUST_CHECK int verb_parse(struct verb_call *call, struct opt_command *command, int positional_min,
			  int positional_max, struct error *err);
