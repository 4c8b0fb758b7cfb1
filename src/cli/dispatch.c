#include "cli/dispatch.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/opts.h"
#include "base/str.h"
#include "cli/verb.h"
#include "cli/verb_help.h"

#define EXIT_SIGPIPE	  (128 + SIGPIPE)
#define SECONDS_BYTES_MAX 1024

/* Replaces this program by the rgridd in the same directory, with the verb and all that follows. */
static int hand_over(int argc, const char **argv, struct error *err)
{
	CLEANUP(cleanup_free)
	const char **arguments = xcalloc((size_t)argc + 2, sizeof(arguments[0]));
	CLEANUP(cleanup_free) char *path = NULL;
	char self[PATH_MAX];
	ssize_t bytes = readlink("/proc/self/exe", self, sizeof(self) - 1);
	char *slash;

	if (bytes <= 0)
		return error_set_errno(err, ERR_INTERNAL, errno, "cannot find my own executable");
	self[bytes] = '\0';
	slash = strrchr(self, '/');
	if (slash)
		*slash = '\0';
	path = xasprintf("%s/rgridd", self);
	arguments[0] = path;
	for (int i = 0; i < argc; i++)
		arguments[i + 1] = argv[i];
	(void)execv(path, (char *const *)(void *)arguments);
	if (errno == ENOENT) {
		error_set(err, ERR_NOT_FOUND,
			  "\"rgrid %s\" is served by rgridd, which is not at %s", argv[0], path);
		return error_hint(err, "install the server package on this machine");
	}
	return error_set_errno(err, ERR_INTERNAL, errno, "cannot start %s", path);
}

static int refuse_unknown(const char *word, struct error *err)
{
	const char *near = verb_suggest(word);
	struct stat status;

	error_set(err, ERR_INVALID, "\"%s\" is not a verb of rgrid", word);
	if (stat(word, &status) == 0 && S_ISREG(status.st_mode))
		return error_hint(err, "to run it on the grid: rgrid run %s", word);
	if (near)
		return error_hint(err, "did you mean \"rgrid %s\"?", near);
	return error_hint(err, "\"rgrid help\" lists all verbs");
}

static int run_verb(int argc, const char **argv, const struct cli_globals *globals,
		    struct terminal *terminal, struct error *err)
{
	CLEANUP(cleanup_buf) struct buf seconds = {0};
	int words;
	const struct verb *verb = verb_find(argc, argv, &words);
	struct verb_call call = {
		.verb = verb,
		.globals = globals,
		.terminal = terminal,
		.argc = argc - words,
		.argv = argv + words,
	};

	buf_init(&seconds, SECONDS_BYTES_MAX);
	if (!verb && verb_seconds(argv[0], &seconds)) {
		error_set(err, ERR_INVALID, "rgrid %s needs one of: %s", argv[0], seconds.data);
		if (str_eq(argv[0], "batch"))
			return error_hint(err,
					  "to submit one: rgrid run --batch 'data/*.csv' SCRIPT");
		return error_hint(err, "\"rgrid help %s %.*s\" explains the first", argv[0],
				  (int)strcspn(seconds.data, ","), seconds.data);
	}
	if (!verb)
		return refuse_unknown(argv[0], err);
	if (!verb->run)
		return hand_over(argc, argv, err);
	/* A reader that leaves shows as EPIPE, see terminal_reader_gone. */
	(void)signal(SIGPIPE, SIG_IGN);
	return verb->run(&call, err);
}

static int start(int argc, const char **argv, struct terminal *terminal, struct error *err)
{
	struct cli_globals globals = {0};
	bool version = false, help = false;
	const struct opt options[] = {
		OPT_STR(0, "url", "URL", &globals.url, "Address of the server", NULL),
		OPT_FLAG(0, "no-color", &globals.no_colour, "No colour, whatever the terminal"),
		OPT_FLAG(0, "version", &version, "Print the version"),
	};
	const struct opt_command command = {
		.name = "",
		.synopsis = "[--url URL] [--no-color] VERB ...",
		.options = options,
		.option_count = ARRAY_SIZE(options),
		.stop_at_positional = true,
	};
	const char **words;
	int count;

	if (opt_parse(&command, argc - 1, argv + 1, &words, &count, &help, err) != 0)
		return -1;
	if (globals.no_colour)
		terminal_init(terminal, true);
	if (version || help) {
		const char *single[] = {version ? "version" : "help"};

		return run_verb(1, single, &globals, terminal, err);
	}
	if (count == 0)
		return verb_list_print(terminal, STDERR_FILENO, err) < 0
			       ? -1
			       : error_exit_code(ERR_INVALID);
	return run_verb(count, words, &globals, terminal, err);
}

int cli_main(int argc, char **argv)
{
	CLEANUP(cleanup_free) const char **words = xcalloc((size_t)argc + 1, sizeof(words[0]));
	struct terminal terminal;
	struct error err = {0};
	int exit_code;

	for (int i = 0; i < argc; i++)
		words[i] = argv[i];
	terminal_init(&terminal, false);
	exit_code = start(argc, words, &terminal, &err);
	if (exit_code >= 0)
		return exit_code;
	if (terminal_reader_gone(&err))
		return EXIT_SIGPIPE;
	terminal_error(&terminal, &err);
	return error_exit_code(err.code);
}
