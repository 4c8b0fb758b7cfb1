/* hcloud-sim: a simulated Hetzner Cloud. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/check.h"
#include "base/encode.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/str.h"
#include "hcloud/http.h"
#include "hcloud/machines.h"
#include "hcloud/options.h"
#include "hcloud/settle.h"
#include "hcloud/state_file.h"

#define PROGRAM		"hcloud-sim"
#define TOKEN_CHARS	64
#define ENV_BYTES_MAX	4096
#define ENV_MODE	0600
#define DEFAULT_PROJECT "default"

/* "TOKEN=PROJECT", or a token alone, whose project is the default one. */
static int add_token(struct sim *sim, const char *text, struct error *err)
{
	size_t token_bytes = strcspn(text, "=");
	CLEANUP(cleanup_free) char *token = xstrndup(text, token_bytes);
	const char *project = text[token_bytes] ? text + token_bytes + 1 : DEFAULT_PROJECT;

	if (!*token || !*project || !str_is_utf8(project, strlen(project)))
		return error_set(err, ERR_INVALID, "--token is of the form TOKEN[=PROJECT]");
	sim_add_token(sim, token, project);
	return 0;
}

static int add_faults(struct sim *sim, const struct opt_list *specs, struct error *err)
{
	for (size_t i = 0; i < specs->count; i++) {
		json_t *fault = NULL;

		if (fault_parse(specs->items[i], &fault, err) < 0 ||
		    faults_add(&sim->faults, fault, NULL, err) < 0)
			return error_wrap(err, "--fault %s", specs->items[i]);
	}
	return 0;
}

static int set_up(struct sim *sim, const struct sim_options *options, struct error *err)
{
	sim->state_path = options->state;
	if (state_file_load(sim, err) < 0)
		return -1;
	for (size_t i = 0; i < options->tokens.count; i++) {
		if (add_token(sim, options->tokens.items[i], err) < 0)
			return -1;
	}
	if (sim->token_count == 0) {
		char token[TOKEN_CHARS + 1];

		base62_random(token, TOKEN_CHARS);
		sim_add_token(sim, token, DEFAULT_PROJECT);
	}
	return add_faults(sim, &options->faults, err);
}

/* Says where it is: scripts wait for the file, people read the lines. */
static int announce(const struct sim *sim, const struct sim_options *options, const char *url,
		    struct error *err)
{
	CLEANUP(cleanup_buf) struct buf text;

	buf_init(&text, ENV_BYTES_MAX);
	buf_appendf(&text, "HCLOUD_ENDPOINT=%s/v1\nHCLOUD_TOKEN=%s\nHCLOUD_SIM_URL=%s\n", url,
		    sim->tokens[0].text, url);
	(void)printf("%s", text.data);
	(void)fflush(stdout);
	if (!options->env_file)
		return 0;
	return fs_write_atomic(options->env_file, text.data, text.bytes, ENV_MODE, err);
}

static int loop(struct sim *sim, const struct sim_options *options, struct error *err)
{
	const struct http_options http_options = {
		.listen = options->listen,
		.control_token = options->control_token,
		.tls_cert = options->tls_cert,
		.tls_key = options->tls_key,
	};
	struct http *http = NULL;

	if (machines_start(sim, options->machines, options->machine_root, options->machine_dir,
			   options->instance, err) < 0 ||
	    http_start(sim, &http_options, &http, err) < 0)
		return -1;
	int result = announce(sim, options, http_url(http), err);
	if (result == 0) {
		int ended = sd_event_loop(sim->event);

		if (ended < 0)
			result = error_set_errno(err, ERR_INTERNAL, -ended, "the event loop broke");
	}
	http_stop(http);
	settle(sim);
	return result;
}

static sd_event *new_event(void)
{
	sd_event *event = NULL;
	sigset_t ends;

	CHECK(sigemptyset(&ends) == 0);
	CHECK(sigaddset(&ends, SIGTERM) == 0 && sigaddset(&ends, SIGINT) == 0);
	CHECK(sigprocmask(SIG_BLOCK, &ends, NULL) == 0);
	CHECK(signal(SIGPIPE, SIG_IGN) != SIG_ERR);
	CHECK(sd_event_new(&event) >= 0);
	/* Without a handler, the loop ends. */
	CHECK(sd_event_add_signal(event, NULL, SIGTERM, NULL, NULL) >= 0);
	CHECK(sd_event_add_signal(event, NULL, SIGINT, NULL, NULL) >= 0);
	return event;
}

static int simulate(const struct sim_options *options, struct error *err)
{
	struct sim_settings settings;
	struct sim sim;

	if (options_settings(options, &settings, err) < 0)
		return -1;
	sd_event *event = new_event();
	sim_init(&sim, event, &settings, options->clock_rate);
	int result = set_up(&sim, options, err);
	if (result == 0)
		result = loop(&sim, options, err);
	machines_stop(&sim);
	sim_release(&sim);
	sd_event_unref(event);
	return result;
}

int main(int argc, char **argv)
{
	struct sim_options options;
	struct error err;
	bool done = false;

	log_init(PROGRAM, LOG_LEVEL_INFO);
	int result =
		options_parse(&options, argc - 1, (const char **)(void *)(argv + 1), &done, &err);
	if (result == 0 && !done)
		result = options.clean ? machines_clean(options.machine_dir, options.instance, &err)
				       : simulate(&options, &err);
	options_release(&options);
	if (result == 0)
		return 0;
	(void)fprintf(stderr, PROGRAM ": %s\n", err.msg);
	if (err.hint[0])
		(void)fprintf(stderr, "%s\n", err.hint);
	return error_exit_code(err.code);
}
