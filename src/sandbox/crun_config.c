#include "sandbox/crun_config.h"

#include <inttypes.h>

#include "base/json.h"
#include "base/str.h"
#include "core/limits.h"

#define OPEN_FILES_SOFT 1024
#define OPEN_FILES_HARD 65536

static json_t *string_array(const char *const *texts)
{
	json_t *array = json_array();
	for (; *texts != NULL; texts++)
		(void)json_array_append_new(array, json_string(*texts));
	return array;
}

static bool env_has(const char *const *envp, const char *assignment)
{
	size_t key_bytes = (size_t)(strchr(assignment, '=') - assignment) + 1;
	for (; *envp != NULL; envp++) {
		if (strncmp(*envp, assignment, key_bytes) == 0)
			return true;
	}
	return false;
}

static json_t *environment(const char *const *envp)
{
	static const char *const defaults[] = {"PATH=/usr/local/bin:/usr/bin:/bin", "HOME=/work",
					       "LANG=C.UTF-8", "TMPDIR=/tmp"};
	json_t *array = string_array(envp);
	for (size_t i = 0; i < ARRAY_SIZE(defaults); i++) {
		if (!env_has(envp, defaults[i]))
			(void)json_array_append_new(array, json_string(defaults[i]));
	}
	return array;
}

static json_t *limit(const char *type, uint64_t soft, uint64_t hard)
{
	return json_pack("{s:s, s:I, s:I}", "type", type, "soft", (json_int_t)soft, "hard",
			 (json_int_t)hard);
}

static json_t *process(const struct crun_config *config)
{
	uint64_t hard = config->files_max < OPEN_FILES_HARD ? config->files_max : OPEN_FILES_HARD;
	uint64_t soft = hard < OPEN_FILES_SOFT ? hard : OPEN_FILES_SOFT;
	unsigned id = config->ids->job_inside;
	return json_pack(
		"{s:b, s:{s:I, s:I}, s:o, s:o, s:s, s:{s:[], s:[], s:[], s:[], s:[]},"
		" s:[o, o, o, o], s:b, s:i}",
		"terminal", 0, "user", "uid", (json_int_t)id, "gid", (json_int_t)id, "args",
		string_array(config->argv), "env", environment(config->envp), "cwd", "/work",
		"capabilities", "bounding", "effective", "inheritable", "permitted", "ambient",
		"rlimits", limit("RLIMIT_CORE", 0, 0), limit("RLIMIT_NOFILE", soft, hard),
		limit("RLIMIT_RTPRIO", 0, 0), limit("RLIMIT_NICE", 0, 0), "noNewPrivileges", 1,
		"oomScoreAdj", 500);
}

/* options: comma-separated, as mount(8) takes them. */
static json_t *mount_entry(const char *destination, const char *type, const char *source,
			   const char *options)
{
	json_t *list = json_array();
	CLEANUP(cleanup_free) char *copy = xstrdup(options);
	char *rest = copy;
	for (const char *option; (option = strsep(&rest, ",")) != NULL;)
		(void)json_array_append_new(list, json_string(option));
	return json_pack("{s:s, s:s, s:s, s:o}", "destination", destination, "type", type, "source",
			 source, "options", list);
}

static json_t *tmpfs_entry(const char *destination, const char *flags, uint64_t bytes)
{
	CLEANUP(cleanup_free)
	char *options = xasprintf("nosuid,nodev,mode=1777,size=%" PRIu64 "%s", bytes, flags);
	return mount_entry(destination, "tmpfs", "tmpfs", options);
}

static json_t *mounts(const struct crun_config *config)
{
	uint64_t half = config->memory_bytes / 2;
	/* hidepid=2: a job sees its own processes only, not its init. */
	json_t *array = json_pack(
		"[o, o, o, o, o, o]",
		mount_entry("/proc", "proc", "proc", "nosuid,noexec,nodev,hidepid=2"),
		mount_entry("/dev", "tmpfs", "tmpfs", "nosuid,noexec,mode=755,size=64k"),
		tmpfs_entry("/dev/shm", ",noexec", half),
		mount_entry("/dev/mqueue", "mqueue", "mqueue", "nosuid,noexec,nodev"),
		tmpfs_entry("/tmp", "", half),
		mount_entry("/work", "bind", config->work, "bind,rw,nosuid,nodev"));
	if (config->resolv_conf != NULL)
		(void)json_array_append_new(array,
					    mount_entry("/etc/resolv.conf", "bind",
							config->resolv_conf,
							"bind,ro,nosuid,nodev,noexec"));
	return array;
}

static json_t *joined_namespace(const char *type, pid_t pid)
{
	CLEANUP(cleanup_free) char *path = xasprintf("/proc/%d/ns/%s", pid, type);
	return json_pack("{s:s, s:s}", "type", type, "path", path);
}

static json_t *namespaces(const struct crun_config *config)
{
	return json_pack("[o, o, {s:s}, {s:s}, {s:s}, {s:s}, {s:s, s:s*}]",
			 joined_namespace("user", config->namespaces_of),
			 joined_namespace("pid", config->namespaces_of), "type", "ipc", "type",
			 "uts", "type", "mount", "type", "cgroup", "type", "network", "path",
			 config->network);
}

static json_t *id_mappings(const struct slot_ids *ids)
{
	json_t *array = json_pack("[{s:i, s:I, s:i}]", "containerID", 0, "hostID",
				  (json_int_t)ids->namespace_root, "size", 1);
	if (!ids->single)
		(void)json_array_append_new(array, json_pack("{s:I, s:I, s:i}", "containerID",
							     (json_int_t)ids->job_inside, "hostID",
							     (json_int_t)ids->job, "size", 1));
	return array;
}

static json_t *linux_part(const struct crun_config *config)
{
	static const char *const masked[] = {
		"/proc/acpi",	    "/proc/asound",	"/proc/interrupts", "/proc/kallsyms",
		"/proc/kcore",	    "/proc/keys",	"/proc/latency_stats",
		"/proc/sched_debug", "/proc/scsi",	"/proc/timer_list", NULL};
	static const char *const read_only[] = {"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys",
						"/proc/sysrq-trigger", NULL};
	return json_pack("{s:o, s:o, s:o, s:o, s:o}", "namespaces", namespaces(config),
			 "uidMappings", id_mappings(config->ids), "gidMappings",
			 id_mappings(config->ids), "maskedPaths", string_array(masked),
			 "readonlyPaths", string_array(read_only));
}

static int append_chunk(const char *chunk, size_t bytes, void *json)
{
	buf_append(json, chunk, bytes);
	return 0;
}

int crun_config_write(const struct crun_config *config, struct buf *json, struct error *err)
{
	CLEANUP(cleanup_json)
	json_t *whole = json_pack(
		"{s:s, s:o, s:{s:s, s:b}, s:s, s:o, s:o, s:{s:s}}", "ociVersion", "1.0.2",
		"process", process(config), "root", "path", config->root, "readonly", 1, "hostname",
		"job", "mounts", mounts(config), "linux", linux_part(config), "annotations",
		"run.oci.seccomp_bpf_data", config->seccomp_base64);
	if (whole == NULL)
		return error_set(err, ERR_INVALID, "an argument or variable is not valid UTF-8");
	if (json_dump_callback(whole, append_chunk, json, JSON_COMPACT) < 0 || json->overflowed)
		return error_set(err, ERR_TOO_LARGE, "the job's arguments are too large");
	return 0;
}
