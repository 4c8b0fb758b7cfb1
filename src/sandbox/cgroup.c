#include "sandbox/cgroup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/str.h"

#define CGROUP_ROOT	   "/sys/fs/cgroup"
#define CPU_PERIOD_US	   100000
#define REMOVE_DEADLINE_MS 2000
#define KILL_ROUNDS	   100
#define PATH_BYTES	   512

/* In version 1 each has a hierarchy of its own; ACCOUNT counts CPU time. Version 2 has one. */
enum hierarchy {
	HIERARCHY_MEMORY,
	HIERARCHY_PIDS,
	HIERARCHY_CPU,
	HIERARCHY_ACCOUNT,
	HIERARCHY_MAX
};
static const char *const hierarchy_names[HIERARCHY_MAX] = {"memory", "pids", "cpu", "cpuacct"};

struct cgroups {
	bool is_unified;
	/* Directories of the parent, one per hierarchy (version 2: the first); NULL where not
	 * usable. */
	char *parents[HIERARCHY_MAX];
	bool has[CGROUP_CONTROLLER_MAX];
};

struct cgroup {
	const struct cgroups *groups;
	char *directories[HIERARCHY_MAX];
	int join_fds[HIERARCHY_MAX]; /* cgroup.procs, or -1 */
};

static bool write_value(const char *directory, const char *file, const char *value)
{
	char path[PATH_BYTES];
	if (snprintf(path, sizeof(path), "%s/%s", directory, file) >= (int)sizeof(path))
		return false;
	CLEANUP(cleanup_fd) int fd = open(path, O_WRONLY | O_CLOEXEC);
	size_t bytes = strlen(value);
	return fd >= 0 && write(fd, value, bytes) == (ssize_t)bytes;
}

static bool write_number(const char *directory, const char *file, uint64_t value)
{
	char text[32];
	(void)snprintf(text, sizeof(text), "%llu", (unsigned long long)value);
	return write_value(directory, file, text);
}

/* The number in a file, or behind `key` in a file of "key number" lines; 0 if there is none. */
static uint64_t read_number(const char *directory, const char *file, const char *key)
{
	char path[PATH_BYTES];
	char line[128];
	if (directory == NULL ||
	    snprintf(path, sizeof(path), "%s/%s", directory, file) >= (int)sizeof(path))
		return 0;
	CLEANUP(cleanup_file) FILE *stream = fopen(path, "re");
	while (stream != NULL && fgets(line, sizeof(line), stream) != NULL) {
		if (key == NULL)
			return strtoull(line, NULL, 10);
		size_t bytes = strlen(key);
		if (strncmp(line, key, bytes) == 0 && line[bytes] == ' ')
			return strtoull(line + bytes + 1, NULL, 10);
	}
	return 0;
}

/* This process's group in the hierarchy that has `controller` ("" for version 2). */
static bool own_group(const char *controller, char *ret, size_t size)
{
	CLEANUP(cleanup_file) FILE *file = fopen("/proc/self/cgroup", "re");
	char line[PATH_BYTES];
	while (file != NULL && fgets(line, sizeof(line), file) != NULL) {
		char *names = strchr(line, ':');
		char *path = names != NULL ? strchr(names + 1, ':') : NULL;
		if (path == NULL)
			continue;
		*path++ = '\0';
		names++;
		path[strcspn(path, "\n")] = '\0';
		for (char *rest = names, *name; (name = strsep(&rest, ",")) != NULL;) {
			if (str_eq(name, controller))
				return snprintf(ret, size, "%s", str_eq(path, "/") ? "" : path) <
				       (int)size;
		}
	}
	return false;
}

static bool is_unified(void)
{
	return access(CGROUP_ROOT "/cgroup.controllers", F_OK) == 0;
}

void cgroup_make_room(void)
{
	char group[PATH_BYTES];
	char child[2 * PATH_BYTES];
	if (!is_unified() || !own_group("", group, sizeof(group)) || group[0] == '\0')
		return;
	(void)snprintf(child, sizeof(child), CGROUP_ROOT "%s/worker", group);
	if (str_has_suffix(group, "/worker") || (mkdir(child, 0755) < 0 && errno != EEXIST))
		return;
	/* What cannot be done here shows as limits that cannot be held. */
	(void)write_value(child, "cgroup.procs", "0");
}

static bool signal_members(const char *directory)
{
	char path[PATH_BYTES];
	char line[32];
	bool any = false;
	if (snprintf(path, sizeof(path), "%s/cgroup.procs", directory) >= (int)sizeof(path))
		return false;
	CLEANUP(cleanup_file) FILE *file = fopen(path, "re");
	while (file != NULL && fgets(line, sizeof(line), file) != NULL) {
		pid_t pid = (pid_t)strtol(line, NULL, 10);
		any = true;
		if (pid > 0 && pid != getpid())
			(void)kill(pid, SIGKILL);
	}
	return any;
}

/* Until nobody is left to be listed: a fork may run beside us, but each round kills all it sees. */
static void kill_members(const char *directory)
{
	if (write_value(directory, "cgroup.kill", "1"))
		return;
	for (int round = 0; round < KILL_ROUNDS && signal_members(directory); round++) {
	}
}

/* A group can be removed once its last process is reaped, which is not ours to see. */
static void remove_group(const char *directory)
{
	uint64_t deadline_ms = clock_boottime_ms() + REMOVE_DEADLINE_MS;
	while (rmdir(directory) < 0 && errno == EBUSY && clock_boottime_ms() < deadline_ms) {
		kill_members(directory);
		struct timespec pause = {.tv_nsec = 1000000};
		(void)nanosleep(&pause, NULL);
	}
}

/* What an earlier process of this name left below its parent. */
static void reap_children(const char *parent)
{
	CLEANUP(cleanup_dir) DIR *dir = opendir(parent);
	for (const struct dirent *entry; dir != NULL && (entry = readdir(dir)) != NULL;) {
		char child[2 * PATH_BYTES];
		if (entry->d_type != DT_DIR || entry->d_name[0] == '.')
			continue;
		(void)snprintf(child, sizeof(child), "%s/%s", parent, entry->d_name);
		kill_members(child);
		remove_group(child);
	}
}

static char *make_parent(const char *mount, const char *group, const char *name)
{
	CLEANUP(cleanup_free) char *path = xasprintf("%s%s/%s", mount, group, name);
	if (strlen(path) + 64 > PATH_BYTES || (mkdir(path, 0755) < 0 && errno != EEXIST))
		return NULL;
	if (access(path, W_OK) < 0)
		return NULL;
	reap_children(path);
	return TAKE_PTR(path);
}

static void open_unified(struct cgroups *groups, const char *name)
{
	char group[PATH_BYTES];
	char line[256] = "";
	if (!own_group("", group, sizeof(group)) || !str_has_suffix(group, "/worker"))
		return;
	group[strlen(group) - strlen("/worker")] = '\0';
	CLEANUP(cleanup_free) char *own = xasprintf(CGROUP_ROOT "%s", group);
	static const char *const wanted[CGROUP_CONTROLLER_MAX] = {NULL, "+memory", "+pids", "+cpu"};
	for (int i = CGROUP_MEMORY; i < CGROUP_CONTROLLER_MAX; i++)
		(void)write_value(own, "cgroup.subtree_control", wanted[i]);
	groups->parents[0] = make_parent(CGROUP_ROOT, group, name);
	if (groups->parents[0] == NULL)
		return;
	for (int i = CGROUP_MEMORY; i < CGROUP_CONTROLLER_MAX; i++)
		(void)write_value(groups->parents[0], "cgroup.subtree_control", wanted[i]);
	CLEANUP(cleanup_free)
	char *path = xasprintf("%s/cgroup.subtree_control", groups->parents[0]);
	CLEANUP(cleanup_file) FILE *file = fopen(path, "re");
	if (file == NULL || fgets(line, sizeof(line), file) == NULL)
		return;
	line[strcspn(line, "\n")] = '\0';
	for (char *rest = line, *word; (word = strsep(&rest, " ")) != NULL;) {
		for (int i = CGROUP_MEMORY; i < CGROUP_CONTROLLER_MAX; i++)
			groups->has[i] = groups->has[i] || str_eq(word, wanted[i] + 1);
	}
}

static void open_legacy(struct cgroups *groups, const char *name)
{
	for (int i = 0; i < HIERARCHY_MAX; i++) {
		char group[PATH_BYTES];
		CLEANUP(cleanup_free)
		char *mount = xasprintf(CGROUP_ROOT "/%s", hierarchy_names[i]);
		if (own_group(hierarchy_names[i], group, sizeof(group)))
			groups->parents[i] = make_parent(mount, group, name);
	}
	groups->has[CGROUP_MEMORY] = groups->parents[HIERARCHY_MEMORY] != NULL;
	groups->has[CGROUP_PIDS] = groups->parents[HIERARCHY_PIDS] != NULL;
	groups->has[CGROUP_CPU] = groups->parents[HIERARCHY_CPU] != NULL;
}

struct cgroups *cgroups_open(const char *name)
{
	struct cgroups *groups = xcalloc(1, sizeof(*groups));
	groups->is_unified = is_unified();
	if (groups->is_unified)
		open_unified(groups, name);
	else
		open_legacy(groups, name);
	return groups;
}

void cgroups_free(struct cgroups *groups)
{
	if (groups == NULL)
		return;
	for (int i = 0; i < HIERARCHY_MAX; i++) {
		if (groups->parents[i] != NULL)
			remove_group(groups->parents[i]);
		free(groups->parents[i]);
	}
	free(groups);
}

bool cgroups_have(const struct cgroups *groups, enum cgroup_controller controller)
{
	return groups->has[controller];
}

static bool set_limits_unified(const char *directory, const struct cgroups *groups,
			       const struct cgroup_limits *limits)
{
	char quota[64];
	(void)snprintf(quota, sizeof(quota), "%llu %d",
		       (unsigned long long)(limits->cpu_millis * CPU_PERIOD_US / 1000),
		       CPU_PERIOD_US);
	return (!groups->has[CGROUP_MEMORY] ||
		(write_number(directory, "memory.max", limits->memory_bytes) &&
		 /* absent on kernels without swap */
		 (write_value(directory, "memory.swap.max", "0") || errno == ENOENT))) &&
	       (!groups->has[CGROUP_PIDS] || write_number(directory, "pids.max", limits->pids)) &&
	       (!groups->has[CGROUP_CPU] || write_value(directory, "cpu.max", quota));
}

static bool set_limits_legacy(char *const directories[HIERARCHY_MAX],
			      const struct cgroup_limits *limits)
{
	const char *memory = directories[HIERARCHY_MEMORY];
	const char *pids = directories[HIERARCHY_PIDS];
	const char *cpu = directories[HIERARCHY_CPU];
	if (memory != NULL) {
		if (!write_number(memory, "memory.limit_in_bytes", limits->memory_bytes))
			return false;
		/* absent where swap is not accounted; memory and swap together here */
		(void)write_number(memory, "memory.memsw.limit_in_bytes", limits->memory_bytes);
	}
	if (pids != NULL && !write_number(pids, "pids.max", limits->pids))
		return false;
	return cpu == NULL ||
	       (write_number(cpu, "cpu.cfs_period_us", CPU_PERIOD_US) &&
		write_number(cpu, "cpu.cfs_quota_us", limits->cpu_millis * CPU_PERIOD_US / 1000));
}

static int open_procs(const char *directory)
{
	char path[PATH_BYTES];
	if (snprintf(path, sizeof(path), "%s/cgroup.procs", directory) >= (int)sizeof(path))
		return -1;
	return open(path, O_WRONLY | O_CLOEXEC);
}

int cgroup_new(struct cgroups *groups, const char *name, const struct cgroup_limits *limits,
	       struct cgroup **ret, struct error *err)
{
	struct cgroup *group = xcalloc(1, sizeof(*group));
	group->groups = groups;
	for (int i = 0; i < HIERARCHY_MAX; i++)
		group->join_fds[i] = -1;
	for (int i = 0; i < HIERARCHY_MAX; i++) {
		if (groups->parents[i] == NULL)
			continue;
		group->directories[i] = xasprintf("%s/%s", groups->parents[i], name);
		if (mkdir(group->directories[i], 0755) < 0 && errno != EEXIST)
			goto fail;
		group->join_fds[i] = open_procs(group->directories[i]);
		if (group->join_fds[i] < 0)
			goto fail;
	}
	bool is_set = groups->is_unified
			      ? group->directories[0] == NULL ||
					set_limits_unified(group->directories[0], groups, limits)
			      : set_limits_legacy(group->directories, limits);
	if (is_set) {
		*ret = group;
		return 0;
	}
fail:
	error_set_errno(err, ERR_INTERNAL, errno, "cannot set up the cgroup %s", name);
	cgroup_free(group);
	return -1;
}

int cgroup_join(const struct cgroup *group)
{
	for (int i = 0; i < HIERARCHY_MAX; i++) {
		if (group->join_fds[i] >= 0 && write(group->join_fds[i], "0", 1) != 1)
			return -1;
	}
	return 0;
}

void cgroup_kill(const struct cgroup *group)
{
	/* Any hierarchy lists all of them. */
	for (int i = 0; i < HIERARCHY_MAX; i++) {
		if (group->directories[i] != NULL) {
			kill_members(group->directories[i]);
			return;
		}
	}
}

void cgroup_read_usage(const struct cgroup *group, struct cgroup_usage *ret)
{
	const char *memory = group->directories[HIERARCHY_MEMORY];
	if (group->groups->is_unified) {
		ret->out_of_memory = read_number(memory, "memory.events", "oom_kill") > 0;
		ret->out_of_pids = read_number(memory, "pids.events", "max") > 0;
		ret->cpu_us = read_number(memory, "cpu.stat", "usage_usec");
		ret->memory_peak_bytes = read_number(memory, "memory.peak", NULL);
		return;
	}
	ret->out_of_memory = read_number(memory, "memory.oom_control", "oom_kill") > 0;
	ret->out_of_pids =
		read_number(group->directories[HIERARCHY_PIDS], "pids.events", "max") > 0;
	ret->cpu_us =
		read_number(group->directories[HIERARCHY_ACCOUNT], "cpuacct.usage", NULL) / 1000;
	ret->memory_peak_bytes = read_number(memory, "memory.max_usage_in_bytes", NULL);
}

void cgroup_free(struct cgroup *group)
{
	if (group == NULL)
		return;
	for (int i = 0; i < HIERARCHY_MAX; i++) {
		cleanup_fd(&group->join_fds[i]);
		if (group->directories[i] != NULL)
			remove_group(group->directories[i]);
		free(group->directories[i]);
	}
	free(group);
}
