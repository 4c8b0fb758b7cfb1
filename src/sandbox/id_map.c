#include "sandbox/id_map.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pwd.h>
#include <stdint.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fs.h"
#include "base/spawn.h"
#include "base/str.h"
#include "sandbox/host_program.h"

#define MAP_TEXT_BYTES_MAX 8192
#define SUBORDINATE_BYTES_MAX (1U << 20)

static int write_proc(pid_t pid, const char *file, const char *text, struct error *err)
{
	CLEANUP(cleanup_free) char *path = xasprintf("/proc/%d/%s", pid, file);
	CLEANUP(cleanup_fd) int fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return error_set_errno(err, ERR_FORBIDDEN, errno, "cannot open %s", path);
	return fs_write_all(fd, text, strlen(text), err) < 0 ? error_wrap(err, "%s", file) : 0;
}

struct subordinate {
	uint64_t first;
	uint64_t count;
};

static bool is_owner(const char *owner, uid_t uid)
{
	uint64_t number;
	struct error ignored;
	if (parse_u64(owner, 0, UINT32_MAX, &number, &ignored) == 0)
		return number == uid;
	const struct passwd *user = getpwuid(uid);
	return user != NULL && str_eq(user->pw_name, owner);
}

/* The first range of `uid` in /etc/subuid or /etc/subgid (name:first:count); false: none. */
static bool subordinate_find(const char *path, uid_t uid, struct subordinate *ret)
{
	CLEANUP(cleanup_buf) struct buf text;
	buf_init(&text, SUBORDINATE_BYTES_MAX);
	struct error ignored;
	if (fs_read(AT_FDCWD, path, &text, &ignored) < 0)
		return false;
	char *rest = text.data;
	for (char *line; (line = strsep(&rest, "\n")) != NULL;) {
		const char *owner = strsep(&line, ":");
		const char *first = strsep(&line, ":");
		struct subordinate found;
		if (first == NULL || line == NULL || !is_owner(owner, uid))
			continue;
		if (parse_u64(first, 1, UINT32_MAX, &found.first, &ignored) == 0 &&
		    parse_u64(line, 1, UINT32_MAX, &found.count, &ignored) == 0) {
			*ret = found;
			return true;
		}
	}
	return false;
}

/* Through newuidmap or newgidmap, which may do what we may not. */
static bool map_by_helper(const char *helper, pid_t pid, unsigned own,
			  const struct subordinate *range)
{
	struct error ignored;
	CLEANUP(cleanup_free) char *program = host_program_find(helper);
	if (program == NULL)
		return false;
	CLEANUP(cleanup_free) char *pid_text = xasprintf("%d", pid);
	CLEANUP(cleanup_free) char *own_text = xasprintf("%u", own);
	CLEANUP(cleanup_free) char *first_text = xasprintf("%" PRIu64, range->first);
	CLEANUP(cleanup_free) char *count_text = xasprintf("%" PRIu64, range->count);
	const char *argv[] = {program, pid_text, "0", own_text,   "1",
			      "1",     first_text, count_text, NULL};
	struct spawn_options options = {.argv = argv, .stdin_fd = -1};
	CLEANUP(cleanup_buf) struct buf output;
	buf_init(&output, MAP_TEXT_BYTES_MAX);
	int status;
	return spawn_wait(&options, &output, &status, &ignored) == 0 && WIFEXITED(status) &&
	       WEXITSTATUS(status) == 0;
}

int id_map_write_own(pid_t pid, struct error *err)
{
	struct subordinate uids;
	struct subordinate gids;
	if (subordinate_find("/etc/subuid", getuid(), &uids) &&
	    subordinate_find("/etc/subgid", getuid(), &gids) &&
	    map_by_helper("newuidmap", pid, getuid(), &uids) &&
	    map_by_helper("newgidmap", pid, getgid(), &gids))
		return 0;
	/* A helper may have succeeded alone: a map is written once, so leave that one. */
	CLEANUP(cleanup_free) char *uid_map = xasprintf("0 %u 1\n", geteuid());
	CLEANUP(cleanup_free) char *gid_map = xasprintf("0 %u 1\n", getegid());
	if (write_proc(pid, "uid_map", uid_map, err) < 0 && err->errnum != EPERM)
		return -1;
	error_clear(err);
	if (write_proc(pid, "setgroups", "deny", err) < 0 ||
	    write_proc(pid, "gid_map", gid_map, err) < 0)
		return -1;
	return 0;
}

/* The largest id that is mapped, and whether [first, first + count) is, in one extent. */
static unsigned map_inspect(const char *text, uint64_t first, uint64_t count, bool *ret_covers)
{
	uint64_t last = 0;
	*ret_covers = false;
	CLEANUP(cleanup_free) char *copy = xstrdup(text);
	char *rest = copy;
	for (char *line; (line = strsep(&rest, "\n")) != NULL;) {
		uint64_t inside;
		uint64_t length;
		if (sscanf(line, "%" SCNu64 " %*u %" SCNu64, &inside, &length) != 2 || length == 0)
			continue;
		if (inside + length - 1 > last)
			last = inside + length - 1;
		if (inside <= first && first + count <= inside + length)
			*ret_covers = true;
	}
	return (unsigned)last;
}

int id_map_slot_of(const char *uid_map, const char *gid_map, size_t slot, size_t slots,
		   struct slot_ids *ret, struct error *err)
{
	bool uids_covered;
	bool gids_covered;
	uint64_t wanted = (uint64_t)slots * HOST_IDS_PER_SLOT;
	unsigned uid_last = map_inspect(uid_map, HOST_IDS_FIRST, wanted, &uids_covered);
	unsigned gid_last = map_inspect(gid_map, HOST_IDS_FIRST, wanted, &gids_covered);
	if (uids_covered && gids_covered) {
		unsigned first = HOST_IDS_FIRST + (unsigned)slot * HOST_IDS_PER_SLOT;
		*ret = (struct slot_ids){
			.namespace_root = first, .job = first + JOB_ID, .job_inside = JOB_ID};
		return 0;
	}
	unsigned last = uid_last < gid_last ? uid_last : gid_last;
	if (last == 0) {
		*ret = (struct slot_ids){.single = true};
		return 0;
	}
	if (last < 2 * slots) {
		error_set(err, ERR_UNPROCESSABLE, "%u subordinate ids are too few for %zu slots",
			  last, slots);
		return error_hint(err, "each slot needs two; enlarge /etc/subuid and /etc/subgid, "
				       "or lower the number of slots");
	}
	unsigned top = last - 2 * (unsigned)slot;
	*ret = (struct slot_ids){
		.namespace_root = top - 1, .job = top, .job_inside = JOB_ID};
	return 0;
}

int id_map_slot(size_t slot, size_t slots, struct slot_ids *ret, struct error *err)
{
	CLEANUP(cleanup_buf) struct buf uid_map;
	CLEANUP(cleanup_buf) struct buf gid_map;
	buf_init(&uid_map, MAP_TEXT_BYTES_MAX);
	buf_init(&gid_map, MAP_TEXT_BYTES_MAX);
	if (fs_read(AT_FDCWD, "/proc/self/uid_map", &uid_map, err) < 0 ||
	    fs_read(AT_FDCWD, "/proc/self/gid_map", &gid_map, err) < 0)
		return -1;
	return id_map_slot_of(uid_map.data, gid_map.data, slot, slots, ret, err);
}

int id_map_write_slot(pid_t pid, const struct slot_ids *ids, struct error *err)
{
	CLEANUP(cleanup_free)
	char *map = ids->single ? xstrdup("0 0 1\n")
				: xasprintf("0 %u 1\n%u %u 1\n", ids->namespace_root,
					    ids->job_inside, ids->job);
	/* The gid map of a single id may be written only where groups cannot be changed. */
	if (ids->single && write_proc(pid, "setgroups", "deny", err) < 0)
		return -1;
	if (write_proc(pid, "uid_map", map, err) < 0 || write_proc(pid, "gid_map", map, err) < 0)
		return -1;
	return 0;
}
