#include "hcloud/machine_netns_boot.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fs.h"
#include "base/spawn.h"
#include "hcloud/machine_netns_cgroup.h"
#include "hcloud/machine_netns_image.h"
#include "hcloud/machine_netns_space.h"

#define ARGUMENTS_MAX  40
#define ARGUMENT_BYTES 1024

static int put_file(const char *directory, const char *name, const char *text, struct error *err)
{
	CLEANUP(cleanup_free) char *path = xasprintf("%s/%s", directory, name);

	return fs_write_atomic(path, text, strlen(text), 0644, err);
}

int boot_prepare(const struct boot_options *options, struct error *err)
{
	static const char *const subdirectories[] = {"root/etc", "root/usr", "disk", "platform"};
	char serial[32];

	for (size_t i = 0; i < ARRAY_SIZE(subdirectories); i++) {
		CLEANUP(cleanup_free)
		char *path = xasprintf("%s/%s", options->directory, subdirectories[i]);

		if (fs_mkdir_all(path, 0755, err) != 0)
			return -1;
	}
	CLEANUP(cleanup_free) char *platform = xasprintf("%s/platform", options->directory);
	CLEANUP(cleanup_free) char *root = xasprintf("%s/root", options->directory);

	(void)snprintf(serial, sizeof(serial), "%" PRId64 "\n", options->server_id);
	/* The first: systemd-nspawn looks for it before it mounts the overlay over it. */
	if (put_file(root, "etc/os-release", "", err) != 0 ||
	    put_file(platform, "sys_vendor", "Hetzner\n", err) != 0 ||
	    put_file(platform, "product_name", "vServer\n", err) != 0 ||
	    put_file(platform, "product_serial", serial, err) != 0)
		return -1;
	return images_lay(options->images, options->image_id, options->directory, err);
}

static int open_console(const char *directory, struct error *err)
{
	CLEANUP(cleanup_free) char *path = xasprintf("%s/console.log", directory);
	int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);

	if (fd < 0)
		return error_set_errno(err, ERR_INTERNAL, errno, "cannot open %s", path);
	return fd;
}

int boot_start(const struct boot_options *options, pid_t *ret_pid, struct error *err)
{
	char directory[ARGUMENT_BYTES];
	CLEANUP(cleanup_free) char *layers = NULL;
	CLEANUP(cleanup_free) char *overlay = NULL;
	char platform[ARGUMENT_BYTES];
	char machine[ARGUMENT_BYTES];
	char hostname[ARGUMENT_BYTES];
	char space[ARGUMENT_BYTES];

	if (images_overlay(options->images, options->directory, &layers, err) != 0)
		return -1;
	overlay = xasprintf("--overlay=%s:/", layers);
	/* All capabilities and the system calls of container runtimes: jobs are sandboxed in the
	 * machine as on a real one. */
	const char *const argv[] = {
		"systemd-nspawn",
		"--quiet",
		"--boot",
		"--register=no",
		"--keep-unit",
		"--link-journal=no",
		"--resolv-conf=off",
		"--timezone=off",
		"--kill-signal=SIGRTMIN+4",
		"--capability=all",
		"--system-call-filter=@keyring bpf @memlock @sandbox seccomp memfd_create",
		directory,
		overlay,
		platform,
		machine,
		hostname,
		space,
		NULL};
	CLEANUP(cleanup_free)
	char *mark = xasprintf("%s/platform/" BOOT_MARK, options->directory);
	const union {
		char *const *ours;
		const char *const *list;
	} procs = {.ours = options->cgroup->procs};

	(void)snprintf(directory, sizeof(directory), "--directory=%s/root", options->directory);
	(void)snprintf(platform, sizeof(platform), "--bind=%s/platform:/run/hcloud-sim",
		       options->directory);
	(void)snprintf(machine, sizeof(machine), "--machine=%s", options->name);
	(void)snprintf(hostname, sizeof(hostname), "--hostname=%s", options->hostname);
	(void)snprintf(space, sizeof(space), "--network-namespace-path=" SPACE_DIRECTORY "/%s",
		       options->name);
	(void)unlink(mark);
	CLEANUP(cleanup_fd) int console = open_console(options->directory, err);

	if (console < 0)
		return -1;
	const struct spawn_options child = {
		.argv = argv,
		.stdin_fd = -1,
		.stdout_fd = console,
		.stderr_fd = console,
		.new_group = true,
		.death_signal = SIGKILL,
		.join_cgroups = procs.list,
	};

	return spawn(&child, ret_pid, err);
}

void boot_clean(const char *name)
{
	char path[ARGUMENT_BYTES];

	(void)snprintf(path, sizeof(path), BOOT_PROPAGATE_DIRECTORY "/%s", name);
	(void)rmdir(path);
}
