#include "sandbox/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/fs.h"
#include "base/hash.h"
#include "base/spawn.h"
#include "base/str.h"
#include "core/limits.h"
#include "sandbox/cgroup.h"
#include "sandbox/crun_config.h"
#include "sandbox/network.h"
#include "sandbox/root.h"
#include "sandbox/syscall_filter.h"
#include "sandbox/volume.h"

/* Covered by a tmpfs in the worker's own mount namespace: what crun is to reach must lie below
 * directories that every user may traverse, whatever the state directory's mode. */
#define SCRATCH "/media"

#define ID_FIRST	  1000000U /* root: slot n's ids begin at ID_FIRST + n * ID_COUNT */
#define ID_COUNT	  65536U
#define CRUN_PIDS	  6 /* crun's own processes and threads, and our first process */
#define UNENFORCED_MAX	  6
#define LOCK_PATIENCE_MS  5000
#define CRUN_MEMORY_BYTES (4 * MIB) /* crun itself, in the attempt's cgroup */

struct slot {
	struct volume volume;
	char *image; /* where the volume's image is made, and the directory used without one */
	char *plain;
	struct cgroup *group;
	pid_t pid;	/* crun, or 0 */
	bool is_killed; /* by us */
	char *bundle;
	char *error_path; /* where crun explains itself */
};

struct sandbox {
	int lock_fd; /* of the state directory */
	char *crun;  /* the program */
	char *name;  /* of our cgroups and rules: the same for each sandbox of that directory */
	uint64_t disk_bytes_max;
	bool is_root; /* of the machine, not of a user namespace */
	uint32_t id_first;
	uint32_t id_count; /* per slot */
	uint64_t machine_memory_bytes;
	struct cgroups *groups;
	struct networks *networks;
	struct buf seccomp;
	const char *unenforced[UNENFORCED_MAX + 1];
	size_t unenforced_count;
	size_t slot_count;
	struct slot *slots;
};

/* Whether this user namespace is the machine's, and whether it has ids besides root's. */
static void read_id_map(struct sandbox *sandbox)
{
	CLEANUP(cleanup_file) FILE *file = fopen("/proc/self/uid_map", "re");
	unsigned long long inside;
	unsigned long long outside;
	unsigned long long count;
	unsigned long long total = 0;
	while (file != NULL && fscanf(file, "%llu %llu %llu", &inside, &outside, &count) == 3)
		total += count;
	sandbox->is_root = total >= 4294967295ULL;
	bool has_range = !sandbox->is_root && total > ID_COUNT;
	sandbox->id_first = sandbox->is_root ? ID_FIRST : has_range ? 1 : 0;
	sandbox->id_count = sandbox->is_root || has_range ? ID_COUNT : 1;
}

static uint32_t slot_id_first(const struct sandbox *sandbox, size_t slot)
{
	return sandbox->is_root ? sandbox->id_first + (uint32_t)slot * ID_COUNT : sandbox->id_first;
}

static uid_t slot_uid(const struct sandbox *sandbox, size_t slot)
{
	return slot_id_first(sandbox, slot) + (sandbox->id_count == 1 ? 0 : CRUN_JOB_ID);
}

static void add_unenforced(struct sandbox *sandbox, const char *text)
{
	CHECK(sandbox->unenforced_count < UNENFORCED_MAX);
	sandbox->unenforced[sandbox->unenforced_count++] = text;
}

static void list_unenforced(struct sandbox *sandbox)
{
	if (!cgroups_have(sandbox->groups, CGROUP_MEMORY))
		add_unenforced(sandbox, "memory: no memory cgroup can be made here by this user");
	if (!cgroups_have(sandbox->groups, CGROUP_PIDS))
		add_unenforced(sandbox, "pids: no pids cgroup can be made here by this user");
	if (!cgroups_have(sandbox->groups, CGROUP_CPU))
		add_unenforced(sandbox, "cpus: no cpu cgroup can be made here by this user");
	if (sandbox->slot_count > 0 && !sandbox->slots[0].volume.has_quota)
		add_unenforced(sandbox,
			       "disk: no file system of its own can be mounted here by this user");
}

static int open_volume(struct slot *slot, size_t index, uint64_t bytes, struct error *err)
{
	CLEANUP(cleanup_free) char *mount_point = xasprintf(SCRATCH "/work-%zu", index);
	return volume_open(mount_point, slot->image, slot->plain, bytes, &slot->volume, err);
}

static int open_slots(struct sandbox *sandbox, const struct sandbox_options *options,
		      struct error *err)
{
	sandbox->slots = xcalloc(options->slots, sizeof(*sandbox->slots));
	for (size_t i = 0; i < options->slots; i++) {
		struct slot *slot = &sandbox->slots[i];
		slot->volume.fd = -1;
		sandbox->slot_count++;
		slot->image = xasprintf("%s/work-%zu.img", options->state_directory, i);
		slot->plain = xasprintf("%s/work-%zu", options->state_directory, i);
		if (open_volume(slot, i, options->disk_bytes_max, err) < 0)
			return error_wrap(err, "slot %zu", i);
		slot->bundle = xasprintf(SCRATCH "/bundle-%zu", i);
		slot->error_path = xasprintf("%s/crun.log", slot->bundle);
		if (fs_mkdir_all(slot->bundle, 0755, err) < 0)
			return -1;
	}
	return 0;
}

static char *find_init(const struct sandbox_options *options)
{
	if (options->init_program != NULL)
		return xstrdup(options->init_program);
	char own[512] = "";
	ssize_t bytes = readlink("/proc/self/exe", own, sizeof(own) - 1);
	char *slash = bytes > 0 ? strrchr(own, '/') : NULL;
	if (slash != NULL)
		*slash = '\0';
	char *beside = xasprintf("%s/rgrid-sandbox-init", own); /* the build directory */
	if (access(beside, X_OK) == 0)
		return beside;
	free(beside);
	return xasprintf("%s/../libexec/rgrid/rgrid-sandbox-init", own);
}

static int prepare_scratch(const struct sandbox_options *options, struct error *err)
{
	if (mount("rgrid", SCRATCH, "tmpfs", MS_NOSUID | MS_NODEV, "mode=755,size=64m") < 0)
		return error_set_errno(err, ERR_INTERNAL, errno,
				       "cannot mount a tmpfs on " SCRATCH);
	if (fs_mkdir_all(SCRATCH "/crun", 0700, err) < 0)
		return -1;
	CLEANUP(cleanup_free) char *init = find_init(options);
	if (root_build(SCRATCH "/root", init, err) < 0)
		return error_wrap(err, "cannot lay out the sandbox's root");
	return 0;
}

static int find_crun(char ret[PATH_MAX], struct error *err)
{
	if (spawn_find("crun", ret, err) == 0)
		return 0;
	error_set(err, ERR_UNAVAILABLE, "the container runtime crun is not installed");
	return error_hint(err, "install the package crun");
}

/* One sandbox at a time for a state directory. One that was killed lets go within moments. */
static int lock_directory(const char *directory, struct error *err)
{
	CLEANUP(cleanup_fd) int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return error_set_errno(err, ERR_INTERNAL, errno, "cannot open %s", directory);
	uint64_t deadline_ms = clock_boottime_ms() + LOCK_PATIENCE_MS;
	while (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		if (clock_boottime_ms() > deadline_ms) {
			error_set(err, ERR_CONFLICT, "another worker uses %s", directory);
			return error_hint(err, "give each worker a state directory of its own");
		}
		struct timespec pause = {.tv_nsec = 20000000};
		(void)nanosleep(&pause, NULL);
	}
	return TAKE_FD(fd);
}

/* "rgrid-" and what tells the state directory from others on this machine. */
static char *name_of(const char *state_directory)
{
	CLEANUP(cleanup_free) char *path = realpath(state_directory, NULL);
	const char *text = path != NULL ? path : state_directory;
	uint8_t digest[SHA256_BYTES];
	char hex[SHA256_HEX_BYTES];
	sha256_of(text, strlen(text), digest);
	sha256_to_hex(digest, hex);
	return xasprintf("rgrid-%.12s", hex);
}

/* Runs a program that looks whether the filter of system calls is in force. */
static int try_out(struct sandbox *sandbox, struct error *err)
{
	CLEANUP(cleanup_fd) int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	const char *const argv[] = {"grep", "-q", "^Seccomp:[[:space:]]*2$", "/proc/self/status",
				    NULL};
	const char *const envp[] = {NULL};
	struct sandbox_run run = {.argv = argv,
				  .envp = envp,
				  .limits = {.cpu_millis = DEFAULT_CPU_MILLIS,
					     .memory_bytes = LIMIT_MEMORY_BYTES_MIN,
					     .pids = DEFAULT_PIDS,
					     .disk_bytes = sandbox->disk_bytes_max},
				  .network = NETWORK_NONE,
				  .stdin_fd = null_fd,
				  .stdout_fd = null_fd,
				  .stderr_fd = null_fd};
	pid_t pid;
	int status;
	if (sandbox_start(sandbox, 0, &run, &pid, err) < 0)
		return -1;
	while (waitpid(pid, &status, 0) < 0)
		CHECK(errno == EINTR);
	struct sandbox_result result;
	sandbox_finish(sandbox, 0, status, &result);
	if (result.exit_code == 0)
		return 0;
	if (result.start_failed)
		return error_set(err, ERR_UNAVAILABLE, "a sandbox does not start here: %s",
				 result.message);
	error_set(err, ERR_UNAVAILABLE,
		  "crun does not apply the filter of system calls (exit code %d)",
		  result.exit_code);
	return error_hint(err, "it needs crun 1.6 or later, with seccomp");
}

int sandbox_open(const struct sandbox_options *options, struct sandbox **ret, struct error *err)
{
	CHECK(options->slots > 0 && options->slots <= LIMIT_SLOTS);
	char crun[PATH_MAX];
	/* Scripts are other users, and must pass through directories that we make. */
	(void)umask(022);
	if (find_crun(crun, err) < 0 || fs_mkdir_all(options->state_directory, 0700, err) < 0)
		return -1;
	CLEANUP(cleanup_fd) int lock_fd = lock_directory(options->state_directory, err);
	if (lock_fd < 0 || prepare_scratch(options, err) < 0)
		return -1;
	struct sandbox *sandbox = xcalloc(1, sizeof(*sandbox));
	sandbox->lock_fd = TAKE_FD(lock_fd);
	sandbox->crun = xstrdup(crun);
	sandbox->name = name_of(options->state_directory);
	sandbox->disk_bytes_max = options->disk_bytes_max;
	buf_init(&sandbox->seccomp, 256 * KIB);
	sandbox->machine_memory_bytes =
		(uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE);
	read_id_map(sandbox);
	sandbox->groups = cgroups_open(sandbox->name);
	sandbox->networks = networks_open(sandbox->name, SCRATCH, options->slots, sandbox->is_root);
	if (options->kept_from_count > 0)
		networks_keep_from(sandbox->networks, options->kept_from, options->kept_from_count);
	if (syscall_filter_compile(&sandbox->seccomp, err) < 0 ||
	    open_slots(sandbox, options, err) < 0 || try_out(sandbox, err) < 0) {
		sandbox_free(sandbox);
		return -1;
	}
	list_unenforced(sandbox);
	*ret = sandbox;
	return 0;
}

void sandbox_free(struct sandbox *sandbox)
{
	if (sandbox == NULL)
		return;
	for (size_t i = 0; i < sandbox->slot_count; i++) {
		struct slot *slot = &sandbox->slots[i];
		cgroup_free(slot->group);
		volume_close(&slot->volume);
		free(slot->image);
		free(slot->plain);
		free(slot->bundle);
		free(slot->error_path);
	}
	free(sandbox->slots);
	networks_free(sandbox->networks);
	cgroups_free(sandbox->groups);
	buf_release(&sandbox->seccomp);
	(void)umount2(SCRATCH, MNT_DETACH);
	cleanup_fd(&sandbox->lock_fd);
	free(sandbox->crun);
	free(sandbox->name);
	free(sandbox);
}

const char *const *sandbox_unenforced(const struct sandbox *sandbox)
{
	return sandbox->unenforced;
}

static struct slot *slot_at(struct sandbox *sandbox, size_t index)
{
	CHECK(index < sandbox->slot_count);
	return &sandbox->slots[index];
}

int sandbox_prepare(struct sandbox *sandbox, size_t slot_index, uint64_t disk_bytes,
		    int *ret_work_fd, uid_t *ret_uid, gid_t *ret_gid, struct error *err)
{
	struct slot *slot = slot_at(sandbox, slot_index);
	CHECK(slot->pid == 0);
	uid_t uid = slot_uid(sandbox, slot_index);
	char asked[32];
	char most[32];
	if (disk_bytes > sandbox->disk_bytes_max) {
		error_set(err, ERR_UNPROCESSABLE,
			  "the job asks for a work directory of %s, the worker gives at most %s",
			  format_bytes(disk_bytes, asked, sizeof(asked)),
			  format_bytes(sandbox->disk_bytes_max, most, sizeof(most)));
		return error_hint(err, "lower limits.disk_bytes");
	}
	if (slot->volume.has_quota && slot->volume.bytes != disk_bytes) {
		volume_close(&slot->volume);
		if (open_volume(slot, slot_index, disk_bytes, err) < 0)
			return error_wrap(err, "the work directory");
		if (!slot->volume.has_quota)
			return error_set(err, ERR_INTERNAL, "no work directory of %s can be made",
					 format_bytes(disk_bytes, asked, sizeof(asked)));
	}
	if (volume_empty(&slot->volume, uid, uid, err) < 0)
		return -1;
	*ret_work_fd = slot->volume.fd;
	*ret_uid = uid;
	*ret_gid = uid;
	return 0;
}

/* Refuses what this machine can never run. */
static int check_run(const struct sandbox *sandbox, const struct sandbox_run *run,
		     struct error *err)
{
	char asked[32];
	char present[32];
	if (run->limits.memory_bytes > sandbox->machine_memory_bytes) {
		error_set(err, ERR_UNPROCESSABLE,
			  "the job asks for %s of memory, the machine has %s",
			  format_bytes(run->limits.memory_bytes, asked, sizeof(asked)),
			  format_bytes(sandbox->machine_memory_bytes, present, sizeof(present)));
		return error_hint(err, "lower it with --memory");
	}
	if (run->network == NETWORK_PUBLIC && networks_missing(sandbox->networks) != NULL) {
		error_set(err, ERR_UNPROCESSABLE, "jobs cannot have a network on this worker: %s",
			  networks_missing(sandbox->networks));
		return error_hint(err, "run without --network, or on a worker that runs as root");
	}
	return 0;
}

static int write_config(struct sandbox *sandbox, size_t slot_index, const struct sandbox_run *run,
			struct error *err)
{
	struct slot *slot = slot_at(sandbox, slot_index);
	const char *argv[LIMIT_ARGS_COUNT + 8] = {ROOT_INIT};
	size_t count = 1;
	for (const char *const *word = run->argv; *word != NULL; word++) {
		CHECK(count < ARRAY_SIZE(argv) - 1);
		argv[count++] = *word;
	}
	struct crun_config config = {
		.root = SCRATCH "/root",
		.work = slot->volume.mount_point,
		.seccomp = sandbox->seccomp.data,
		.argv = argv,
		.envp = run->envp,
		.file_bytes_max = run->limits.disk_bytes,
		.tmp_bytes_max = run->limits.memory_bytes,
		.id_first = slot_id_first(sandbox, slot_index),
		.id_count = sandbox->id_count,
	};
	if (run->network == NETWORK_PUBLIC) {
		if (network_get(sandbox->networks, slot_index, &config.network_path, err) < 0)
			return -1;
		config.resolv_conf = networks_resolv_conf(sandbox->networks);
	}
	CLEANUP(cleanup_free) char *path = xasprintf("%s/config.json", slot->bundle);
	return crun_config_write(&config, path, err);
}

/* In the forked child. Its own words go to the log file; the script's streams stay the script's. */
__attribute__((noreturn)) static void exec_crun(const char *crun, const struct slot *slot,
						const char *id, const struct sandbox_run *run)
{
	/* The worker's descriptors are all O_CLOEXEC; signals are as after a plain start. */
	sigset_t none;
	sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	(void)signal(SIGPIPE, SIG_DFL);
	(void)setsid();
	if (cgroup_join(slot->group) < 0 || dup2(run->stdin_fd, STDIN_FILENO) < 0 ||
	    dup2(run->stdout_fd, STDOUT_FILENO) < 0 || dup2(run->stderr_fd, STDERR_FILENO) < 0)
		_exit(125);
	/* Its environment is its own: with systemd's NOTIFY_SOCKET or LISTEN_FDS, it would bring
	 * that into the container. */
	char *const environment[] = {NULL};
	(void)execle(crun, "crun", "--root", SCRATCH "/crun", "--log", slot->error_path,
		     "--cgroup-manager=disabled", "run", "-b", slot->bundle, id, (char *)NULL,
		     environment);
	_exit(125);
}

int sandbox_start(struct sandbox *sandbox, size_t slot_index, const struct sandbox_run *run,
		  pid_t *ret_pid, struct error *err)
{
	struct slot *slot = slot_at(sandbox, slot_index);
	CHECK(slot->pid == 0);
	if (check_run(sandbox, run, err) < 0 || write_config(sandbox, slot_index, run, err) < 0)
		return -1;
	char id[32];
	(void)snprintf(id, sizeof(id), "slot-%zu", slot_index);
	struct cgroup_limits limits = {
		.memory_bytes = run->limits.memory_bytes + CRUN_MEMORY_BYTES,
		.pids = run->limits.pids + CRUN_PIDS,
		.cpu_millis = run->limits.cpu_millis,
	};
	if (cgroup_new(sandbox->groups, id, &limits, &slot->group, err) < 0)
		return -1;
	(void)unlink(slot->error_path);
	pid_t pid = fork();
	if (pid == 0)
		exec_crun(sandbox->crun, slot, id, run);
	if (pid < 0) {
		error_set_errno(err, ERR_UNAVAILABLE, errno, "cannot start a process");
		cgroup_free(TAKE_PTR(slot->group));
		return -1;
	}
	slot->pid = pid;
	slot->is_killed = false;
	*ret_pid = pid;
	return 0;
}

/* Without a cgroup: crun's children are the container's first process and nothing else, and the
 * container's pid namespace ends with it. */
static void kill_container(const struct slot *slot)
{
	char path[64];
	(void)snprintf(path, sizeof(path), "/proc/%d/task/%d/children", slot->pid, slot->pid);
	CLEANUP(cleanup_file) FILE *file = fopen(path, "re");
	int child;
	while (file != NULL && fscanf(file, "%d", &child) == 1)
		(void)kill(child, SIGKILL);
}

void sandbox_kill(struct sandbox *sandbox, size_t slot_index)
{
	struct slot *slot = slot_at(sandbox, slot_index);
	if (slot->pid == 0)
		return;
	slot->is_killed = true;
	kill_container(slot);
	cgroup_kill(slot->group);
	(void)kill(slot->pid, SIGKILL);
}

/* What crun wrote about a container that never started; true if there is something. */
static bool read_crun_error(const struct slot *slot, char *message, size_t size)
{
	struct buf text;
	struct error ignored; /* no file: crun had nothing to say */
	buf_init(&text, 16 * KIB);
	bool found = fs_read(AT_FDCWD, slot->error_path, &text, &ignored) == 0 && text.bytes > 0;
	if (found) {
		text.data[strcspn(text.data, "\n")] = '\0';
		(void)snprintf(message, size, "crun: %s", text.data);
	}
	buf_release(&text);
	return found;
}

void sandbox_finish(struct sandbox *sandbox, size_t slot_index, int wait_status,
		    struct sandbox_result *ret)
{
	struct slot *slot = slot_at(sandbox, slot_index);
	CHECK(slot->pid != 0);
	*ret = (struct sandbox_result){0};
	ret->exit_code =
		WIFSIGNALED(wait_status) ? 128 + WTERMSIG(wait_status) : WEXITSTATUS(wait_status);
	cgroup_kill(slot->group);
	struct cgroup_usage usage = {0};
	cgroup_read_usage(slot->group, &usage);
	ret->out_of_memory = usage.out_of_memory;
	ret->out_of_pids = usage.out_of_pids;
	ret->out_of_disk = volume_is_full(&slot->volume) || ret->exit_code == 128 + SIGXFSZ;
	ret->cpu_us = usage.cpu_us;
	ret->memory_peak_bytes = usage.memory_peak_bytes;
	if (ret->exit_code != 0 && !ret->out_of_memory)
		ret->start_failed = read_crun_error(slot, ret->message, sizeof(ret->message));
	/* The script is crun's child: its own death, too, is an exit code of crun's. */
	if (WIFSIGNALED(wait_status) && !slot->is_killed && !ret->out_of_memory) {
		ret->start_failed = true;
		(void)snprintf(ret->message, sizeof(ret->message),
			       "the sandbox was killed from outside, by signal %d",
			       WTERMSIG(wait_status));
	}
	if (ret->exit_code == 125 && !ret->start_failed && access(sandbox->crun, X_OK) < 0) {
		ret->start_failed = true;
		(void)snprintf(ret->message, sizeof(ret->message), "crun is no longer installed");
	}
	cgroup_free(TAKE_PTR(slot->group));
	slot->pid = 0;
	/* crun killed by us leaves its state behind. */
	CLEANUP(cleanup_free) char *state = xasprintf(SCRATCH "/crun/slot-%zu", slot_index);
	struct error ignored;
	if (fs_remove_all(AT_FDCWD, state, &ignored) < 0)
		(void)snprintf(ret->message, sizeof(ret->message),
			       "cannot remove crun's state: %.200s", ignored.msg);
}
