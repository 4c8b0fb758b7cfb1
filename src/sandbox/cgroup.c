#include "sandbox/cgroup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/fs.h"
#include "base/str.h"

#define LEAF "rgrid-worker"
#define FILE_BYTES_MAX 65536
#define EMPTY_TIMEOUT_MS 5000
#define CPU_PERIOD_US 100000ULL

enum layout { LAYOUT_NONE = 1, LAYOUT_V1, LAYOUT_V2 };

/* One tree in which each job has a directory: cgroup2 has one for everything, version 1 one per
 * controller. */
struct hierarchy {
	const char *name; /* of the version 1 controller; "" for cgroup2 */
	char *base;       /* ours, above the slots' directories */
};

struct cgroups {
	enum layout layout;
	struct hierarchy hierarchies[CGROUP_HIERARCHIES_MAX];
	size_t hierarchy_count;
	char *missing[CGROUP_LIMIT_COUNT];
};

static const char *const limit_controllers[CGROUP_LIMIT_COUNT] = {
	[CGROUP_MEMORY] = "memory", [CGROUP_PIDS] = "pids", [CGROUP_CPU] = "cpu"};

static int write_file(const char *directory, const char *file, const char *text)
{
	CLEANUP(cleanup_free) char *path = xasprintf("%s/%s", directory, file);
	CLEANUP(cleanup_fd) int fd = open(path, O_WRONLY | O_CLOEXEC);
	size_t bytes = strlen(text);
	return fd >= 0 && write(fd, text, bytes) == (ssize_t)bytes ? 0 : -1;
}

/* Empty text if it cannot be read. */
static void read_file(const char *directory, const char *file, struct buf *out)
{
	CLEANUP(cleanup_free) char *path = xasprintf("%s/%s", directory, file);
	struct error ignored;
	buf_clear(out);
	if (fs_read(AT_FDCWD, path, out, &ignored) < 0)
		buf_clear(out);
}

/* The number after `key` in lines of "key number"; with key NULL, the only number. 0: absent. */
static uint64_t read_number(const char *directory, const char *file, const char *key)
{
	CLEANUP(cleanup_buf) struct buf text;
	buf_init(&text, FILE_BYTES_MAX);
	read_file(directory, file, &text);
	char *rest = text.data;
	for (char *line; (line = strsep(&rest, "\n")) != NULL;) {
		const char *value = line;
		struct error ignored;
		uint64_t number;
		if (key != NULL) {
			value = strchr(line, ' ');
			if (value == NULL || strncmp(line, key, strlen(key)) != 0 ||
			    value != line + strlen(key))
				continue;
			value++;
		}
		if (parse_u64(value, 0, UINT64_MAX, &number, &ignored) == 0)
			return number;
	}
	return 0;
}

/* The path of the calling process below the cgroup2 mount, or NULL; to be freed. */
static char *own_group(const char *mount)
{
	CLEANUP(cleanup_buf) struct buf text;
	buf_init(&text, FILE_BYTES_MAX);
	read_file("/proc/self", "cgroup", &text);
	char *rest = text.data;
	for (char *line; (line = strsep(&rest, "\n")) != NULL;) {
		if (str_has_prefix(line, "0::/"))
			return xasprintf("%s%s", mount, line + strlen("0::"));
	}
	return NULL;
}

static bool is_v2(const char *mount)
{
	CLEANUP(cleanup_free) char *path = xasprintf("%s/cgroup.controllers", mount);
	return access(path, F_OK) == 0;
}

void cgroup_enter_leaf(const char *mount)
{
	if (!is_v2(mount))
		return;
	CLEANUP(cleanup_free) char *own = own_group(mount);
	if (own == NULL || str_has_suffix(own, "/" LEAF) || str_has_suffix(own, mount) ||
	    str_has_suffix(own, "/"))
		return;
	CLEANUP(cleanup_buf) struct buf procs;
	buf_init(&procs, FILE_BYTES_MAX);
	read_file(own, "cgroup.procs", &procs);
	CLEANUP(cleanup_free) char *alone = xasprintf("%d\n", getpid());
	if (!str_eq(procs.data, alone))
		return;
	CLEANUP(cleanup_free) char *leaf = xasprintf("%s/" LEAF, own);
	if (mkdir(leaf, 0755) == 0 || errno == EEXIST)
		(void)write_file(leaf, "cgroup.procs", "0");
}

__attribute__((format(printf, 3, 4))) static void
set_missing(struct cgroups *cgroups, enum cgroup_limit limit, const char *format, ...)
{
	if (cgroups->missing[limit] != NULL)
		return;
	va_list arguments;
	va_start(arguments, format);
	CHECK(vasprintf(&cgroups->missing[limit], format, arguments) >= 0);
	va_end(arguments);
}

static void set_all_missing(struct cgroups *cgroups, const char *why)
{
	cgroups->layout = LAYOUT_NONE;
	for (unsigned limit = 0; limit < CGROUP_LIMIT_COUNT; limit++)
		set_missing(cgroups, limit, "%s", why);
}

/* Takes `base` over. false: it could not be made (errno). */
static bool add_hierarchy(struct cgroups *cgroups, const char *name, char *base)
{
	if (mkdir(base, 0755) < 0 && errno != EEXIST) {
		int errnum = errno;
		free(base);
		errno = errnum;
		return false;
	}
	CHECK(cgroups->hierarchy_count < CGROUP_HIERARCHIES_MAX);
	cgroups->hierarchies[cgroups->hierarchy_count++] =
		(struct hierarchy){.name = name, .base = base};
	return true;
}

static void open_v1(struct cgroups *cgroups, const char *mount, const char *name)
{
	cgroups->layout = LAYOUT_V1;
	for (unsigned limit = 0; limit < CGROUP_LIMIT_COUNT; limit++) {
		const char *controller = limit_controllers[limit];
		char *base = xasprintf("%s/%s/rgrid-%s", mount, controller, name);
		if (!add_hierarchy(cgroups, controller, base))
			set_missing(cgroups, limit, "cannot write to %s/%s: %s", mount, controller,
				    strerror(errno));
	}
	/* For the account only: without it the job's CPU time is unknown. */
	(void)add_hierarchy(cgroups, "cpuacct", xasprintf("%s/cpuacct/rgrid-%s", mount, name));
}

/* Where our group can be made, with the controllers on: to be freed, or NULL. */
static char *find_v2_parent(const char *mount)
{
	CLEANUP(cleanup_free) char *own = own_group(mount);
	if (own != NULL && str_has_suffix(own, "/" LEAF)) {
		own[strlen(own) - strlen("/" LEAF)] = '\0';
		if (access(own, W_OK) == 0)
			return TAKE_PTR(own);
	}
	return access(mount, W_OK) == 0 ? xstrdup(mount) : NULL;
}

static void open_v2(struct cgroups *cgroups, const char *mount, const char *name)
{
	CLEANUP(cleanup_free) char *parent = find_v2_parent(mount);
	if (parent == NULL) {
		set_all_missing(cgroups, "the worker's control group is not delegated to it "
					 "(start it as a systemd unit with Delegate=yes)");
		return;
	}
	cgroups->layout = LAYOUT_V2;
	if (!add_hierarchy(cgroups, "", xasprintf("%s/rgrid-%s", parent, name))) {
		set_all_missing(cgroups, strerror(errno));
		return;
	}
	for (unsigned limit = 0; limit < CGROUP_LIMIT_COUNT; limit++) {
		CLEANUP(cleanup_free)
		char *enable = xasprintf("+%s", limit_controllers[limit]);
		if (write_file(parent, "cgroup.subtree_control", enable) < 0 ||
		    write_file(cgroups->hierarchies[0].base, "cgroup.subtree_control", enable) < 0)
			set_missing(cgroups, limit, "cannot switch the controller on in %s: %s",
				    parent, strerror(errno));
	}
}

struct cgroups *cgroups_new(const char *mount, const char *name)
{
	struct cgroups *cgroups = xcalloc(1, sizeof(*cgroups));
	if (is_v2(mount))
		open_v2(cgroups, mount, name);
	else
		open_v1(cgroups, mount, name);
	if (cgroups->hierarchy_count == 0)
		cgroups->layout = LAYOUT_NONE;
	return cgroups;
}

void cgroups_free(struct cgroups *cgroups)
{
	if (cgroups == NULL)
		return;
	for (size_t i = 0; i < cgroups->hierarchy_count; i++) {
		(void)rmdir(cgroups->hierarchies[i].base);
		free(cgroups->hierarchies[i].base);
	}
	for (unsigned limit = 0; limit < CGROUP_LIMIT_COUNT; limit++)
		free(cgroups->missing[limit]);
	free(cgroups);
}

const char *cgroups_missing(const struct cgroups *cgroups, enum cgroup_limit limit)
{
	return cgroups->missing[limit];
}

/* Kills every process listed. Returns whether there was any. */
static bool kill_listed(const char *directory)
{
	CLEANUP(cleanup_buf) struct buf procs;
	buf_init(&procs, FILE_BYTES_MAX * 8);
	read_file(directory, "cgroup.procs", &procs);
	bool any = false;
	char *rest = procs.data;
	for (char *line; (line = strsep(&rest, "\n")) != NULL;) {
		uint64_t pid;
		struct error ignored;
		if (parse_u64(line, 0, INT32_MAX, &pid, &ignored) < 0)
			continue;
		any = true;
		if (pid > 1) /* 0: outside of our pid namespace */
			(void)kill((pid_t)pid, SIGKILL);
	}
	return any;
}

/* Kills what is inside, waits for the kernel to let go, removes it. */
static int remove_directory(const char *directory, struct error *err)
{
	uint64_t deadline_ms = clock_boottime_ms() + EMPTY_TIMEOUT_MS;
	while (rmdir(directory) < 0 && errno != ENOENT) {
		if (errno != EBUSY)
			return error_set_errno(err, ERR_INTERNAL, errno, "cannot remove %s",
					       directory);
		if (clock_boottime_ms() > deadline_ms)
			return error_set(err, ERR_CONFLICT, "%s still has processes", directory);
		/* No new ones; then the old ones. */
		(void)write_file(directory, "pids.max", "0");
		(void)write_file(directory, "cgroup.kill", "1");
		(void)kill_listed(directory);
		(void)poll(NULL, 0, 1);
	}
	return 0;
}

int cgroups_reap(struct cgroups *cgroups, struct error *err)
{
	for (size_t i = 0; i < cgroups->hierarchy_count; i++) {
		const char *base = cgroups->hierarchies[i].base;
		CLEANUP(cleanup_dir) DIR *entries = opendir(base);
		if (entries == NULL)
			return error_set_errno(err, ERR_INTERNAL, errno, "cannot read %s", base);
		for (const struct dirent *entry; (entry = readdir(entries)) != NULL;) {
			if (!str_has_prefix(entry->d_name, "slot-"))
				continue;
			CLEANUP(cleanup_free)
			char *directory = xasprintf("%s/%s", base, entry->d_name);
			if (remove_directory(directory, err) < 0)
				return error_wrap(err, "leftovers of an earlier worker");
		}
	}
	return 0;
}

static char *slot_directory(const struct cgroup *cgroup, size_t hierarchy)
{
	return xasprintf("%s/slot-%zu", cgroup->owner->hierarchies[hierarchy].base, cgroup->slot);
}

/* NULL if there is none for that version 1 controller; to be freed. */
static char *controller_directory(const struct cgroup *cgroup, const char *controller)
{
	const struct cgroups *owner = cgroup->owner;
	for (size_t i = 0; i < owner->hierarchy_count; i++) {
		const char *name = owner->hierarchies[i].name;
		if (name[0] == '\0' || str_eq(name, controller))
			return slot_directory(cgroup, i);
	}
	return NULL;
}

static int set_limit(const struct cgroup *cgroup, enum cgroup_limit limit, const char *file,
		     const char *value, struct error *err)
{
	if (cgroup->owner->missing[limit] != NULL)
		return 0;
	CLEANUP(cleanup_free)
	char *directory = controller_directory(cgroup, limit_controllers[limit]);
	CHECK(directory != NULL);
	if (write_file(directory, file, value) == 0)
		return 0;
	return error_set_errno(err, ERR_INTERNAL, errno, "cannot set %s to %s in %s", file, value,
			       directory);
}

/* Swap counts as memory, where the kernel counts swap at all. */
static void set_swap(const struct cgroup *cgroup, const char *file, const char *value)
{
	struct error ignored;
	(void)!set_limit(cgroup, CGROUP_MEMORY, file, value, &ignored);
}

static int set_limits(const struct cgroup *cgroup, const struct job_limits *limits,
		      uint64_t pids_extra, struct error *err)
{
	char memory[32];
	char pids[32];
	char cpu[64];
	uint64_t quota_us = limits->cpu_millis * CPU_PERIOD_US / 1000;
	(void)snprintf(memory, sizeof(memory), "%" PRIu64, limits->memory_bytes);
	(void)snprintf(pids, sizeof(pids), "%" PRIu64, limits->pids + pids_extra);
	if (set_limit(cgroup, CGROUP_PIDS, "pids.max", pids, err) < 0)
		return -1;
	if (cgroup->owner->layout == LAYOUT_V2) {
		(void)snprintf(cpu, sizeof(cpu), "%" PRIu64 " %llu", quota_us, CPU_PERIOD_US);
		set_swap(cgroup, "memory.swap.max", "0");
		return set_limit(cgroup, CGROUP_MEMORY, "memory.max", memory, err) < 0
			       ? -1
			       : set_limit(cgroup, CGROUP_CPU, "cpu.max", cpu, err);
	}
	(void)snprintf(cpu, sizeof(cpu), "%" PRIu64, quota_us);
	if (set_limit(cgroup, CGROUP_MEMORY, "memory.limit_in_bytes", memory, err) < 0)
		return -1;
	set_swap(cgroup, "memory.memsw.limit_in_bytes", memory);
	return set_limit(cgroup, CGROUP_CPU, "cpu.cfs_quota_us", cpu, err);
}

int cgroup_make(struct cgroup *cgroup, struct cgroups *cgroups, size_t slot,
		const struct job_limits *limits, uint64_t pids_extra, struct error *err)
{
	*cgroup = (struct cgroup){.owner = cgroups, .slot = slot};
	for (size_t i = 0; i < cgroups->hierarchy_count; i++) {
		CLEANUP(cleanup_free) char *directory = slot_directory(cgroup, i);
		CLEANUP(cleanup_free) char *procs = xasprintf("%s/cgroup.procs", directory);
		if (mkdir(directory, 0755) < 0 && errno != EEXIST)
			return error_set_errno(err, ERR_INTERNAL, errno, "cannot make %s",
					       directory);
		int fd = open(procs, O_WRONLY | O_CLOEXEC);
		if (fd < 0)
			return error_set_errno(err, ERR_INTERNAL, errno, "cannot open %s", procs);
		cgroup->join_fds[cgroup->join_count++] = fd;
	}
	return set_limits(cgroup, limits, pids_extra, err);
}

int cgroup_join(const struct cgroup *cgroup)
{
	for (size_t i = 0; i < cgroup->join_count; i++) {
		if (write(cgroup->join_fds[i], "0", 1) != 1)
			return -1;
	}
	return 0;
}

static uint64_t account(const struct cgroup *cgroup, const char *controller, const char *file,
			const char *key)
{
	CLEANUP(cleanup_free) char *directory = controller_directory(cgroup, controller);
	return directory != NULL ? read_number(directory, file, key) : 0;
}

void cgroup_read_usage(const struct cgroup *cgroup, struct cgroup_usage *ret)
{
	*ret = (struct cgroup_usage){0};
	if (cgroup->owner == NULL)
		return;
	ret->out_of_pids = account(cgroup, "pids", "pids.events", "max") > 0;
	if (cgroup->owner->layout == LAYOUT_V2) {
		ret->out_of_memory = account(cgroup, "memory", "memory.events", "oom_kill") > 0;
		ret->memory_peak_bytes = account(cgroup, "memory", "memory.peak", NULL);
		ret->cpu_us = account(cgroup, "cpu", "cpu.stat", "usage_usec");
		return;
	}
	ret->out_of_memory = account(cgroup, "memory", "memory.oom_control", "oom_kill") > 0;
	ret->memory_peak_bytes =
		account(cgroup, "memory", "memory.max_usage_in_bytes", NULL);
	ret->cpu_us = account(cgroup, "cpuacct", "cpuacct.usage", NULL) / 1000;
}

void cgroup_release(struct cgroup *cgroup)
{
	for (size_t i = 0; i < cgroup->join_count; i++)
		cleanup_fd(&cgroup->join_fds[i]);
	for (size_t i = 0; cgroup->owner != NULL && i < cgroup->owner->hierarchy_count; i++) {
		CLEANUP(cleanup_free) char *directory = slot_directory(cgroup, i);
		struct error ignored; /* reaped at the next open */
		(void)!remove_directory(directory, &ignored);
	}
	*cgroup = (struct cgroup){0};
}
