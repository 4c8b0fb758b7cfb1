#include "setup/orphans.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fs.h"
#include "base/str.h"
#include "core/limits.h"

#define CHILDREN_BYTES_MAX (256 * KIB)

int orphans_adopt(struct error *err)
{
	if (prctl(PR_SET_CHILD_SUBREAPER, 1) < 0)
		return error_set_errno(err, ERR_INTERNAL, errno, "cannot adopt orphans");
	return 0;
}

static bool is_known(pid_t pid, const pid_t *known, size_t known_count)
{
	for (size_t i = 0; i < known_count; i++) {
		if (known[i] == pid)
			return true;
	}
	return false;
}

size_t orphans_reap(const pid_t *known, size_t known_count, int signal)
{
	CLEANUP(cleanup_free) char *path = xasprintf("/proc/self/task/%d/children", getpid());
	CLEANUP(cleanup_buf) struct buf text;
	buf_init(&text, CHILDREN_BYTES_MAX);
	struct error ignored = {0}; /* without this file of the kernel orphans end by themselves */
	if (fs_read(AT_FDCWD, path, &text, &ignored) < 0)
		return 0;
	size_t left = 0;
	char *rest = text.data;
	char *word;
	while ((word = strsep(&rest, " \n")) != NULL) {
		uint64_t pid = 0;
		if (word[0] == '\0' || parse_u64(word, 2, INT32_MAX, &pid, &ignored) < 0 ||
		    is_known((pid_t)pid, known, known_count))
			continue;
		if (signal != 0)
			(void)kill((pid_t)pid, signal);
		if (waitpid((pid_t)pid, NULL, WNOHANG) == 0)
			left++;
	}
	return left;
}
