/* rgridd: the daemons and the operator's verbs. Finds the verb and calls it, nothing else. */
#include <signal.h>
#include <unistd.h>

#include "base/log.h"
#include "base/opts.h"
#include "base/str.h"
#include "conf/conf.h"
#include "main/rgridd_verbs.h"

static int find_self(struct rgridd_call *call, struct error *err)
{
	ssize_t bytes = readlink("/proc/self/exe", call->self, sizeof(call->self) - 1);
	if (bytes <= 0)
		return error_set(err, ERR_INTERNAL, "cannot find my own executable");
	call->self[bytes] = '\0';
	return 0;
}

static int call_verb(const struct rgridd_verb *verb, int argc, const char **argv, struct error *err)
{
	struct rgridd_call call;
	struct conf_flags flags;
	struct opt options[RGRIDD_OPTIONS_MAX];
	rgridd_call_init(&call);
	struct opt_command command = {
		.name = verb->words,
		.synopsis = verb->synopsis,
		.summary = verb->summary,
		.description = verb->description,
		.options = options,
		.option_count = rgridd_options(verb, &call, &flags, options),
	};
	bool help = false;
	if (find_self(&call, err) < 0 ||
	    opt_parse(&command, argc, argv, &call.positional, &call.count, &help, err) < 0)
		return -1;
	if (help) {
		CLEANUP(cleanup_buf) struct buf text;
		buf_init(&text, RGRIDD_HELP_BYTES);
		opt_help(&command, RGRIDD_PROGRAM, &text);
		(void)fputs(text.data, stdout);
		return 0;
	}
	if (call.count != verb->positional_count) {
		(void)error_set(err, ERR_INVALID, "usage: " RGRIDD_PROGRAM " %s %s", verb->words,
				verb->synopsis);
		return error_hint(err, RGRIDD_PROGRAM " %s -h explains it", verb->words);
	}
	if (conf_load(&flags, &call.conf, err) < 0)
		return -1;
	log_init(RGRIDD_PROGRAM, conf_log_level(&call.conf));
	int result = verb->run(&call, err);
	conf_release(&call.conf);
	return result;
}

static void print_verbs(FILE *out)
{
	size_t count = 0;
	const struct rgridd_verb *verbs = rgridd_verbs(&count);
	(void)fputs("usage: " RGRIDD_PROGRAM " VERB [options]\n\n", out);
	for (size_t i = 0; i < count; i++)
		(void)fprintf(out, "  %-17s %s\n", verbs[i].words, verbs[i].summary);
	(void)fputs("\n" RGRIDD_PROGRAM " VERB -h explains a verb. The user's verbs are rgrid's.\n",
		    out);
}

/* Verbs are one word or two; *ret_words says how many were matched. */
static const struct rgridd_verb *find_verb(int argc, const char **argv, int *ret_words)
{
	CLEANUP(cleanup_free) char *two = xasprintf("%s %s", argv[0], argc > 1 ? argv[1] : "");
	size_t count = 0;
	const struct rgridd_verb *verbs = rgridd_verbs(&count);
	for (size_t i = 0; i < count; i++) {
		bool is_pair = strchr(verbs[i].words, ' ') != NULL;
		if (str_eq(verbs[i].words, is_pair ? two : argv[0])) {
			*ret_words = is_pair ? 2 : 1;
			return &verbs[i];
		}
	}
	return NULL;
}

static bool begins_with(const struct rgridd_verb *verb, const char *word)
{
	size_t bytes = strlen(word);

	return strncmp(verb->words, word, bytes) == 0 && verb->words[bytes] == ' ';
}

/* The verbs that begin with this word. Returns how many. */
static size_t print_seconds(const char *word)
{
	size_t count = 0;
	size_t found = 0;
	const struct rgridd_verb *verbs = rgridd_verbs(&count);

	for (size_t i = 0; i < count; i++) {
		if (!begins_with(&verbs[i], word))
			continue;
		(void)printf("  %-17s %s\n", verbs[i].words, verbs[i].summary);
		found++;
	}
	return found;
}

/* What can stand behind the word; false when nothing can. */
static bool list_seconds(const char *word, struct buf *out)
{
	size_t count = 0;
	const struct rgridd_verb *verbs = rgridd_verbs(&count);

	for (size_t i = 0; i < count; i++) {
		if (begins_with(&verbs[i], word))
			buf_appendf(out, "%s%s", out->bytes > 0 ? ", " : "",
				    verbs[i].words + strlen(word) + 1);
	}
	return out->bytes > 0;
}

static bool asks_for_help(const char *word)
{
	return str_eq(word, "-h") || str_eq(word, "--help");
}

static int dispatch(int argc, const char **argv, struct error *err)
{
	int words = 0;
	const struct rgridd_verb *verb = find_verb(argc, argv, &words);
	if (verb != NULL)
		return call_verb(verb, argc - words, argv + words, err);
	if (argc > 1 && asks_for_help(argv[1]) && print_seconds(argv[0]) > 0)
		return 0;
	CLEANUP(cleanup_buf) struct buf seconds;
	buf_init(&seconds, RGRIDD_HELP_BYTES);
	if (list_seconds(argv[0], &seconds)) {
		(void)error_set(err, ERR_INVALID, "%s needs one of: %s", argv[0], seconds.data);
		return error_hint(err, RGRIDD_PROGRAM " %s -h explains them", argv[0]);
	}
	(void)error_set(err, ERR_INVALID, "there is no verb \"%s%s%s\"", argv[0],
			argc > 1 && argv[1][0] != '-' ? " " : "",
			argc > 1 && argv[1][0] != '-' ? argv[1] : "");
	return error_hint(err, RGRIDD_PROGRAM " alone lists the verbs");
}

int main(int argc, char **argv)
{
	struct error err = {0};
	(void)signal(SIGPIPE, SIG_IGN); /* a reader that is gone shows as EPIPE */
	log_init(RGRIDD_PROGRAM, LOG_LEVEL_INFO);
	if (argc < 2) {
		print_verbs(stderr);
		return error_exit_code(ERR_INVALID);
	}
	if (asks_for_help(argv[1]) || str_eq(argv[1], "help")) {
		print_verbs(stdout);
		return 0;
	}
	if (str_eq(argv[1], "--version") || str_eq(argv[1], "version")) {
		(void)puts(RGRIDD_PROGRAM " " RGRID_VERSION);
		return 0;
	}
	if (dispatch(argc - 1, (const char **)(void *)(argv + 1), &err) == 0)
		return 0;
	(void)fprintf(stderr, RGRIDD_PROGRAM ": %s\n", err.msg);
	if (err.hint[0] != '\0')
		(void)fprintf(stderr, "  %s\n", err.hint);
	return error_exit_code(err.code);
}
