#include "hcloud/options.h"

#include "base/buf.h"
#include "base/str.h"

#define PROGRAM		   "hcloud-sim"
#define HELP_BYTES_MAX	   (256ULL * 1024)
#define CLOCK_RATE_MAX	   1000000
#define RATE_LIMIT_DEFAULT 3600
#define RATE_LIMIT_MAX	   1000000000
#define SERVERS_DEFAULT	   200
#define SERVERS_MAX	   100000
#define ACTION_MS_MAX	   (3600ULL * 1000)

static const char description[] =
	"Speaks the Hetzner Cloud API v1 well enough that the official clients cannot tell: point "
	"HCLOUD_ENDPOINT at it. Each token belongs to a project of its own, or to the one named "
	"after it. Nothing leaves this computer and nothing costs money.\n\n"
	"Under /_sim/ it answers for tests: health, faults, clock, bill, state, requests.\n\n"
	"A fault is KIND:KEY=VALUE,KEY=VALUE... and strikes what its keys describe. Each has count "
	"(how often, 0 for always), skip (how many pass first) and for (how many milliseconds it "
	"lives) besides these:"
#define X(name, word, count, keys) "\n " word ": " keys
#include "hcloud/faults.def"
#undef X
	;

static const char examples[] =
	"  hcloud-sim --listen 127.0.0.1:8420 --env-file sim.env &\n"
	"  set -a; . ./sim.env; hcloud server list\n"
	"  hcloud-sim --token $TOKEN=tests --fault 'unavailable:type=cx23,location=fsn1'\n"
	"  hcloud-sim --clean --instance demo --machine-dir /var/tmp/hcs\n"
	"  hcloud-sim man | man -l -\n";

static int print(const struct opt_command *command, bool as_man, struct error *err)
{
	CLEANUP(cleanup_buf) struct buf text;

	(void)err;
	buf_init(&text, HELP_BYTES_MAX);
	if (as_man) {
		buf_append_str(
			&text,
			".TH HCLOUD\\-SIM 1 \"\" \"rgrid " RGRID_VERSION
			"\" \"User Commands\"\n.nh\n.ad l\n.SH NAME\nhcloud\\-sim \\- a simulated "
			"Hetzner Cloud\n.SH DESCRIPTION\n");
		opt_man(command, PROGRAM, &text);
		buf_append_str(&text,
			       ".PP\n\\fB\\-h\\fR, \\fB\\-\\-help\\fR\nprints it in short.\n");
	} else {
		opt_help(command, PROGRAM, &text);
	}
	(void)fputs(text.data, stdout);
	return 0;
}

static int parse(const struct opt_command *command, int argc, const char **argv, bool *ret_done,
		 struct error *err)
{
	const char **positional;
	bool help = false;
	int count;

	*ret_done = false;
	if (opt_parse(command, argc, argv, &positional, &count, &help, err) < 0)
		return -1;
	bool as_man = count == 1 && str_eq(positional[0], "man");
	if (count > 0 && !as_man)
		return error_set(err, ERR_INVALID, "unexpected argument \"%s\"", positional[0]);
	*ret_done = help || as_man;
	return *ret_done ? print(command, as_man, err) : 0;
}

static const struct sim_options defaults = {
	.listen = "127.0.0.1:0",
	.machines = "none",
	.instance = "sim",
	.ip_order = "lowest",
	.action_time = "fast",
	.clock_rate = 1,
	.billed_hour_ms = 3600ULL * 1000,
	.rate_limit = RATE_LIMIT_DEFAULT,
	.server_limit = SERVERS_DEFAULT,
};

int options_parse(struct sim_options *ret, int argc, const char **argv, bool *ret_done,
		  struct error *err)
{
	*ret = defaults;
	const struct opt options[] = {
		OPT_STR(0, "listen", "ADDR:PORT", &ret->listen,
			"Listen there (default 127.0.0.1:0, any free port); the URL is printed",
			NULL),
		OPT_LIST(0, "token", "TOKEN[=PROJECT]", &ret->tokens,
			 "Accept this token, for that project; without any, one is made up", NULL),
		OPT_STR(0, "env-file", "FILE", &ret->env_file,
			"Write HCLOUD_ENDPOINT and HCLOUD_TOKEN there once it listens", "file"),
		OPT_STR(0, "state", "FILE", &ret->state, "Keep the state there across restarts",
			"file"),
		OPT_LIST(0, "fault", "SPEC", &ret->faults,
			 "Begin with this fault, as in status:path=/servers,status=502", NULL),
		OPT_U64(0, "clock-rate", "N", &ret->clock_rate, 1, CLOCK_RATE_MAX,
			"Timestamps, rate limit and bill run N times as fast (default 1)"),
		OPT_DURATION(0, "billed-hour", "TIME", &ret->billed_hour_ms,
			     "What is billed as an hour (default 1h), for clients that know of it"),
		OPT_STR(0, "action-time", "TIME", &ret->action_time,
			"How long actions take: fast (default), realistic, or a duration",
			"fast realistic"),
		OPT_STR(0, "ip-order", "lowest|next|random|last-subnet", &ret->ip_order,
			"Which private address a server gets that asks for none (default lowest)",
			"lowest next random last-subnet"),
		OPT_U64(0, "rate-limit", "N", &ret->rate_limit, 1, RATE_LIMIT_MAX,
			"Requests an hour and project (default 3600)"),
		OPT_U64(0, "server-limit", "N", &ret->server_limit, 1, SERVERS_MAX,
			"Servers a project may have (default 200)"),
		OPT_STR(0, "machines", "none|netns", &ret->machines,
			"What is under a server: nothing (default), or a real host in network "
			"namespaces of this computer (as root)",
			"none netns"),
		OPT_STR(0, "machine-root", "DIR", &ret->machine_root,
			"The system that machines boot, as tools/make-machine-root builds it",
			"directory"),
		OPT_STR(0, "machine-dir", "DIR", &ret->machine_dir,
			"For the machines' disks, logs and sockets", "directory"),
		OPT_STR(0, "instance", "NAME", &ret->instance,
			"Names this simulator's namespaces, at most 8 of a-z and 0-9 (default "
			"sim); "
			"what an earlier one of that name left is removed",
			NULL),
		OPT_FLAG(0, "clean", &ret->clean,
			 "Only remove what a simulator of this --instance and --machine-dir that "
			 "was killed has left: processes, namespaces, cgroups, disks"),
		OPT_STR(0, "control-token", "TOKEN", &ret->control_token,
			"Ask for this token under /_sim/ instead of answering loopback only", NULL),
		OPT_STR(0, "tls-cert", "FILE", &ret->tls_cert, "Serve TLS with this certificate",
			"file"),
		OPT_STR(0, "tls-key", "FILE", &ret->tls_key, "The certificate's key", "file"),
	};
	const struct opt_command command = {
		.name = "",
		.synopsis = "[options] | man",
		.summary = "Simulates the Hetzner Cloud API on this computer",
		.description = description,
		.examples = examples,
		.options = options,
		.option_count = ARRAY_SIZE(options),
	};
	return parse(&command, argc, argv, ret_done, err);
}

void options_release(struct sim_options *options)
{
	opt_list_release(&options->tokens);
	opt_list_release(&options->faults);
}

static int parse_ip_order(const char *text, enum ip_order *ret, struct error *err)
{
	static const char *const words[] = {
		[IP_ORDER_LOWEST] = "lowest",
		[IP_ORDER_RANDOM] = "random",
		[IP_ORDER_NEXT] = "next",
		[IP_ORDER_LAST_SUBNET] = "last-subnet",
	};

	for (enum ip_order order = IP_ORDER_LOWEST; order <= IP_ORDER_LAST_SUBNET; order++) {
		if (str_eq(words[order], text)) {
			*ret = order;
			return 0;
		}
	}
	return error_set(err, ERR_INVALID,
			 "--ip-order is lowest, next, random or last-subnet, not \"%s\"", text);
}

int options_settings(const struct sim_options *options, struct sim_settings *ret, struct error *err)
{
	*ret = (struct sim_settings){
		.rate_limit = options->rate_limit,
		.server_limit = options->server_limit,
		.billed_hour_ms = options->billed_hour_ms,
		.action_speed = ACTIONS_FIXED,
	};
	if (parse_ip_order(options->ip_order, &ret->ip_order, err) < 0)
		return -1;
	if (str_eq(options->action_time, "fast"))
		ret->action_speed = ACTIONS_FAST;
	else if (str_eq(options->action_time, "realistic"))
		ret->action_speed = ACTIONS_REALISTIC;
	else if (parse_duration(options->action_time, &ret->action_ms, err) < 0)
		return error_wrap(err, "--action-time");
	else if (ret->action_ms > ACTION_MS_MAX)
		return error_set(err, ERR_INVALID, "--action-time: more than an hour");
	return 0;
}
