#include "cli/stdin_spool.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "core/limits.h"

#define PIECE_BYTES   (128ULL * 1024)
#define NOTE_AFTER_MS 2000

/* An unnamed file in $TMPDIR; a named one, unlinked at once, where the file system knows no such.
 */
static int open_temporary(struct error *err)
{
	const char *directory = getenv("TMPDIR");
	CLEANUP(cleanup_free) char *name = NULL;
	int fd;

	if (!directory || !directory[0])
		directory = "/tmp";
	fd = open(directory, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (fd >= 0)
		return fd;
	name = xasprintf("%s/rgrid-stdin-XXXXXX", directory);
	fd = mkostemp(name, O_CLOEXEC);
	if (fd < 0)
		return error_set_errno(err, ERR_NO_SPACE, errno,
				       "cannot make a temporary file in %s", directory);
	(void)unlink(name);
	return fd;
}

static void note_if_slow(struct terminal *terminal, bool *noted)
{
	struct pollfd ready = {.fd = STDIN_FILENO, .events = POLLIN};

	if (*noted || poll(&ready, 1, NOTE_AFTER_MS) != 0)
		return;
	terminal_note(terminal, "waiting for standard input to end; use --no-stdin to leave it "
				"alone");
	*noted = true;
}

/* Reads `from` to its end; copies to `to` unless that is -1. */
static int take_all(int from, int to, struct terminal *terminal, struct stdin_spool *spool,
		    struct error *err)
{
	CLEANUP(cleanup_sha256) struct sha256 *digest = sha256_new();
	CLEANUP(cleanup_free) char *piece = xcalloc(1, PIECE_BYTES);
	bool noted = to < 0; /* a file keeps nobody waiting */

	for (;;) {
		ssize_t bytes;

		note_if_slow(terminal, &noted);
		bytes = read(from, piece, PIECE_BYTES);
		if (bytes == 0)
			break;
		if (bytes < 0 && errno == EAGAIN) {
			struct pollfd ready = {.fd = from, .events = POLLIN};

			(void)poll(&ready, 1, -1); /* read again either way */
			continue;
		}
		if (bytes < 0 && errno != EINTR)
			return error_set_errno(err, ERR_INVALID, errno,
					       "cannot read standard input");
		if (bytes < 0)
			continue;
		sha256_update(digest, piece, (size_t)bytes);
		spool->size_bytes += (uint64_t)bytes;
		if (spool->size_bytes > LIMIT_BLOB_BYTES)
			return error_set(err, ERR_TOO_LARGE,
					 "standard input is larger than %llu GiB",
					 LIMIT_BLOB_BYTES / GIB);
		if (to >= 0 && fs_write_all(to, piece, (size_t)bytes, err) != 0)
			return error_wrap(err, "cannot keep standard input");
	}
	sha256_finish(digest, spool->sha256);
	return 0;
}

int stdin_spool_read(struct terminal *terminal, struct stdin_spool *ret, struct error *err)
{
	CLEANUP(cleanup_stdin_spool) struct stdin_spool spool = {.fd = -1};
	struct stat status;
	bool is_file;

	*ret = (struct stdin_spool){.fd = -1};
	if (fstat(STDIN_FILENO, &status) != 0)
		return 0;
	is_file = S_ISREG(status.st_mode);
	if (!is_file && !S_ISFIFO(status.st_mode) && !S_ISSOCK(status.st_mode))
		return 0;
	/* A file that nobody has read from yet is sent as it stands; it may still only be appended
	 * to. */
	if (is_file && lseek(STDIN_FILENO, 0, SEEK_CUR) == 0) {
		spool.fd = STDIN_FILENO;
		if (take_all(STDIN_FILENO, -1, terminal, &spool, err) != 0)
			return -1;
	} else {
		spool.fd = open_temporary(err);
		spool.is_own_fd = true;
		if (spool.fd < 0 || take_all(STDIN_FILENO, spool.fd, terminal, &spool, err) != 0)
			return -1;
	}
	if (spool.size_bytes == 0)
		return 0;
	*ret = spool;
	spool = (struct stdin_spool){.fd = -1};
	return 0;
}

void stdin_spool_release(struct stdin_spool *spool)
{
	if (spool->is_own_fd)
		cleanup_fd(&spool->fd);
	*spool = (struct stdin_spool){.fd = -1};
}
