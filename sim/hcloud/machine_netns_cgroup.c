#include "hcloud/machine_netns_cgroup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <mntent.h>
#include <poll.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/check.h"
#include "base/fs.h"
#include "base/str.h"

#define DEPTH_MAX	  64
#define PATH_BYTES	  512
#define SETTING_BYTES_MAX 4096
#define FREEZE_TRIES	  50
#define FREEZE_PAUSE_MS	  2
#define REMOVE_TRIES	  500
#define REMOVE_PAUSE_MS	  20

struct hierarchies {
	size_t count;
	struct {
		char path[256];
		bool is_version_2;
	} at[CGROUP_HIERARCHIES_MAX];
};

static void find_hierarchies(struct hierarchies *ret)
{
	FILE *mounts = setmntent("/proc/self/mounts", "re");
	struct mntent entry;
	char text[4096];

	ret->count = 0;
	if (mounts == NULL)
		return;
	while (ret->count < CGROUP_HIERARCHIES_MAX &&
	       getmntent_r(mounts, &entry, text, sizeof(text)) != NULL) {
		bool is_version_2 = str_eq(entry.mnt_type, "cgroup2");

		if ((!is_version_2 && !str_eq(entry.mnt_type, "cgroup")) ||
		    strlen(entry.mnt_dir) >= sizeof(ret->at[0].path))
			continue;
		(void)snprintf(ret->at[ret->count].path, sizeof(ret->at[0].path), "%s",
			       entry.mnt_dir);
		ret->at[ret->count].is_version_2 = is_version_2;
		ret->count++;
	}
	(void)endmntent(mounts);
}

/* What a kernel does not know, it does not hold. */
static bool set(const char *directory, const char *file, const char *value)
{
	char path[PATH_BYTES + 64];

	(void)snprintf(path, sizeof(path), "%s/%s", directory, file);
	CLEANUP(cleanup_fd) int fd = open(path, O_WRONLY | O_CLOEXEC);

	return fd >= 0 && write(fd, value, strlen(value)) == (ssize_t)strlen(value);
}

/* A new cpuset of version 1 is empty, and takes no process until it has what its parent has. */
static void copy_from_parent(const char *parent, const char *directory, const char *file)
{
	CLEANUP(cleanup_buf) struct buf value;
	char path[PATH_BYTES];
	struct error err;

	buf_init(&value, SETTING_BYTES_MAX);
	(void)snprintf(path, sizeof(path), "%s/%s", parent, file);
	if (fs_read(AT_FDCWD, path, &value, &err) == 0)
		(void)set(directory, file, value.data);
}

int machine_cgroup_make(const char *name, uint64_t memory_bytes, struct machine_cgroup *ret,
			struct error *err)
{
	struct machine_cgroup cgroup = {.name = ""};
	struct hierarchies hierarchies;
	char limit[32];

	(void)snprintf(cgroup.name, sizeof(cgroup.name), "%s", name);
	(void)snprintf(limit, sizeof(limit), "%llu", (unsigned long long)memory_bytes);
	find_hierarchies(&hierarchies);
	for (size_t i = 0; i < hierarchies.count; i++) {
		const char *parent = hierarchies.at[i].path;
		char path[PATH_BYTES];

		(void)snprintf(path, sizeof(path), "%s/%s", parent, name);
		if (mkdir(path, 0755) != 0 && errno != EEXIST) {
			(void)error_set_errno(err, ERR_INTERNAL, errno, "cannot make cgroup %s",
					      path);
			machine_cgroup_release(&cgroup);
			(void)machine_cgroup_remove(name);
			return -1;
		}
		copy_from_parent(parent, path, "cpuset.cpus");
		copy_from_parent(parent, path, "cpuset.mems");
		if (memory_bytes > 0)
			(void)set(path,
				  hierarchies.at[i].is_version_2 ? "memory.max"
								 : "memory.limit_in_bytes",
				  limit);
		cgroup.procs[i] = xasprintf("%s/cgroup.procs", path);
	}
	*ret = cgroup;
	return 0;
}

void machine_cgroup_release(struct machine_cgroup *cgroup)
{
	for (size_t i = 0; cgroup->procs[i] != NULL; i++) {
		free(cgroup->procs[i]);
		cgroup->procs[i] = NULL;
	}
}

static void kill_listed(const char *directory)
{
	char path[PATH_BYTES + 64];

	(void)snprintf(path, sizeof(path), "%s/cgroup.procs", directory);
	CLEANUP(cleanup_file) FILE *procs = fopen(path, "re");
	char line[32];

	while (procs != NULL && fgets(line, sizeof(line), procs) != NULL) {
		struct error err;
		uint64_t pid;

		line[strcspn(line, "\n")] = '\0';
		if (parse_u64(line, 2, INT32_MAX, &pid, &err) == 0)
			(void)kill((pid_t)pid, SIGKILL);
	}
}

/* Calls `visit` for the directory and all beneath it, those beneath first. */
/* NOLINTNEXTLINE(misc-no-recursion): DEPTH_MAX deep at most */
static void walk(const char *path, int depth, void (*visit)(const char *path))
{
	CLEANUP(cleanup_dir) DIR *directory = opendir(path);
	const struct dirent *entry;

	while (directory != NULL && depth < DEPTH_MAX && (entry = readdir(directory)) != NULL) {
		char child[PATH_BYTES];

		/* Names may begin with a dot: systemd has a ".control" beneath a delegated unit. */
		if (entry->d_type != DT_DIR || str_eq(entry->d_name, ".") ||
		    str_eq(entry->d_name, "..") ||
		    snprintf(child, sizeof(child), "%s/%s", path, entry->d_name) >=
			    (int)sizeof(child))
			continue;
		walk(child, depth + 1, visit);
	}
	visit(path);
}

static bool has_text(const char *directory, const char *file, const char *text)
{
	CLEANUP(cleanup_buf) struct buf value;
	char path[PATH_BYTES + 64];
	struct error err;

	buf_init(&value, SETTING_BYTES_MAX);
	(void)snprintf(path, sizeof(path), "%s/%s", directory, file);
	return fs_read(AT_FDCWD, path, &value, &err) == 0 && strstr(value.data, text) != NULL;
}

/* Whether there is a freezer, which may take a moment. */
static bool freeze(const char *directory, bool is_version_2)
{
	const char *file = is_version_2 ? "cgroup.events" : "freezer.state";
	const char *text = is_version_2 ? "frozen 1" : "FROZEN";

	if (!set(directory, is_version_2 ? "cgroup.freeze" : "freezer.state",
		 is_version_2 ? "1" : "FROZEN"))
		return false;
	for (int try = 0; try < FREEZE_TRIES && !has_text(directory, file, text); try++)
		(void)poll(NULL, 0, FREEZE_PAUSE_MS);
	return true;
}

static void thaw(const char *directory, bool is_version_2)
{
	(void)set(directory, is_version_2 ? "cgroup.freeze" : "freezer.state",
		  is_version_2 ? "0" : "THAWED");
}

static void kill_all(const struct hierarchies *hierarchies, const char *name)
{
	for (size_t i = 0; i < hierarchies->count; i++) {
		char path[PATH_BYTES];

		(void)snprintf(path, sizeof(path), "%s/%s", hierarchies->at[i].path, name);
		/* One by one only where the kernel has no word for it. */
		if (!hierarchies->at[i].is_version_2 || !set(path, "cgroup.kill", "1"))
			walk(path, 0, kill_listed);
	}
}

/* A machine loses its power as a whole: none of its processes may see another one die, and tell the
 * world of it. So all are frozen before the first is killed. */
void machine_cgroup_kill(const char *name)
{
	struct hierarchies hierarchies;
	char frozen[PATH_BYTES] = "";
	bool is_version_2 = false;

	find_hierarchies(&hierarchies);
	for (size_t i = 0; i < hierarchies.count && frozen[0] == '\0'; i++) {
		(void)snprintf(frozen, sizeof(frozen), "%s/%s", hierarchies.at[i].path, name);
		is_version_2 = hierarchies.at[i].is_version_2;
		if (!freeze(frozen, is_version_2))
			frozen[0] = '\0';
	}
	kill_all(&hierarchies, name);
	if (frozen[0] != '\0')
		thaw(frozen, is_version_2);
}

static void remove_directory(const char *path)
{
	(void)rmdir(path); /* the caller looks whether it is still there */
}

bool machine_cgroup_remove(const char *name)
{
	struct hierarchies hierarchies;
	bool is_gone = true;

	find_hierarchies(&hierarchies);
	for (size_t i = 0; i < hierarchies.count; i++) {
		char path[PATH_BYTES];

		(void)snprintf(path, sizeof(path), "%s/%s", hierarchies.at[i].path, name);
		walk(path, 0, remove_directory);
		is_gone = is_gone && access(path, F_OK) != 0;
	}
	return is_gone;
}

static bool remove_patiently(const char *name)
{
	for (int try = 0; try < REMOVE_TRIES; try++) {
		machine_cgroup_kill(name);
		if (machine_cgroup_remove(name))
			return true;
		(void)poll(NULL, 0, REMOVE_PAUSE_MS);
	}
	return false;
}

bool machine_cgroup_remove_all(const char *prefix)
{
	struct hierarchies hierarchies;
	bool is_gone = true;

	find_hierarchies(&hierarchies);
	for (size_t i = 0; i < hierarchies.count; i++) {
		CLEANUP(cleanup_dir) DIR *directory = opendir(hierarchies.at[i].path);
		const struct dirent *entry;

		while (directory != NULL && (entry = readdir(directory)) != NULL) {
			if (str_has_prefix(entry->d_name, prefix) &&
			    strlen(entry->d_name) < CGROUP_NAME_BYTES)
				is_gone = remove_patiently(entry->d_name) && is_gone;
		}
	}
	return is_gone;
}
