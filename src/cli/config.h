/* Where the server is and who we are. The first source that names a value wins:
 *   url    --url, RGRID_URL, .rgrid/config (here or in a directory above), credentials and config
 * of the user ($XDG_CONFIG_HOME/rgrid), /etc/rgrid/config token  RGRID_TOKEN, else the user's
 * credentials file - which is only good for the server it was written for: a project file that
 * names another server does not get the user's key. A project file never carries a token. */
#pragma once

#include <stdbool.h>

#include "base/buf.h"
#include "base/error.h"

#define CONFIG_NOTES_BYTES_MAX 4096

struct config {
	char *url;		     /* without a trailing '/'; NULL if nobody names one */
	char *url_from;		     /* "RGRID_URL" or a file's path */
	char *token;		     /* NULL if none is known for this url */
	char *ca_file;		     /* NULL: the system's authorities */
	bool token_is_for_other_url; /* there are credentials, but for another server */
};

/* What config_load looks at; tests bring their own. All borrowed; NULL where there is nothing. */
struct config_sources {
	const char *flag_url;
	const char *env_url;
	const char *env_token;
	const char *env_ca_file;
	const char *directory;	    /* where the search for .rgrid/config begins */
	const char *user_directory; /* "/home/u/.config/rgrid" */
	const char *system_file;    /* "/etc/rgrid/config" */
};

/* Reads everything. `notes` gets a line for each thing that is odd but no error (a credentials file
 * readable by others, an unknown key). */
MUST_CHECK int config_load(const struct config_sources *sources, struct config *ret,
			   struct buf *notes, struct error *err);
void config_release(struct config *config);
#define cleanup_config config_release

/* $XDG_CONFIG_HOME/rgrid or ~/.config/rgrid, to be freed; NULL without a home. */
char *config_user_directory(void);
/* Writes the credentials file, 0600, in `user_directory` (made 0700). */
MUST_CHECK int config_write_credentials(const char *user_directory, const char *url,
					const char *token, struct error *err);
/* http:// or https:// and a host; a new string without trailing '/'. */
MUST_CHECK int config_check_url(const char *url, char **ret, struct error *err);
