#include "main/rgridd_verbs.h"

#include <unistd.h>

#include "api/api.h"
#include "base/str.h"
#include "core/fleet.h"
#include "orchestrator/orchestrator.h"
#include "setup/doctor.h"
#include "setup/env_file.h"
#include "setup/operator.h"
#include "setup/up.h"

#define SCOPES_DEFAULT "read,run"

/* "<directory of this executable>/<name>", to be freed. */
static char *beside(const struct rgridd_call *call, const char *name)
{
	const char *slash = strrchr(call->self, '/');
	return xasprintf("%.*s/%s", (int)(slash - call->self), call->self, name);
}

static int need_database(const struct rgridd_call *call, struct error *err)
{
	if (conf_text(&call->conf, CONF_DATABASE)[0] != '\0')
		return 0;
	(void)error_set(err, ERR_INVALID, "no database is configured");
	return error_hint(err, "set RGRID_DATABASE, or start everything at once with `rgrid up`");
}

static int run_up(struct rgridd_call *call, struct error *err)
{
	struct up_options options = {.conf = &call->conf,
				     .program = call->self,
				     .env_file = call->env_file,
				     .verbose = call->verbose};
	return up_run(&options, err);
}

static int run_api(struct rgridd_call *call, struct error *err)
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

static int run_orchestrator(struct rgridd_call *call, struct error *err)
{
	const struct conf *conf = &call->conf;
	CLEANUP(cleanup_free) char *worker_program = beside(call, "rgrid-worker");
	if (need_database(call, err) < 0)
		return -1;
	struct orchestrator_local local = {
		.drain_timeout_ms = conf_number(conf, CONF_DRAIN_TIMEOUT),
		.api_url = conf_text(conf, CONF_API_URL),
		.worker_dir = conf_text(conf, CONF_WORKER_DIR),
		.worker_program = worker_program,
	};
	struct orchestrator_options options = {
		.conninfo = conf_text(conf, CONF_DATABASE),
		.worker_conninfo = conf_text(conf, CONF_DATABASE),
		.name_prefix = "local-",
		.local = &local,
	};
	fleet_policy_local(conf_number(conf, CONF_WORKERS), (uint32_t)conf_number(conf, CONF_SLOTS),
			   &options.policy);
	options.policy.start_deadline_ms = conf_number(conf, CONF_WORKER_START_TIMEOUT);
	return orchestrator_run(&options, err);
}

static int run_db_migrate(struct rgridd_call *call, struct error *err)
{
	return operator_db_migrate(&call->conf, err);
}

static int run_db_status(struct rgridd_call *call, struct error *err)
{
	return operator_db_status(&call->conf, err);
}

static int run_key_create(struct rgridd_call *call, struct error *err)
{
	return operator_key_create(&call->conf, call->project, call->positional[0], call->scopes,
				   call->lifetime_ms, err);
}

static int run_key_list(struct rgridd_call *call, struct error *err)
{
	return operator_key_list(&call->conf, call->project, call->json, err);
}

static int run_key_revoke(struct rgridd_call *call, struct error *err)
{
	return operator_key_revoke(&call->conf, call->project, call->positional[0], err);
}

static int run_config_check(struct rgridd_call *call, struct error *err)
{
	return operator_config_check(&call->conf, err);
}

static int run_config_show(struct rgridd_call *call, struct error *err)
{
	(void)err;
	operator_config_show(&call->conf, call->json);
	return 0;
}

static int run_doctor(struct rgridd_call *call, struct error *err)
{
	struct doctor_options options = {
		.conf = &call->conf,
		.env_file = call->env_file != NULL ? call->env_file : ENV_FILE_DEFAULT,
		.json = call->json,
	};
	return doctor_run(&options, err);
}

static int print_made(void (*make)(struct buf *out))
{
	CLEANUP(cleanup_buf) struct buf text;
	buf_init(&text, RGRIDD_HELP_BYTES);
	make(&text);
	(void)fputs(text.data, stdout);
	return 0;
}

static int run_config_sample(struct rgridd_call *call, struct error *err)
{
	(void)call, (void)err;
	return print_made(conf_sample);
}

static int run_fleet_rules(struct rgridd_call *call, struct error *err)
{
	(void)call, (void)err;
	return print_made(fleet_rules_document);
}

static int run_config_table(struct rgridd_call *call, struct error *err)
{
	(void)call, (void)err;
	return print_made(conf_markdown);
}

static const char up_description[] =
	"Makes a private PostgreSQL cluster in the data directory on first use, starts the API "
	"and the workers, and prints how to use them. Ctrl-C lets running jobs end and stops "
	"everything; a second one stops at once. The next `up` in the same directory finds all "
	"jobs again.";

static const char doctor_description[] =
	"Looks, and changes nothing. Each check says ok, warn, broken, or skipped and why, with "
	"what "
	"it saw and what to do about it. Exits with 1 when something is broken.";

static const struct rgridd_verb verbs[] = {
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
	{"doctor", "[options]", "Find what is wrong with this deployment, and how to mend it",
	 CONF_OPERATOR, 0, "orchestrator-env json", run_doctor, doctor_description},
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

const struct rgridd_verb *rgridd_verbs(size_t *ret_count)
{
	*ret_count = ARRAY_SIZE(verbs);
	return verbs;
}

void rgridd_call_init(struct rgridd_call *ret)
{
	*ret = (struct rgridd_call){.project = "default", .scopes = SCOPES_DEFAULT};
}

size_t rgridd_options(const struct rgridd_verb *verb, struct rgridd_call *call,
		      struct conf_flags *flags, struct opt out[RGRIDD_OPTIONS_MAX])
{
	/* The key is what rows of the table name; two options may have one name for users. */
	const struct {
		const char *key;
		struct opt opt;
	} own_options[] = {
		{"env-file",
		 OPT_STR(0, "env-file", "FILE", &call->env_file,
			 "When ready, write RGRID_URL and RGRID_TOKEN to FILE (0600)", "file")},
		{"orchestrator-env",
		 OPT_STR(0, "env-file", "FILE", &call->env_file,
			 "The orchestrator's environment (default: " ENV_FILE_DEFAULT ")", "file")},
		{"verbose", OPT_FLAG(0, "verbose", &call->verbose,
				     "Show the output of all parts here as well")},
		{"listen-inherited",
		 OPT_FLAG(0, "listen-inherited", &call->listen_inherited,
			  "Serve on the listening socket that standard input is")},
		{"project",
		 OPT_STR(0, "project", "NAME", &call->project,
			 "The project that the key belongs to (default: default)", NULL)},
		{"scopes",
		 OPT_STR(0, "scopes", "LIST", &call->scopes,
			 "What the key may do: read, run, admin (default: " SCOPES_DEFAULT ")",
			 NULL)},
		{"expires", OPT_DURATION(0, "expires", "TIME", &call->lifetime_ms,
					 "How long the key is good (default: for ever)")},
		{"json", OPT_FLAG(0, "json", &call->json, "Print JSON")},
	};
	size_t count = conf_options(verb->settings, flags, out);
	for (size_t i = 0; i < ARRAY_SIZE(own_options); i++) {
		if (has_word(verb->options, own_options[i].key))
			out[count++] = own_options[i].opt;
	}
	return count;
}
