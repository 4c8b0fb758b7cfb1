#include "sandbox/crun_config.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/check.h"
#include "base/fs.h"
#include "base/json.h"
#include "sandbox/root.h"

#define OPEN_FILES_MAX 1024

static json_t *pack(json_t *json)
{
	CHECK(json != NULL);
	return json;
}

static json_t *text_array(const char *const *items)
{
	json_t *array = pack(json_array());
	for (; items != NULL && *items != NULL; items++)
		CHECK(json_array_append_new(array, pack(json_string(*items))) == 0);
	return array;
}

static json_t *environment(const struct crun_config *config)
{
	static const char *const base[] = {"PATH=/usr/local/bin:/usr/bin:/bin", "HOME=/work",
					   "LANG=C.UTF-8", "TMPDIR=/tmp", NULL};
	json_t *array = text_array(base);
	json_t *more = text_array(config->envp);
	CHECK(json_array_extend(array, more) == 0);
	json_decref(more);
	return array;
}

static json_t *limit(const char *type, uint64_t value)
{
	return pack(json_pack("{s:s, s:I, s:I}", "type", type, "hard", (json_int_t)value, "soft",
			      (json_int_t)value));
}

static json_t *process(const struct crun_config *config)
{
	return pack(
		json_pack("{s:b, s:{s:i, s:i}, s:o, s:o, s:s, s:{s:[], s:[], s:[], s:[], s:[]}, "
			  "s:[o, o, o], s:b, s:i}",
			  "terminal", 0, "user", "uid", CRUN_JOB_ID, "gid", CRUN_JOB_ID, "args",
			  text_array(config->argv), "env", environment(config), "cwd", "/work",
			  "capabilities", "bounding", "effective", "inheritable", "permitted",
			  "ambient", "rlimits", limit("RLIMIT_NOFILE", OPEN_FILES_MAX),
			  limit("RLIMIT_CORE", 0), limit("RLIMIT_FSIZE", config->file_bytes_max),
			  "noNewPrivileges", 1, "oomScoreAdj", 500));
}

static void add_mount(json_t *mounts, const char *destination, const char *type, const char *source,
		      const char *const *options)
{
	json_t *mount = pack(json_pack("{s:s, s:s, s:s, s:o}", "destination", destination, "type",
				       type, "source", source, "options", text_array(options)));
	CHECK(json_array_append_new(mounts, mount) == 0);
}

#define OPTIONS(...) ((const char *const[]){__VA_ARGS__, NULL})

static void add_bind(void *context, const struct root_bind *bind)
{
	add_mount(context, bind->path, "bind", bind->path,
		  OPTIONS("bind", "ro", "nosuid", "nodev"));
}

static json_t *mounts(const struct crun_config *config)
{
	char size[48];
	json_t *array = pack(json_array());
	(void)snprintf(size, sizeof(size), "size=%llu", (unsigned long long)config->tmp_bytes_max);
	add_mount(array, "/proc", "proc", "proc", OPTIONS("nosuid", "noexec", "nodev"));
	add_mount(array, "/dev", "tmpfs", "tmpfs",
		  OPTIONS("nosuid", "noexec", "strictatime", "mode=755", "size=64k"));
	add_mount(array, "/dev/shm", "tmpfs", "shm",
		  OPTIONS("nosuid", "noexec", "nodev", "mode=1777", size));
	add_mount(array, "/dev/mqueue", "mqueue", "mqueue", OPTIONS("nosuid", "noexec", "nodev"));
	add_mount(array, "/tmp", "tmpfs", "tmpfs", OPTIONS("nosuid", "nodev", "mode=1777", size));
	add_mount(array, "/var/tmp", "tmpfs", "tmpfs",
		  OPTIONS("nosuid", "nodev", "mode=1777", size));
	add_mount(array, "/work", "bind", config->work, OPTIONS("bind", "rw", "nosuid", "nodev"));
	root_each_bind(add_bind, array);
	if (config->resolv_conf != NULL)
		add_mount(array, "/etc/resolv.conf", "bind", config->resolv_conf,
			  OPTIONS("bind", "ro", "nosuid", "nodev"));
	return array;
}

static json_t *namespaces(const struct crun_config *config)
{
	json_t *network = config->network_path != NULL ? json_pack("{s:s, s:s}", "type", "network",
								   "path", config->network_path)
						       : json_pack("{s:s}", "type", "network");
	return pack(json_pack("[{s:s}, {s:s}, {s:s}, {s:s}, {s:s}, {s:s}, o]", "type", "pid",
			      "type", "ipc", "type", "uts", "type", "mount", "type", "cgroup",
			      "type", "user", pack(network)));
}

static json_t *id_mapping(const struct crun_config *config)
{
	json_int_t inside = config->id_count == 1 ? CRUN_JOB_ID : 0;
	return pack(json_pack("[{s:I, s:I, s:I}]", "containerID", inside, "hostID",
			      (json_int_t)config->id_first, "size", (json_int_t)config->id_count));
}

static json_t *kernel_settings(const struct crun_config *config)
{
	static const char *const masked[] = {"/proc/acpi",	    "/proc/asound",
					     "/proc/kcore",	    "/proc/keys",
					     "/proc/latency_stats", "/proc/timer_list",
					     "/proc/sched_debug",   "/proc/scsi",
					     "/proc/kallsyms",	    NULL};
	static const char *const readonly[] = {
		"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger", NULL};
	return pack(json_pack("{s:o, s:o, s:o, s:o, s:o}", "namespaces", namespaces(config),
			      "maskedPaths", text_array(masked), "readonlyPaths",
			      text_array(readonly), "uidMappings", id_mapping(config),
			      "gidMappings", id_mapping(config)));
}

int crun_config_write(const struct crun_config *config, const char *path, struct error *err)
{
	CLEANUP(cleanup_json)
	json_t *json = pack(json_pack("{s:s, s:o, s:{s:s, s:b}, s:s, s:o, s:o, s:{s:s}}",
				      "ociVersion", "1.0.2", "process", process(config), "root",
				      "path", config->root, "readonly", 1, "hostname", "job",
				      "mounts", mounts(config), "linux", kernel_settings(config),
				      "annotations", "run.oci.seccomp_bpf_data", config->seccomp));
	CLEANUP(cleanup_free) char *text = json_to_text(json);
	CLEANUP(cleanup_fd) int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0)
		return error_set_errno(err, ERR_INTERNAL, errno, "cannot write %s", path);
	return fs_write_all(fd, text, strlen(text), err);
}
