#include "main/rgridd_verbs.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "api/api.h"
#include "base/str.h"
#include "core/fleet.h"
#include "orchestrator/image_bake.h"
#include "orchestrator/orchestrator.h"
#include "orchestrator/provider.h"
#include "setup/bundle.h"
#include "setup/doctor.h"
#include "setup/env_file.h"
#include "setup/operator.h"
#include "setup/pki.h"
#include "setup/server_setup.h"
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
		.tls_file = conf_text(conf, CONF_TLS_FILE),
		.serve = conf_text(conf, CONF_SERVE),
		.blob_directory = conf_text(conf, CONF_BLOB_DIR),
		.connections_max = conf_number(conf, CONF_API_CONNECTIONS),
	};
	return api_run(&options, err);
}

static int run_or_plan(const struct rgridd_call *call, const struct orchestrator_options *options,
		       struct error *err)
{
	return call->network.dry_run ? orchestrator_dry_run(options, err)
				     : orchestrator_run(options, err);
}

/* The API runs as the same user, and need not see the token in our environment, nor in a memory
 * dump: /proc shows neither of a process that cannot be dumped. */
static int hide_memory(struct error *err)
{
	if (prctl(PR_SET_DUMPABLE, 0) < 0)
		return error_set_errno(err, ERR_INTERNAL, errno, "cannot hide our memory");
	return 0;
}

static int run_orchestrator_hetzner(struct rgridd_call *call, struct error *err)
{
	CLEANUP(cleanup_provider) struct provider *provider = NULL;
	struct orchestrator_options options;

	if (hide_memory(err) < 0 ||
	    provider_open(&call->conf, call->network.dry_run, &provider, &options, err) < 0)
		return -1;
	return run_or_plan(call, &options, err);
}

static int run_orchestrator(struct rgridd_call *call, struct error *err)
{
	const struct conf *conf = &call->conf;
	CLEANUP(cleanup_free) char *worker_program = beside(call, "rgrid-worker");
	if (need_database(call, err) < 0)
		return -1;
	if (str_eq(conf_text(conf, CONF_PROVIDER), "hetzner"))
		return run_orchestrator_hetzner(call, err);
	if (!str_eq(conf_text(conf, CONF_PROVIDER), "local"))
		return error_set(err, ERR_INVALID, "provider is local or hetzner, not \"%s\"",
				 conf_text(conf, CONF_PROVIDER));
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
	return run_or_plan(call, &options, err);
}

static int run_db_migrate(struct rgridd_call *call, struct error *err)
{
	return operator_db_migrate(&call->conf, err);
}

static int run_db_status(struct rgridd_call *call, struct error *err)
{
	return operator_db_status(&call->conf, err);
}

static int run_db_expose(struct rgridd_call *call, struct error *err)
{
	call->expose.conf = &call->conf;
	call->expose.env_file = call->env_file;
	call->expose.dry_run = call->network.dry_run;
	call->expose.json = call->json;
	int result = db_expose(&call->expose, err);
	opt_list_release(&call->expose.public_workers);
	return result;
}

static int run_server_setup(struct rgridd_call *call, struct error *err)
{
	CLEANUP(cleanup_free) char *directory = xstrdup(call->self);
	const struct server_setup_options options = {
		.conf = &call->conf,
		.program_directory = directory,
		.cluster = call->expose.cluster,
		.private_ip = call->expose.private_ip,
		.env_file = call->env_file,
		.api_port = call->api_port,
		.dry_run = call->network.dry_run,
		.json = call->json,
	};

	*strrchr(directory, '/') = '\0';
	return server_setup(&options, err);
}

static int run_bundle_make(struct rgridd_call *call, struct error *err)
{
	CLEANUP(cleanup_free) char *directory = xstrdup(call->self);
	const struct bundle_options options = {
		.program_directory = directory,
		.blob_directory = conf_text(&call->conf, CONF_BLOB_DIR),
	};
	struct bundle bundle;

	*strrchr(directory, '/') = '\0';
	if (bundle_make(&options, &bundle, err) < 0)
		return -1;
	if (call->json) {
		(void)printf("{\"sha256\": \"%s\", \"bytes\": %" PRIu64 "}\n", bundle.sha256,
			     bundle.bytes);
		return 0;
	}
	char size[16];

	(void)printf("✓ Worker bundle made: %u programs, %u libraries, %s\n"
		     "  SHA-256: %s\n"
		     "\nFor the orchestrator's environment:\n"
		     "RGRID_WORKER_BUNDLE=%s\n",
		     bundle.programs, bundle.libraries,
		     format_bytes(bundle.bytes, size, sizeof(size)), bundle.sha256, bundle.sha256);
	return 0;
}

static int run_image_bake(struct rgridd_call *call, struct error *err)
{
	if (need_database(call, err) < 0 || hide_memory(err) < 0)
		return -1;
	call->bake.conf = &call->conf;
	call->bake.dry_run = call->network.dry_run;
	call->bake.json = call->json;
	return image_bake(&call->bake, err);
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

static const struct network_options *network_of(struct rgridd_call *call)
{
	call->network.conf = &call->conf;
	call->network.env_file = call->env_file;
	call->network.json = call->json;
	return &call->network;
}

static int run_network_setup(struct rgridd_call *call, struct error *err)
{
	return network_setup(network_of(call), err);
}

static int run_network_status(struct rgridd_call *call, struct error *err)
{
	return network_status(network_of(call), err);
}

static int run_network_rollback(struct rgridd_call *call, struct error *err)
{
	return network_rollback(network_of(call), err);
}

static int run_doctor(struct rgridd_call *call, struct error *err)
{
	const struct network_options *network = network_of(call);
	struct doctor_options options = {
		.conf = &call->conf,
		.env_file = network_env_path(network),
		.wish = network->wish,
		.server = network->server,
		.cluster = call->expose.cluster,
		.pki_dir = call->expose.pki_dir,
		.json = call->json,
	};
	if (network_wish_check(&network->wish, err) < 0)
		return -1;
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

#define NETWORK_OPTIONS "name ip-range subnet ip server orchestrator-env"
/* The network needs the API's token, which is in the environment, and no parameters. */
#define CONF_NETWORK ((enum conf_user)0)
/* What `server setup` makes has fixed places, which the units name. */
#define CONF_SERVER ((enum conf_user)0)

static const char network_setup_description[] =
	"Finds or creates the network and its subnet, attaches this server at the address that "
	"workers know, and prints the values. Run it again whenever you like: it mends what is "
	"half "
	"done and changes nothing that is right. The token is read from HETZNER_API_TOKEN or "
	"HCLOUD_TOKEN. This server is found through Hetzner's metadata service, or by the label "
	"rgrid-role=control. The values are written to the orchestrator's environment file if its "
	"directory exists and takes files from you.";

static const char network_rollback_description[] =
	"Comments RGRID_NETWORK_ID and RGRID_PRIVATE_DB_IP out in the orchestrator's environment "
	"file, and prints the steps to go on without a private network: each worker is let in by "
	"its own public address, over TLS. Nothing is opened here, and until RGRID_PUBLIC_DB_IP is "
	"set the orchestrator does not start. `network setup` brings the private network back. The "
	"network stays, unless --delete-network is given.";

static const char db_expose_description[] =
	"Makes a PostgreSQL of Debian's listen on localhost and the private address alone: a "
	"certificate under a private CA, a marked block in pg_hba.conf, a firewall table that "
	"takes its port and the workers' API's from the private side only, and then the proof. Run "
	"it again whenever you like. Needs root. Without a private network, --public-ip and one "
	"--public-worker for each worker open the public address to these alone; --public-workers "
	"reads them from the orchestrator's file. Without these the public address is closed "
	"again.";

static const char server_setup_description[] =
	"Makes of this Debian the control server: the user rgrid, database and logins in "
	"PostgreSQL, the certificate of the workers' API, the worker bundle, the daemons' "
	"environment in /etc/rgrid, the first API key; then starts the daemons if systemd has "
	"their units. Run it again whenever you like, and after an upgrade. Needs root.";

static const char bundle_make_description[] =
	"Packs rgrid-worker of this installation, crun and nft of this system, and the libraries "
	"they load into one archive, puts it into the blob store and prints its SHA-256. Machines "
	"fetch it from the API when they boot, and check it. Run it again after an upgrade. Needs "
	"patchelf.";

static const char image_bake_description[] =
	"Makes a snapshot from which workers' servers start without fetching the bundle: makes a "
	"server in the private network that fetches it and powers itself off, makes the image of "
	"it, deletes the server, and prints what to set. Reads the orchestrator's environment. An "
	"image with this bundle is found, not made again; a worker whose bundle is another one "
	"fetches it as ever. Run it again after `bundle make`.";

static const char doctor_description[] =
	"Looks, and changes nothing. Each check says ok, warn, broken, or skipped and why, with "
	"what "
	"it saw and what to do about it. Exits with 1 when something is broken.";

static const struct rgridd_verb verbs[] = {
	{"up", "[options]", "Start a whole grid on this machine", CONF_UP, 0, "env-file verbose",
	 run_up, up_description},
	{"api", "[options]", "Serve the HTTP API", CONF_API, 0, "listen-inherited", run_api, NULL},
	{"orchestrator", "[options]", "Keep the workers, move and rescue jobs", CONF_ORCHESTRATOR,
	 0, "dry-run", run_orchestrator, NULL},
	{"db migrate", "[options]", "Bring the database to this program's schema", CONF_OPERATOR, 0,
	 "", run_db_migrate, NULL},
	{"db status", "[options]", "Say whether the database answers and is up to date",
	 CONF_OPERATOR, 0, "", run_db_status, NULL},
	{"db expose", "[options]", "Let workers reach PostgreSQL over the private network",
	 CONF_OPERATOR, 0,
	 "cluster database private-ip db-subnet orchestrator-env pki-dir public-ip public-worker "
	 "public-workers "
	 "rotate-certificate undo dry-run json",
	 run_db_expose, db_expose_description},
	{"server setup", "[options]", "Make of this machine the control server", CONF_SERVER, 0,
	 "cluster private-ip api-port env-file dry-run json", run_server_setup,
	 server_setup_description},
	{"bundle make", "[options]", "Pack what a new machine needs to be a worker", CONF_BUNDLE, 0,
	 "json", run_bundle_make, bundle_make_description},
	{"image bake", "[options]", "Make an image that workers' servers start from faster",
	 CONF_ORCHESTRATOR, 0, "base timeout keep force dry-run json", run_image_bake,
	 image_bake_description},
	{"key create", "[options] NAME", "Make an API key and print it", CONF_OPERATOR, 1,
	 "project scopes expires", run_key_create, NULL},
	{"key list", "[options]", "List a project's API keys", CONF_OPERATOR, 0, "project json",
	 run_key_list, NULL},
	{"key revoke", "[options] LABEL", "Revoke an API key", CONF_OPERATOR, 1, "project",
	 run_key_revoke, NULL},
	{"network setup", "[options]", "Make the private network, and put this server into it",
	 CONF_NETWORK, 0, NETWORK_OPTIONS " adopt yes write-env no-write-env dry-run json",
	 run_network_setup, network_setup_description},
	{"network status", "[options]", "Compare the private network with what it should be",
	 CONF_NETWORK, 0, NETWORK_OPTIONS " json", run_network_status, NULL},
	{"network rollback", "[options]", "Switch the private network off", CONF_NETWORK, 0,
	 NETWORK_OPTIONS " delete-network dry-run json", run_network_rollback,
	 network_rollback_description},
	{"doctor", "[options]", "Find what is wrong with this deployment, and how to mend it",
	 CONF_OPERATOR, 0, NETWORK_OPTIONS " cluster pki-dir json", run_doctor, doctor_description},
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
	*ret = (struct rgridd_call){
		.project = "default",
		.scopes = SCOPES_DEFAULT,
		.network.wish = {.name = NETWORK_DEFAULT_NAME,
				 .ip_range = NETWORK_DEFAULT_RANGE,
				 .subnet = NETWORK_DEFAULT_SUBNET,
				 .ip = NETWORK_DEFAULT_IP},
		.bake = {.timeout_ms = IMAGE_BAKE_TIMEOUT_MS},
	};
}

/* The key is what rows of the table name; two options may have one name for users. */
struct own_option {
	const char *key;
	struct opt opt;
};

static size_t options_take(const struct rgridd_verb *verb, const struct own_option *all,
			   size_t all_count, struct opt *out)
{
	size_t count = 0;

	for (size_t i = 0; i < all_count; i++) {
		if (has_word(verb->options, all[i].key))
			out[count++] = all[i].opt;
	}
	return count;
}

static size_t expose_options(const struct rgridd_verb *verb, struct db_expose_options *expose,
			     struct opt *out)
{
	const struct own_option all[] = {
		{"cluster", OPT_STR(0, "cluster", "VERSION/NAME", &expose->cluster,
				    "The PostgreSQL cluster (default: the only one)", NULL)},
		{"database", OPT_STR(0, "dbname", "NAME", &expose->database,
				     "The database of workers (default: the configured one, "
				     "or " DB_EXPOSE_DATABASE ")",
				     NULL)},
		{"private-ip",
		 OPT_STR(0, "private-ip", "ADDRESS", &expose->private_ip,
			 "This server's private address (default: " DB_EXPOSE_IP_VARIABLE
			 ", or " DB_EXPOSE_IP_DEFAULT ")",
			 NULL)},
		{"db-subnet",
		 OPT_STR(0, "subnet", "RANGE", &expose->subnet,
			 "The workers' range (default: " DB_EXPOSE_SUBNET_DEFAULT ")", NULL)},
		{"pki-dir", OPT_STR(0, "pki-dir", "DIRECTORY", &expose->pki_dir,
				    "Where the private CA is (default: " PKI_DIRECTORY_DEFAULT ")",
				    "directory")},
		{"public-ip",
		 OPT_STR(0, "public-ip", "ADDRESS", &expose->public_ip,
			 "Without a private network: this server's public address", NULL)},
		{"public-worker",
		 OPT_LIST(0, "public-worker", "ADDRESS/32", &expose->public_workers,
			  "With --public-ip: a worker's address; repeatable", NULL)},
		{"public-workers",
		 OPT_STR(0, "public-workers", "FILE", &expose->public_workers_file,
			 "Workers' addresses in the orchestrator's file; with --public-ip "
			 "or " DB_EXPOSE_PUBLIC_IP " in its environment",
			 "file")},
		{"rotate-certificate",
		 OPT_FLAG(0, "rotate-certificate", &expose->rotate_certificate,
			  "Make a new server certificate; connections stay")},
		{"undo", OPT_FLAG(0, "undo", &expose->undo, "Take everything back but the CA")},
	};
	return options_take(verb, all, ARRAY_SIZE(all), out);
}

static size_t bake_options(const struct rgridd_verb *verb, struct image_bake_options *bake,
			   struct opt *out)
{
	const struct own_option all[] = {
		{"base", OPT_STR(0, "base", "IMAGE", &bake->base,
				 "What to start from (default: server-image if it is a name, else "
				 "debian-12)",
				 NULL)},
		{"timeout", OPT_DURATION(0, "timeout", "TIME", &bake->timeout_ms,
					 "Time that the server gets to be ready, up to 30m "
					 "(default: 15m)")},
		{"keep", OPT_U64(0, "keep", "N", &bake->keep, 1, 1000,
				 "Delete the grid's older images beyond the N newest (default: all "
				 "stay)")},
		{"force", OPT_FLAG(0, "force", &bake->force,
				   "Make one though there is one with this bundle")},
	};
	return options_take(verb, all, ARRAY_SIZE(all), out);
}

size_t rgridd_options(const struct rgridd_verb *verb, struct rgridd_call *call,
		      struct conf_flags *flags, struct opt out[RGRIDD_OPTIONS_MAX])
{
	struct network_options *network = &call->network;
	struct network_wish *wish = &network->wish;
	const struct own_option own_options[] = {
		{"env-file",
		 OPT_STR(0, "env-file", "FILE", &call->env_file,
			 "When ready, write RGRID_URL and RGRID_TOKEN to FILE (0600)", "file")},
		{"name", OPT_STR(0, "name", "NAME", &wish->name,
				 "The network's name (default: " NETWORK_DEFAULT_NAME ")", NULL)},
		{"ip-range",
		 OPT_STR(0, "ip-range", "RANGE", &wish->ip_range,
			 "The network's range (default: " NETWORK_DEFAULT_RANGE ")", NULL)},
		{"subnet",
		 OPT_STR(0, "subnet", "RANGE", &wish->subnet,
			 "The subnet of server and workers (default: " NETWORK_DEFAULT_SUBNET ")",
			 NULL)},
		{"ip", OPT_STR(0, "ip", "ADDRESS", &wish->ip,
			       "This server's address, where workers find the database "
			       "(default: " NETWORK_DEFAULT_IP ")",
			       NULL)},
		{"server", OPT_STR(0, "server", "NAME|ID", &network->server,
				   "The server that this is, instead of finding out", NULL)},
		{"adopt", OPT_FLAG(0, "adopt", &wish->adopt,
				   "Take a network of that name over that lacks RGrid's label")},
		{"yes", OPT_FLAG(0, "yes", &wish->force,
				 "Detach this server from a wrong address even while others use "
				 "the network")},
		{"write-env", OPT_FLAG(0, "write-env", &network->write_env,
				       "Write the environment file, or fail")},
		{"no-write-env", OPT_FLAG(0, "no-write-env", &network->keep_env,
					  "Leave the environment file alone")},
		{"dry-run", OPT_FLAG(0, "dry-run", &network->dry_run,
				     "Print what would be done, and change nothing")},
		{"delete-network", OPT_FLAG(0, "delete-network", &network->delete_network,
					    "Delete the network too, if no other server is in it")},
		{"orchestrator-env",
		 OPT_STR(0, "env-file", "FILE", &call->env_file,
			 "The orchestrator's environment (default: " ENV_FILE_DEFAULT ")", "file")},
		{"api-port", OPT_U64(0, "api-port", "PORT", &call->api_port, 1, UINT16_MAX,
				     "Of the API for users, on 127.0.0.1 (default: as it is, or "
				     "8000)")},
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
	count += options_take(verb, own_options, ARRAY_SIZE(own_options), out + count);
	count += bake_options(verb, &call->bake, out + count);
	return count + expose_options(verb, &call->expose, out + count);
}
