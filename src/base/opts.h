/* Command lines from tables: one declaration feeds the parser, -h, the man page and the shell
 * completion, so that they cannot disagree. Long options take "--name value" and "--name=value";
 * short ones may be bundled. Parsing stops at "--" and, for verbs that hand the rest to a script
 * (stop_at_positional), at the first positional argument. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"

enum opt_kind {
	OPT_FLAG = 1, /* bool */
	OPT_STR,      /* const char *, borrowed from argv */
	OPT_LIST,     /* struct opt_list, repeatable */
	OPT_U64,      /* uint64_t within [min, max] */
	OPT_BYTES,    /* uint64_t, "512M" */
	OPT_DURATION, /* uint64_t milliseconds, "1h30m" */
	OPT_MILLIS,   /* uint64_t thousandths, "0.5" */
};

#define OPT_LIST_MAX 1024
struct opt_list {
	const char **items; /* borrowed from argv; array owned, see opt_list_release */
	size_t count;
};
void opt_list_release(struct opt_list *list);
#define cleanup_opt_list opt_list_release

/* Each constructor checks the type of its target at compile time. */
struct opt {
	enum opt_kind kind;
	char short_name; /* 0: none */
	const char *long_name;
	const char *argument; /* "FILE"; NULL for flags */
	const char *help;     /* one sentence, no full stop */
	const char
		*completion; /* NULL, or "file", "directory", "runtime", "job", "batch", or words */
	uint64_t min, max;   /* OPT_U64 */
	void *target;
};

#define OPT_TARGET_(type, pointer) (1 ? (pointer) : (type *)NULL)
#define OPT_FLAG(s, l, t, h)                                                        \
	{                                                                           \
		.kind = OPT_FLAG, .short_name = (s), .long_name = (l), .help = (h), \
		.target = OPT_TARGET_(bool, t)                                      \
	}
#define OPT_VALUE_(k, type, s, l, a, t, h, c)                                                   \
	{                                                                                       \
		.kind = (k), .short_name = (s), .long_name = (l), .argument = (a), .help = (h), \
		.completion = (c), .target = OPT_TARGET_(type, t)                               \
	}
#define OPT_STR(s, l, a, t, h, c)   OPT_VALUE_(OPT_STR, const char *, s, l, a, t, h, c)
#define OPT_LIST(s, l, a, t, h, c)  OPT_VALUE_(OPT_LIST, struct opt_list, s, l, a, t, h, c)
#define OPT_BYTES(s, l, a, t, h)    OPT_VALUE_(OPT_BYTES, uint64_t, s, l, a, t, h, NULL)
#define OPT_DURATION(s, l, a, t, h) OPT_VALUE_(OPT_DURATION, uint64_t, s, l, a, t, h, NULL)
#define OPT_MILLIS(s, l, a, t, h)   OPT_VALUE_(OPT_MILLIS, uint64_t, s, l, a, t, h, NULL)
#define OPT_U64(s, l, a, t, low, high, h)                                                    \
	{                                                                                    \
		.kind = OPT_U64, .short_name = (s), .long_name = (l), .argument = (a),       \
		.help = (h), .min = (low), .max = (high), .target = OPT_TARGET_(uint64_t, t) \
	}

/* What a verb takes and says about itself. */
struct opt_command {
	const char *name;	 /* "run", "batch list" */
	const char *synopsis;	 /* "[options] SCRIPT [ARGS...]" */
	const char *summary;	 /* one line, for the list of verbs */
	const char *description; /* paragraphs for -h and the man page; may be NULL */
	const char *examples;	 /* lines for -h and the man page; may be NULL */
	const struct opt *options;
	size_t option_count;
	bool stop_at_positional;
};

/* Parses argv[0..argc) (without the verb). Positional arguments are returned as a pointer to the
 * first and a count, in order, ended by NULL (argv is permuted in place). -h/--help sets *ret_help
 * and returns 0. ERR_INVALID with a hint ("did you mean --memory?") otherwise. */
MUST_CHECK int opt_parse(const struct opt_command *command, int argc, const char **argv,
			 const char ***ret_positional, int *ret_count, bool *ret_help,
			 struct error *err);
/* The -h text. `program` is "rgrid". Wrapped at 80 columns. */
void opt_help(const struct opt_command *command, const char *program, struct buf *out);
/* The command's section of the man page, in mdoc or man macros. */
void opt_man(const struct opt_command *command, const char *program, struct buf *out);
/* The command's case in the bash completion. */
void opt_bash_completion(const struct opt_command *command, const char *program, struct buf *out);
