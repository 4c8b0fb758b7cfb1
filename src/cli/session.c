#include "cli/session.h"

#include <limits.h>
#include <unistd.h>

#include "cli/interrupt.h"

static void say_retry(void *context, const struct error *why)
{
	terminal_note(context, "%s; trying again", why->msg);
}

int session_load_config(const struct verb_call *call, struct config *ret, struct error *err)
{
	CLEANUP(cleanup_free) char *user_directory = config_user_directory();
	CLEANUP(cleanup_buf) struct buf notes = {0};
	char directory[PATH_MAX];
	const struct config_sources sources = {
		.flag_url = call->globals->url,
		.env_url = getenv("RGRID_URL"),
		.env_token = getenv("RGRID_TOKEN"),
		.env_ca_file = getenv("RGRID_CA_FILE"),
		.directory = getcwd(directory, sizeof(directory)),
		.user_directory = user_directory,
		.system_file = "/etc/rgrid/config",
	};
	int result;

	buf_init(&notes, CONFIG_NOTES_BYTES_MAX);
	result = config_load(&sources, ret, &notes, err);
	terminal_note_lines(call->terminal, notes.data);
	return result;
}

static int refuse_without_token(const struct config *config, struct error *err)
{
	if (!config->token_is_for_other_url) {
		error_set(err, ERR_UNAUTHENTICATED, "no key for %s is known", config->url);
		return error_hint(err, "run \"rgrid init\", or set RGRID_TOKEN");
	}
	error_set(err, ERR_UNAUTHENTICATED,
		  "the stored key is for another server than %s, which %s names", config->url,
		  config->url_from);
	return error_hint(err,
			  "set RGRID_TOKEN to a key of that server, or run \"rgrid init --url "
			  "%s\"",
			  config->url);
}

int session_open(const struct verb_call *call, struct session *ret, struct error *err)
{
	CLEANUP(cleanup_session) struct session session = {.terminal = call->terminal};
	struct api_options options;

	if (session_load_config(call, &session.config, err) != 0)
		return -1;
	if (!session.config.url) {
		error_set(err, ERR_UNAUTHENTICATED, "no server is known");
		return error_hint(err, "run \"rgrid init\" to store one, or start one here with "
				       "\"rgrid up\"");
	}
	if (!session.config.token)
		return refuse_without_token(&session.config, err);
	options = (struct api_options){
		.url = session.config.url,
		.token = session.config.token,
		.ca_file = session.config.ca_file,
		.interrupted = interrupt_flag(),
		.on_retry = say_retry,
		.context = call->terminal,
	};
	if (api_client_new(&options, &session.api, err) != 0)
		return -1;
	*ret = session;
	session = (struct session){0};
	return 0;
}

void session_release(struct session *session)
{
	api_client_free(session->api);
	config_release(&session->config);
	*session = (struct session){0};
}
