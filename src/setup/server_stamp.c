#include "setup/server_stamp.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fs.h"
#include "base/str.h"

#define PIECE_BYTES ((size_t)32 * 1024)

static int add_file(struct sha256 *digest, const char *path, struct error *err)
{
	char piece[PIECE_BYTES];
	ssize_t bytes = 0;
	CLEANUP(cleanup_fd) int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0 && errno != ENOENT)
		return error_set_errno(err, ERR_INTERNAL, errno, "cannot read %s", path);
	/* With the NUL, and a word on whether it is there: no two lists read alike. */
	sha256_update(digest, path, strlen(path) + 1);
	sha256_update(digest, fd < 0 ? "-" : "+", 1);
	while (fd >= 0 && (bytes = read(fd, piece, sizeof(piece))) > 0)
		sha256_update(digest, piece, (size_t)bytes);
	return bytes < 0 ? error_set_errno(err, ERR_INTERNAL, errno, "cannot read %s", path) : 0;
}

int server_stamp_make(const char *text, const char *const *paths, size_t count,
		      struct server_stamp *ret, struct error *err)
{
	CLEANUP(cleanup_sha256) struct sha256 *digest = sha256_new();
	uint8_t bytes[SHA256_BYTES];

	sha256_update(digest, text, strlen(text) + 1);
	for (size_t i = 0; i < count; i++) {
		if (add_file(digest, paths[i], err) < 0)
			return -1;
	}
	sha256_finish(digest, bytes);
	sha256_to_hex(bytes, ret->hex);
	return 0;
}

static char *path_of(const char *name)
{
	return xasprintf("%s/%s", SERVER_STAMP_DIR, name);
}

bool server_stamp_is_kept(const char *name, const struct server_stamp *stamp)
{
	CLEANUP(cleanup_free) char *path = path_of(name);
	CLEANUP(cleanup_buf) struct buf kept;
	struct error absent = {0};

	buf_init(&kept, SHA256_HEX_BYTES);
	return fs_read(AT_FDCWD, path, &kept, &absent) == 0 && kept.bytes > 0 &&
	       str_eq(kept.data, stamp->hex);
}

int server_stamp_keep(const char *name, const struct server_stamp *stamp, struct error *err)
{
	CLEANUP(cleanup_free) char *path = path_of(name);

	if (fs_mkdir_all(SERVER_STAMP_DIR, 0700, err) < 0)
		return -1;
	return fs_write_atomic(path, stamp->hex, strlen(stamp->hex), 0600, err);
}
