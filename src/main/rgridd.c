/* rgridd: the daemons and the operator's verbs. A table of verbs and dispatch, nothing else. */
#include <limits.h>
#include <signal.h>
#include <unistd.h>

#include "api/api.h"
#include "base/log.h"
#include "base/opts.h"
#include "base/str.h"
#include "conf/conf.h"
#include "core/fleet.h"
#include "core/limits.h"
#include "orchestrator/orchestrator.h"
#include "setup/operator.h"
#include "setup/up.h"

#define PROGRAM		 "rgridd"
#define VERB_OPTIONS_MAX (CONF_OPTIONS_MAX + 8)
#define HELP_BYTES_MAX	 (256 * KIB)
#define SCOPES_DEFAULT	 "read,run"

/* One call of a verb: what the command line said. */
struct call {
	struct conf conf;
	char self[PATH_MAX]; /* this executable */
	const char **positional;
	int count;
	const char *env_file;
	const char *project;
	const char *scopes;
	uint64_t lifetime_ms;
	bool verbose;
	bool json;
	bool listen_inherited;
};

struct verb {
	const char *words;
	const char *synopsis;
	const char *summary;
	enum conf_user settings; /* parameters taken as options */
	int positional_count;
	const char *options; /* long names out of own_options, separated by spaces */
	int (*run)(struct call *call, struct error *err);
	const char *description;
};

/* "<directory of this executable>/<name>", to be freed. */
static char *beside(const struct call *call, const char *name)
{
	const char *slash = strrchr(call->self, '/');
	return xasprintf("%.*s/%s", (int)(slash - call->self), call->self, name);
}

static int need_database(const struct call *call, struct error *err)
{
	if (conf_text(&call->conf, CONF_DATABASE)[0] != '\0')
		return 0;
	(void)error_set(err, ERR_INVALID, "no database is configured");
	return error_hint(err, "set RGRID_DATABASE, or start everything at once with `rgrid up`");
}

static int run_up(struct call *call, struct error *err)
{
	struct up_options options = {.conf = &call->conf,
				     .program = call->self,
				     .env_file = call->env_file,
				     .verbose = call->verbose};
	return up_run(&options, err);
}

static int run_api(struct call *call, struct error *err)
{
	const struct conf *conf = &call->conf;
	if (need_database(call, err) < 0)
		return -1;
	struct api_options options = {
		.conninfo = conf_text(conf, CONF_DATABASE),
		.listen = conf_text(conf, CONF_LISTEN),
		.listen_fd = call->listen_inherited ? STDIN_FILENO : -1,
		.blob_directory = conf_text(conf, CONF_BLOB_DIR),
		.connections_max = conf_number(conf, CONF_API_CONNECTIONS),
	};
	return api_run(&options, err);
}

static int run_orchestrator(struct call *call, struct error *err)
{
	const struct conf *conf = &call->conf;
	CLEANUP(cleanup_free) char *worker_program = beside(call, "rgrid-worker");
	if (need_database(call, err) < 0)
		return -1;
	struct orchestrator_options options = {
		.conninfo = conf_text(conf, CONF_DATABASE),
		.drain_timeout_ms = conf_number(conf, CONF_DRAIN_TIMEOUT),
		.api_url = conf_text(conf, CONF_API_URL),
		.worker_dir = conf_text(conf, CONF_WORKER_DIR),
		.worker_program = worker_program,
	};
	fleet_policy_local(conf_number(conf, CONF_WORKERS), (uint32_t)conf_number(conf, CONF_SLOTS),
			   &options.policy);
	options.policy.start_deadline_ms = conf_number(conf, CONF_WORKER_START_TIMEOUT);
	return orchestrator_run(&options, err);
}

static int run_db_migrate(struct call *call, struct error *err)
{
	return operator_db_migrate(&call->conf, err);
}

static int run_db_status(struct call *call, struct error *err)
{
	return operator_db_status(&call->conf, err);
}

static int run_key_create(struct call *call, struct error *err)
{
	return operator_key_create(&call->conf, call->project, call->positional[0], call->scopes,
				   call->lifetime_ms, err);
}

static int run_key_list(struct call *call, struct error *err)
{
	return operator_key_list(&call->conf, call->project, call->json, err);
}

static int run_key_revoke(struct call *call, struct error *err)
{
	return operator_key_revoke(&call->conf, call->project, call->positional[0], err);
}

static int run_config_check(struct call *call, struct error *err)
{
	return operator_config_check(&call->conf, err);
}

static int run_config_show(struct call *call, struct error *err)
{
	(void)err;
	operator_config_show(&call->conf, call->json);
	return 0;
}

static int print_made(void (*make)(struct buf *out))
{
	CLEANUP(cleanup_buf) struct buf text;
	buf_init(&text, HELP_BYTES_MAX);
	make(&text);
	(void)fputs(text.data, stdout);
	return 0;
}

static int run_config_sample(struct call *call, struct error *err)
{
	(void)call, (void)err;
	return print_made(conf_sample);
}

static int run_fleet_rules(struct call *call, struct error *err)
{
	(void)call, (void)err;
	return print_made(fleet_rules_document);
}

static int run_config_table(struct call *call, struct error *err)
{
	(void)call, (void)err;
	return print_made(conf_markdown);
}

static const char up_description[] =
	"Makes a private PostgreSQL cluster in the data directory on first use, starts the API "
	"and the workers, and prints how to use them. Ctrl-C lets running jobs end and stops "
	"everything; a second one stops at once. The next `up` in the same directory finds all "
	"jobs again.";

static const struct verb verbs[] = {
	{"up", "[options]", "Start a whole grid on this machine", CONF_UP, 0, "env-file verbose",
	 run_up, up_description},
	{"api", "[options]", "Serve the HTTP API", CONF_API, 0, "listen-inherited", run_api, NULL},
	{"orchestrator", "[options]", "Keep the workers, move and rescue jobs", CONF_ORCHESTRATOR,
	 0, "", run_orchestrator, NULL},
	{"db migrate", "[options]", "Bring the database to this program's schema", CONF_OPERATOR, 0,
	 "", run_db_migrate, NULL},
	{"db status", "[options]", "Say whether the database answers and is up to date",
	 CONF_OPERATOR, 0, "", run_db_status, NULL},
	{"key create", "[options] NAME", "Make an API key and print it", CONF_OPERATOR, 1,
	 "project scopes expires", run_key_create, NULL},
	{"key list", "[options]", "List a project's API keys", CONF_OPERATOR, 0, "project json",
	 run_key_list, NULL},
	{"key revoke", "[options] LABEL", "Revoke an API key", CONF_OPERATOR, 1, "project",
	 run_key_revoke, NULL},
	{"config check", "[options]", "Check the configuration", CONF_EVERY, 0, "",
	 run_config_check, NULL},
	{"config show", "[options]", "Show each parameter with its source", CONF_EVERY, 0, "json",
	 run_config_show, NULL},
	{"config sample", "", "Print a configuration file with all defaults", CONF_EVERY, 0, "",
	 run_config_sample, NULL},
	{"fleet rules", "", "Print the fleet's rules as docs/fleet.md lists them", CONF_EVERY, 0,
	 "", run_fleet_rules, NULL},
	{"config table", "", "Print the parameters as docs/configuration.md lists them", CONF_EVERY,
	 0, "", run_config_table, NULL},
};

static bool has_word(const char *words, const char *word)
{
	size_t bytes = strlen(word);
	for (const char *at = strstr(words, word); at != NULL; at = strstr(at + 1, word)) {
		if ((at == words || at[-1] == ' ') && (at[bytes] == '\0' || at[bytes] == ' '))
			return true;
	}
	return false;
}

static size_t options_make(const struct verb *verb, struct call *call, struct conf_flags *flags,
			   struct opt out[VERB_OPTIONS_MAX])
{
	const struct opt own_options[] = {
		OPT_STR(0, "env-file", "FILE", &call->env_file,
			"When ready, write RGRID_URL and RGRID_TOKEN to FILE (0600)", "file"),
		OPT_FLAG(0, "verbose", &call->verbose, "Show the output of all parts here as well"),
		OPT_FLAG(0, "listen-inherited", &call->listen_inherited,
			 "Serve on the listening socket that standard input is"),
		OPT_STR(0, "project", "NAME", &call->project,
			"The project that the key belongs to (default: default)", NULL),
		OPT_STR(0, "scopes", "LIST", &call->scopes,
			"What the key may do: read, run, admin (default: " SCOPES_DEFAULT ")",
			NULL),
		OPT_DURATION(0, "expires", "TIME", &call->lifetime_ms,
			     "How long the key is good (default: for ever)"),
		OPT_FLAG(0, "json", &call->json, "Print JSON"),
	};
	size_t count = conf_options(verb->settings, flags, out);
	for (size_t i = 0; i < ARRAY_SIZE(own_options); i++) {
		if (has_word(verb->options, own_options[i].long_name))
			out[count++] = own_options[i];
	}
	return count;
}

static int find_self(struct call *call, struct error *err)
{
	ssize_t bytes = readlink("/proc/self/exe", call->self, sizeof(call->self) - 1);
	if (bytes <= 0)
		return error_set(err, ERR_INTERNAL, "cannot find my own executable");
	call->self[bytes] = '\0';
	return 0;
}

static int call_verb(const struct verb *verb, int argc, const char **argv, struct error *err)
{
	struct call call = {.project = "default", .scopes = SCOPES_DEFAULT};
	struct conf_flags flags;
	struct opt options[VERB_OPTIONS_MAX];
	struct opt_command command = {
		.name = verb->words,
		.synopsis = verb->synopsis,
		.summary = verb->summary,
		.description = verb->description,
		.options = options,
		.option_count = options_make(verb, &call, &flags, options),
	};
	bool help = false;
	if (find_self(&call, err) < 0 ||
	    opt_parse(&command, argc, argv, &call.positional, &call.count, &help, err) < 0)
		return -1;
	if (help) {
		CLEANUP(cleanup_buf) struct buf text;
		buf_init(&text, HELP_BYTES_MAX);
		opt_help(&command, PROGRAM, &text);
		(void)fputs(text.data, stdout);
		return 0;
	}
	if (call.count != verb->positional_count) {
		(void)error_set(err, ERR_INVALID, "usage: " PROGRAM " %s %s", verb->words,
				verb->synopsis);
		return error_hint(err, PROGRAM " %s -h explains it", verb->words);
	}
	if (conf_load(&flags, &call.conf, err) < 0)
		return -1;
	log_init(PROGRAM, conf_log_level(&call.conf));
	int result = verb->run(&call, err);
	conf_release(&call.conf);
	return result;
}

static void print_verbs(FILE *out)
{
	(void)fputs("usage: " PROGRAM " VERB [options]\n\n", out);
	for (size_t i = 0; i < ARRAY_SIZE(verbs); i++)
		(void)fprintf(out, "  %-15s %s\n", verbs[i].words, verbs[i].summary);
	(void)fputs("\n" PROGRAM " VERB -h explains a verb. The user's verbs are rgrid's.\n", out);
}

/* Verbs are one word or two; *ret_words says how many were matched. */
static const struct verb *find_verb(int argc, const char **argv, int *ret_words)
{
	CLEANUP(cleanup_free) char *two = xasprintf("%s %s", argv[0], argc > 1 ? argv[1] : "");
	for (size_t i = 0; i < ARRAY_SIZE(verbs); i++) {
		bool is_pair = strchr(verbs[i].words, ' ') != NULL;
		if (str_eq(verbs[i].words, is_pair ? two : argv[0])) {
			*ret_words = is_pair ? 2 : 1;
			return &verbs[i];
		}
	}
	return NULL;
}

static int dispatch(int argc, const char **argv, struct error *err)
{
	int words = 0;
	const struct verb *verb = find_verb(argc, argv, &words);
	if (verb != NULL)
		return call_verb(verb, argc - words, argv + words, err);
	(void)error_set(err, ERR_INVALID, "there is no verb \"%s%s%s\"", argv[0],
			argc > 1 && argv[1][0] != '-' ? " " : "",
			argc > 1 && argv[1][0] != '-' ? argv[1] : "");
	return error_hint(err, PROGRAM " alone lists the verbs");
}

int main(int argc, char **argv)
{
	struct error err = {0};
	(void)signal(SIGPIPE, SIG_IGN); /* a reader that is gone shows as EPIPE */
	log_init(PROGRAM, LOG_LEVEL_INFO);
	if (argc < 2) {
		print_verbs(stderr);
		return error_exit_code(ERR_INVALID);
	}
	if (str_eq(argv[1], "-h") || str_eq(argv[1], "--help") || str_eq(argv[1], "help")) {
		print_verbs(stdout);
		return 0;
	}
	if (str_eq(argv[1], "--version") || str_eq(argv[1], "version")) {
		(void)puts(PROGRAM " " RGRID_VERSION);
		return 0;
	}
	if (dispatch(argc - 1, (const char **)(void *)(argv + 1), &err) == 0)
		return 0;
	(void)fprintf(stderr, PROGRAM ": %s\n", err.msg);
	if (err.hint[0] != '\0')
		(void)fprintf(stderr, "  %s\n", err.hint);
	return error_exit_code(err.code);
}
