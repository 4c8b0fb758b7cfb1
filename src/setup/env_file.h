/* The orchestrator's environment file, of which two names are ours to write: RGRID_NETWORK_ID and
 * RGRID_PRIVATE_DB_IP switch the private network on.
 *
 * What we write stands in one block between two marks. Every line that is neither in the block nor
 * assigns one of the two names stays as it is, byte by byte. Assignments of the two names outside
 * of the block are commented out whenever the file is changed: the last one would win, so that two
 * of them are two truths. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/error.h"

#define ENV_FILE_DEFAULT   "/etc/rgrid/orchestrator.env"
#define ENV_FILE_BYTES_MAX ((size_t)1024 * 1024)
#define ENV_VALUE_BYTES	   128

#define ENV_NETWORK_ID "RGRID_NETWORK_ID"
#define ENV_DB_IP      "RGRID_PRIVATE_DB_IP"

/* What is in force: of several assignments the last. "" is unset. Quotes are taken off, all else is
 * as it stands, since systemd knows no comments behind a value. */
struct env_values {
	char network_id[ENV_VALUE_BYTES];
	char db_ip[ENV_VALUE_BYTES];
	unsigned network_id_count, db_ip_count; /* assignments that are not comments */
};

/* Pure: text in, values or text out (appended to out). */
void env_text_read(const char *text, size_t bytes, struct env_values *ret);
/* The value of any name that the text assigns, appended to out, without quotes around it; of
 * several the last. False when there is none. */
bool env_text_find(const char *text, size_t bytes, const char *name, struct buf *out);
/* The text in which the two have these values; the very same text if they have them already. */
void env_text_set(const char *text, size_t bytes, const char *network_id, const char *db_ip,
		  struct buf *out);
/* The text in which neither is set. */
void env_text_unset(const char *text, size_t bytes, struct buf *out);

/* Any other name that is ours to write. The value has no quotes, line ends and backslashes. */
struct env_assignment {
	const char *name, *value;
};
/* The text in which the name has this value: the last line that assigns it, which is the one in
 * force, is replaced; without one it goes to the end. All other lines stay, byte by byte. */
void env_text_assign(const char *text, size_t bytes, const struct env_assignment *assignment,
		     struct buf *out);

/* The text without the lines that assign one of the names; all others stay, byte by byte. */
void env_text_remove(const char *text, size_t bytes, const char *const *names, size_t count,
		     struct buf *out);

/* An absent file sets nothing: *ret_exists (may be NULL) tells. */
MUST_CHECK int env_file_read(const char *path, struct env_values *ret, bool *ret_exists,
			     struct error *err);
/* As env_text_find; false also when the file cannot be read. */
bool env_file_find(const char *path, const char *name, struct buf *out);
/* Atomic and durable; owner and mode stay, a new file is 0640. The directory must exist.
 * *ret_changed: whether the file had to be written. */
MUST_CHECK int env_file_set(const char *path, const char *network_id, const char *db_ip,
			    bool *ret_changed, struct error *err);
/* As env_file_set, for all of them in one write. */
MUST_CHECK int env_file_assign(const char *path, const struct env_assignment *assignments,
			       size_t count, bool *ret_changed, struct error *err);
/* For secrets, which no comment is to keep. An absent file is fine. */
MUST_CHECK int env_file_remove(const char *path, const char *const *names, size_t count,
			       struct error *err);
/* An absent file is fine. */
MUST_CHECK int env_file_unset(const char *path, bool *ret_changed, struct error *err);
/* Whether env_file_set can write there: the directory exists and takes files from us. */
bool env_file_is_writable(const char *path);
