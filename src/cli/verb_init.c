#include <termios.h>
#include <unistd.h>

#include "base/str.h"
#include "cli/session.h"
#include "core/api_key.h"

#define URL_DEFAULT  "http://127.0.0.1:8000"
#define ANSWER_BYTES 1024

/* A line from standard input without its end; false at the end of file. */
static bool read_line(char answer[ANSWER_BYTES])
{
	if (!fgets(answer, ANSWER_BYTES, stdin))
		return false;
	answer[strcspn(answer, "\r\n")] = '\0';
	return true;
}

static void prompt(struct terminal *terminal, const char *question)
{
	terminal_line_clear(terminal);
	(void)fputs(question, stderr);
	(void)fflush(stderr);
}

/* Reads without showing what is typed. */
static bool read_secret(struct terminal *terminal, char answer[ANSWER_BYTES])
{
	struct termios shown, hidden;
	bool is_tty = tcgetattr(STDIN_FILENO, &shown) == 0;
	bool got;

	if (is_tty) {
		prompt(terminal, "Key (rgk_..., not shown): ");
		hidden = shown;
		hidden.c_lflag &= ~(tcflag_t)ECHO;
		(void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &hidden);
	}
	got = read_line(answer);
	if (is_tty) {
		(void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &shown);
		prompt(terminal, "\n");
	}
	return got;
}

static int check_token(const char *token, struct error *err)
{
	char label[API_KEY_LABEL_BYTES];

	if (api_key_check(token, label))
		return 0;
	error_set(err, ERR_INVALID, "that is not a whole key");
	return error_hint(err, "a key looks like rgk_... and carries a checksum; copy all of it");
}

/* Asks the server who we are. */
static int verify(const struct verb_call *call, const char *url, const char *token,
		  const char *ca_file, json_t **ret, struct error *err)
{
	CLEANUP(cleanup_api_client) struct api_client *api = NULL;
	const struct api_options options = {.url = url, .token = token, .ca_file = ca_file};

	(void)call;
	if (api_client_new(&options, &api, err) != 0)
		return -1;
	if (api_get(api, "/api/v1/keys/self", ret, err) != 0)
		return error_wrap(err, "nothing was stored");
	return 0;
}

static int store(const struct verb_call *call, const char *url, const char *token,
		 const json_t *self, struct error *err)
{
	CLEANUP(cleanup_free) char *directory = config_user_directory();
	const char *project = api_text(self, "project");

	if (!directory)
		return error_set(err, ERR_INVALID, "HOME is not set: nowhere to store the key");
	if (config_write_credentials(directory, url, token, err) != 0)
		return error_wrap(err, "cannot store the key");
	terminal_note(call->terminal, "%s, project %s: stored in %s/credentials", url,
		      project ? project : "?", directory);
	if (getenv("RGRID_URL") || getenv("RGRID_TOKEN"))
		terminal_note(call->terminal,
			      "RGRID_URL or RGRID_TOKEN is set and goes before what was stored");
	return 0;
}

/* What the options left open is asked for, or read from a pipe. */
static int ask(const struct verb_call *call, const char *known_url, char **url, char **token,
	       struct error *err)
{
	char answer[ANSWER_BYTES] = "";

	if (!*url && isatty(STDIN_FILENO)) {
		CLEANUP(cleanup_free)
		char *question = xasprintf("Server [%s]: ", known_url ? known_url : URL_DEFAULT);

		prompt(call->terminal, question);
		if (!read_line(answer))
			return error_set(err, ERR_INVALID, "nothing was entered");
	}
	if (!*url)
		*url = xstrdup(answer[0] ? answer : known_url ? known_url : URL_DEFAULT);
	if (!*token) {
		if (!read_secret(call->terminal, answer) || answer[0] == '\0')
			return error_set(err, ERR_INVALID, "no key was given");
		*token = xstrdup(answer);
	}
	return 0;
}

static int init(const struct verb_call *call, const char *url_option, const char *token_option,
		struct error *err)
{
	CLEANUP(cleanup_config) struct config config = {0};
	CLEANUP(cleanup_free) char *url = NULL;
	CLEANUP(cleanup_free) char *token = token_option ? xstrdup(token_option) : NULL;
	CLEANUP(cleanup_free) char *checked = NULL;
	CLEANUP(cleanup_json) json_t *self = NULL;

	if (!url_option)
		url_option = call->globals->url;
	url = url_option ? xstrdup(url_option) : NULL;
	if (session_load_config(call, &config, err) != 0)
		return -1;
	if (ask(call, config.url, &url, &token, err) != 0 ||
	    config_check_url(url, &checked, err) != 0 || check_token(token, err) != 0 ||
	    verify(call, checked, token, config.ca_file, &self, err) != 0)
		return -1;
	return store(call, checked, token, self, err);
}

int verb_init(struct verb_call *call, struct error *err)
{
	const char *url = NULL, *token = NULL;
	const struct opt options[] = {
		OPT_STR(0, "url", "URL", &url, "Address of the server", NULL),
		OPT_STR(0, "token", "KEY", &token,
			"The key; better typed or piped in, where no process list shows it", NULL),
	};
	struct opt_command command = {
		.synopsis = "[--url URL] [--token KEY]",
		.description = "Asks the server whether the key is good and stores both in "
			       "$XDG_CONFIG_HOME/rgrid/credentials, readable by you alone. What "
			       "is not given is asked for; without a terminal the key is read "
			       "from standard input.",
		.examples = "  rgrid init --url https://grid.example.org\n"
			    "  rgrid init --url http://127.0.0.1:8000 < key.txt\n",
		.options = options,
		.option_count = ARRAY_SIZE(options),
	};
	int parsed = verb_parse(call, &command, 0, 0, err);

	return parsed <= 0 ? parsed : init(call, url, token, err);
}
