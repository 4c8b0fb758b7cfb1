#include "base/opts.h"

#include "base/str.h"
#include "tap.h"

/* What the command line of the tests sets. */
static struct {
	bool detach;
	bool verbose;
	const char *name;
	struct opt_list labels;
	uint64_t retries;
	uint64_t memory_bytes;
	uint64_t timeout_ms;
	uint64_t cpu_millis;
} set;

static const struct opt options[] = {
	OPT_FLAG('d', "detach", &set.detach, "Return at once"),
	OPT_FLAG('v', "verbose", &set.verbose, "Say more"),
	OPT_STR('n', "name", "NAME", &set.name,
		"Name of the job, by which it is listed everywhere and "
		"which need not be unique",
		NULL),
	OPT_LIST('l', "label", "KEY=VALUE", &set.labels, "Add a label", NULL),
	OPT_U64(0, "retries", "N", &set.retries, 0, 100, "Try again so often"),
	OPT_BYTES('m', "memory", "SIZE", &set.memory_bytes, "Memory limit"),
	OPT_DURATION('t', "timeout", "DURATION", &set.timeout_ms, "Time limit"),
	OPT_MILLIS(0, "cpus", "N", &set.cpu_millis, "Processors"),
	OPT_STR(0, "a-rather-long-option-name", "DIRECTORY", &set.name, "Wide", "directory"),
	OPT_STR(0, "runtime", "NAME", &set.name, "Runtime", "runtime"),
	OPT_STR(0, "script", "FILE", &set.name, "Script", "file"),
	OPT_STR(0, "format", "FORMAT", &set.name, "Format", "json text"),
};

static const struct opt_command run = {
	.name = "run",
	.synopsis = "[options] SCRIPT [ARGS...]",
	.summary = "Run a script",
	.description =
		"The first paragraph, which is long enough that it has to be wrapped at the end "
		"of the line.\n\n.second\\ paragraph",
	.examples = "  rgrid run a.py\n  rgrid run -d b.py",
	.options = options,
	.option_count = ARRAY_SIZE(options),
	.stop_at_positional = true,
};

/* The outcome of one opt_parse. */
static const char **positional;
static int count;
static bool help;
static struct error err;

static int parse(const struct opt_command *command, const char *const *words)
{
	static const char *argv[OPT_LIST_MAX + 2]; /* outlives the call, as main's does */
	int argc = 0;

	for (; words[argc] != NULL; argc++)
		argv[argc] = words[argc];
	opt_list_release(&set.labels);
	memset(&set, 0, sizeof(set));
	positional = NULL;
	count = -1;
	help = false;
	return opt_parse(command, argc, argv, &positional, &count, &help, &err);
}

#define PARSE(...)	parse(&run, (const char *const[]){__VA_ARGS__, NULL})
#define PARSE_LIST(...) parse(&list, (const char *const[]){__VA_ARGS__, NULL})

TEST(opts_every_kind)
{
	EXPECT_OK(PARSE("--detach", "--name", "n", "--label=a=b", "--label", "c", "--retries=3",
			"--memory", "512M", "--timeout=1h30m", "--cpus", "0.5", "s.py"),
		  err);
	EXPECT(set.detach);
	EXPECT(!set.verbose);
	EXPECT_STR(set.name, "n");
	EXPECT_INT(set.labels.count, 2);
	EXPECT_STR(set.labels.items[0], "a=b");
	EXPECT_STR(set.labels.items[1], "c");
	EXPECT_INT(set.retries, 3);
	EXPECT_INT(set.memory_bytes, 512 << 20);
	EXPECT_INT(set.timeout_ms, 5400000);
	EXPECT_INT(set.cpu_millis, 500);
	EXPECT_INT(count, 1);
	EXPECT_STR(positional[0], "s.py");
	opt_list_release(&set.labels);
	EXPECT_INT(set.labels.count, 0);
}

TEST(opts_short_and_bundled)
{
	EXPECT_OK(PARSE("-dv", "-m1G", "-n", "x", "-l", "a"), err);
	EXPECT(set.detach && set.verbose);
	EXPECT_INT(set.memory_bytes, 1 << 30);
	EXPECT_STR(set.name, "x");
	EXPECT_OK(PARSE("-dvnname"), err);
	EXPECT(set.detach && set.verbose);
	EXPECT_STR(set.name, "name");
	EXPECT_INT(count, 0);
}

TEST(opts_after_the_script_are_the_scripts)
{
	EXPECT_OK(PARSE("-d", "s.py", "--memory", "-v", "--", "--help"), err);
	EXPECT(!set.verbose);
	EXPECT(!help);
	EXPECT_INT(count, 5);
	EXPECT_STR(positional[0], "s.py");
	EXPECT_STR(positional[1], "--memory");
	EXPECT_STR(positional[3], "--");
	EXPECT_STR(positional[4], "--help");
}

TEST(opts_positional_ends_with_null)
{
	EXPECT_OK(PARSE("--name", "x", "a.py", "b"), err);
	EXPECT_INT(count, 2);
	EXPECT(positional[count] == NULL);
}

TEST(opts_double_dash_ends_options)
{
	EXPECT_OK(PARSE("-d", "--", "--name", "-v"), err);
	EXPECT_INT(count, 2);
	EXPECT_STR(positional[0], "--name");
	EXPECT(!set.verbose);
	EXPECT_OK(PARSE("--"), err);
	EXPECT_INT(count, 0);
}

TEST(opts_single_dash_is_positional)
{
	EXPECT_OK(PARSE("-d", "-", "-v"), err);
	EXPECT_INT(count, 2);
	EXPECT_STR(positional[0], "-");
	EXPECT_STR(positional[1], "-v");
	EXPECT_OK(PARSE("--name", "-"), err);
	EXPECT_STR(set.name, "-");
}

TEST(opts_anywhere_unless_stopped)
{
	struct opt_command list = run;

	list.stop_at_positional = false;
	EXPECT_OK(PARSE_LIST("a", "-d", "b", "--name", "n", "-", "--", "-v"), err);
	EXPECT_INT(count, 4);
	EXPECT_STR(positional[0], "a");
	EXPECT_STR(positional[1], "b");
	EXPECT_STR(positional[2], "-");
	EXPECT_STR(positional[3], "-v");
	EXPECT(set.detach);
	EXPECT(!set.verbose);
	EXPECT_STR(set.name, "n");
}

TEST(opts_values_may_look_like_options_or_be_empty)
{
	EXPECT_OK(PARSE("--name", "--detach", "--label="), err);
	EXPECT_STR(set.name, "--detach");
	EXPECT(!set.detach);
	EXPECT_INT(set.labels.count, 1);
	EXPECT_STR(set.labels.items[0], "");
	opt_list_release(&set.labels);
}

TEST(opts_last_value_counts)
{
	EXPECT_OK(PARSE("-m1G", "--memory=2G"), err);
	EXPECT(set.memory_bytes == 2ULL << 30);
}

TEST(opts_nothing_at_all)
{
	static const char *const none[] = {NULL};

	EXPECT_OK(parse(&run, none), err);
	EXPECT_INT(count, 0);
	EXPECT(!help);
}

TEST(opts_help)
{
	EXPECT_OK(PARSE("-h"), err);
	EXPECT(help);
	EXPECT_OK(PARSE("-d", "--help", "s.py"), err);
	EXPECT(help);
	EXPECT_OK(PARSE("-vh"), err);
	EXPECT(help && set.verbose);
}

TEST(opts_unknown_option_suggests)
{
	EXPECT_ERR(PARSE("--memry", "1G"), err, ERR_INVALID);
	EXPECT(strstr(err.msg, "--memry") != NULL);
	EXPECT_STR(err.hint, "did you mean --memory?");
	EXPECT_ERR(PARSE("--memry=1G"), err, ERR_INVALID);
	EXPECT_STR(err.hint, "did you mean --memory?");
	EXPECT_ERR(PARSE("--hlep"), err, ERR_INVALID);
	EXPECT_STR(err.hint, "did you mean --help?");
	EXPECT_ERR(PARSE("--qqqqqqqq"), err, ERR_INVALID);
	EXPECT(strstr(err.hint, "did you mean") == NULL);
	EXPECT(err.hint[0] != '\0');
	EXPECT_ERR(PARSE("-x"), err, ERR_INVALID);
	EXPECT(strstr(err.msg, "-x") != NULL);
	EXPECT_ERR(PARSE("-d\x1b"), err, ERR_INVALID);
	EXPECT_ERR(PARSE("--=x"), err, ERR_INVALID);
	EXPECT_ERR(PARSE("---detach"), err, ERR_INVALID);
	EXPECT_ERR(PARSE("--mem"), err, ERR_INVALID);
}

TEST(opts_bad_values_name_the_option)
{
	EXPECT_ERR(PARSE("--memory"), err, ERR_INVALID);
	EXPECT(strstr(err.msg, "--memory needs a value") != NULL);
	EXPECT_ERR(PARSE("-dm"), err, ERR_INVALID);
	EXPECT(strstr(err.msg, "--memory needs a value") != NULL);
	EXPECT_ERR(PARSE("--memory", "lots"), err, ERR_INVALID);
	EXPECT_STR(err.msg, "--memory: \"lots\" is not a size");
	EXPECT(err.hint[0] != '\0');
	EXPECT_ERR(PARSE("--retries", "101"), err, ERR_INVALID);
	EXPECT(strstr(err.msg, "--retries: \"101\"") != NULL);
	EXPECT_ERR(PARSE("--detach=yes"), err, ERR_INVALID);
	EXPECT(strstr(err.msg, "--detach takes no value") != NULL);
	EXPECT_ERR(PARSE("-t", ""), err, ERR_INVALID);
}

TEST(opts_list_has_a_maximum)
{
	static const char *argv[OPT_LIST_MAX + 2];

	for (size_t i = 0; i <= OPT_LIST_MAX; i++)
		argv[i] = "--label=x";
	EXPECT_ERR(parse(&run, argv), err, ERR_INVALID);
	EXPECT(strstr(err.msg, "--label") != NULL);
	EXPECT_INT(set.labels.count, OPT_LIST_MAX);
	opt_list_release(&set.labels);
}

static char *text_of(void (*write)(const struct opt_command *, const char *, struct buf *))
{
	struct buf out;

	buf_init(&out, 100000);
	write(&run, "rgrid", &out);
	EXPECT(!out.overflowed);
	return buf_detach(&out);
}

TEST(opts_help_text_is_aligned_and_wrapped)
{
	CLEANUP(cleanup_free) char *text = text_of(opt_help);

	EXPECT(str_has_prefix(text, "Usage: rgrid run [options] SCRIPT [ARGS...]\n"));
	EXPECT(strstr(text, "\n  -d, --detach                Return at once\n") != NULL);
	EXPECT(strstr(text, "\n      --retries N             Try again so often\n") != NULL);
	EXPECT(strstr(text, "\n  -h, --help                  ") != NULL);
	EXPECT(strstr(text,
		      "\n  -n, --name NAME             Name of the job, by which it is listed "
		      "everywhere\n"
		      "                              and which need not be unique\n") != NULL);
	EXPECT(strstr(text, "--a-rather-long-option-name DIRECTORY\n"
			    "                              Wide\n") != NULL);
	EXPECT(strstr(text, "\n\n.second\\ paragraph\n") != NULL);
	EXPECT(str_has_suffix(text, "  rgrid run -d b.py\n"));
	for (const char *line = text; *line != '\0'; line += strcspn(line, "\n") + 1) {
		size_t columns = strcspn(line, "\n");

		EXPECT(columns <= 80);
		EXPECT(columns == 0 || line[columns - 1] != ' ');
	}
}

TEST(opts_man_text_is_escaped)
{
	CLEANUP(cleanup_free) char *text = text_of(opt_man);

	EXPECT(str_has_prefix(text, ".SS "));
	EXPECT(strstr(text, "\\fB\\-\\-memory\\fR \\fISIZE\\fR") != NULL);
	EXPECT(strstr(text, "\n\\&.second\\e paragraph\n") != NULL);
	EXPECT(strstr(text, "\n.second") == NULL);
}

TEST(opts_completion_knows_the_kinds)
{
	CLEANUP(cleanup_free) char *text = text_of(opt_bash_completion);

	EXPECT(strstr(text, "--memory") != NULL);
	EXPECT(strstr(text, "--a-rather-long-option-name) mapfile -t COMPREPLY < <(compgen -d") !=
	       NULL);
	EXPECT(strstr(text, "--script) mapfile -t COMPREPLY < <(compgen -f") != NULL);
	EXPECT(strstr(text, "$(_rgrid_runtimes)") != NULL);
	EXPECT(strstr(text, "compgen -W 'json text'") != NULL);
}
