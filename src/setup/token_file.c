#include "setup/token_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/str.h"
#include "setup/env_file.h"

#define PRIVATE_MODE 0600
#define TOKEN_CHARS  "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-"

/* In the order in which the client looks for them. */
static const char *const names[] = {"HETZNER_API_TOKEN", "HCLOUD_TOKEN"};

bool token_file_find(const char *path, struct buf *out)
{
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		buf_clear(out);
		if (env_file_find(path, names[i], out) && out->bytes > 0)
			return true;
	}
	return false;
}

bool token_file_is_private(const char *path)
{
	struct stat status;

	return lstat(path, &status) == 0 && S_ISREG(status.st_mode) && status.st_uid == 0 &&
	       (status.st_mode & 077) == 0;
}

/* Owner and mode before the token comes in. */
static int make_private(const char *path, struct error *err)
{
	CLEANUP(cleanup_fd)
	int fd = open(path, O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, PRIVATE_MODE);

	if (fd < 0 || fchown(fd, 0, 0) != 0 || fchmod(fd, PRIVATE_MODE) != 0)
		return error_set_errno(err, ERR_FORBIDDEN, errno, "cannot own %s", path);
	return 0;
}

static int write_token(const char *path, const char *from, const char *token, struct error *err)
{
	const struct env_assignment assignment = {names[0], token};
	bool changed = false;

	if (token[strspn(token, TOKEN_CHARS)] != '\0')
		return error_set(err, ERR_INVALID, "what %s has for a token is none", from);
	return env_file_assign(path, &assignment, 1, &changed, err);
}

int token_file_collect(const char *path, const char *const *others, size_t count, struct error *err)
{
	CLEANUP(cleanup_buf) struct buf token;

	buf_init(&token, ENV_FILE_BYTES_MAX);
	if (make_private(path, err) < 0)
		return -1;
	bool has = token_file_find(path, &token);
	for (size_t i = 0; i < count; i++) {
		/* It is in its new place before it leaves the old one. */
		if (!has && token_file_find(others[i], &token)) {
			if (write_token(path, others[i], token.data, err) < 0)
				return -1;
			has = true;
		}
		if (env_file_remove(others[i], names, ARRAY_SIZE(names), err) < 0)
			return -1;
	}
	return 0;
}

void token_file_adopt(const char *path)
{
	CLEANUP(cleanup_buf) struct buf token;

	buf_init(&token, ENV_FILE_BYTES_MAX);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		const char *value = getenv(names[i]);
		if (value != NULL && value[0] != '\0')
			return;
	}
	if (token_file_find(path, &token))
		(void)setenv(names[0], token.data, 1);
}
