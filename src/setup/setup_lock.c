#include "setup/setup_lock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fs.h"
#include "setup/server_stamp.h"

#define LOCK_PATH	SERVER_STAMP_DIR "/lock"
#define LOCK_TEXT_BYTES 16    /* a pid */
#define PATIENCE_MS	90000 /* less than what systemd gives rgrid-public-workers.service */
#define POLL_NS		(50L * 1000 * 1000)

/* Whoever holds it has written its pid before it did anything. */
static void read_holder(int fd, char out[LOCK_TEXT_BYTES])
{
	ssize_t bytes = pread(fd, out, LOCK_TEXT_BYTES - 1, 0);
	out[bytes > 0 ? bytes : 0] = '\0';
}

static int wait_for(int fd, struct error *err)
{
	uint64_t deadline_ms = clock_boottime_ms() + PATIENCE_MS;
	struct timespec pause = {.tv_nsec = POLL_NS};
	char holder[LOCK_TEXT_BYTES];

	for (bool told = false; flock(fd, LOCK_EX | LOCK_NB) < 0; told = true) {
		if (errno != EWOULDBLOCK && errno != EINTR)
			return error_set_errno(err, ERR_INTERNAL, errno, "cannot lock " LOCK_PATH);
		read_holder(fd, holder);
		if (clock_boottime_ms() >= deadline_ms) {
			(void)error_set(err, ERR_CONFLICT,
					"process %s sets this server up for a long time", holder);
			return error_hint(err, "see what it waits for, and end it: ps %s", holder);
		}
		if (!told)
			(void)fprintf(stderr, "waiting for process %s, which sets this server up\n",
				      holder);
		(void)nanosleep(&pause, NULL);
	}
	return 0;
}

int setup_lock_take(int *ret_fd, struct error *err)
{
	CLEANUP(cleanup_fd) int fd = -1;

	if (fs_mkdir_all(SERVER_STAMP_DIR, 0700, err) < 0)
		return -1;
	fd = open(LOCK_PATH, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return error_set_errno(err, ERR_INTERNAL, errno, "cannot open " LOCK_PATH);
	if (wait_for(fd, err) < 0)
		return -1;
	if (ftruncate(fd, 0) < 0 || dprintf(fd, "%d", getpid()) < 0)
		return error_set_errno(err, ERR_INTERNAL, errno, "cannot write to " LOCK_PATH);
	*ret_fd = TAKE_FD(fd);
	return 0;
}
