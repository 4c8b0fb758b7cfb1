#include "hcloud/machine_netns_leftovers.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/str.h"
#include "hcloud/machine_netns_boot.h"
#include "hcloud/machine_netns_cgroup.h"
#include "hcloud/machine_netns_loop.h"
#include "hcloud/machine_netns_space.h"

static int check_instance(const char *instance, struct error *err)
{
	size_t bytes = strlen(instance);

	if (bytes == 0 || bytes > LEFTOVERS_INSTANCE_BYTES_MAX ||
	    strspn(instance, "abcdefghijklmnopqrstuvwxyz0123456789") != bytes)
		return error_set(err, ERR_INVALID, "an instance's name has 1 to %d of [a-z0-9]",
				 LEFTOVERS_INSTANCE_BYTES_MAX);
	return 0;
}

/* An abstract socket's name: the kernel lets go of it with the process, and no file stays. */
int leftovers_lock(const char *instance, int *ret_lock_fd, struct error *err)
{
	struct sockaddr_un name = {.sun_family = AF_UNIX};

	if (check_instance(instance, err) != 0)
		return -1;
	int bytes =
		snprintf(name.sun_path + 1, sizeof(name.sun_path) - 1, "hcloud-sim/%s", instance);
	socklen_t length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)bytes);
	CLEANUP(cleanup_fd) int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || bind(fd, (const struct sockaddr *)&name, length) != 0) {
		if (errno != EADDRINUSE)
			return error_set_errno(err, ERR_INTERNAL, errno,
					       "cannot hold the machines of instance %s", instance);
		(void)error_set(err, ERR_CONFLICT, "a simulator of instance %s is running",
				instance);
		return error_hint(err, "end it, or choose another --instance");
	}
	*ret_lock_fd = TAKE_FD(fd);
	return 0;
}

/* Entries of `directory` whose names begin with `prefix`. */
static void remove_named(const char *directory, const char *prefix,
			 void (*remove)(const char *name))
{
	CLEANUP(cleanup_dir) DIR *entries = opendir(directory);
	const struct dirent *entry;

	while (entries != NULL && (entry = readdir(entries)) != NULL) {
		if (str_has_prefix(entry->d_name, prefix) &&
		    strlen(entry->d_name) < SPACE_NAME_BYTES)
			remove(entry->d_name);
	}
}

static void detach_loops(const char *machines)
{
	CLEANUP(cleanup_dir) DIR *entries = opendir(machines);
	const struct dirent *entry;

	while (entries != NULL && (entry = readdir(entries)) != NULL) {
		if (entry->d_name[0] == '.')
			continue;
		CLEANUP(cleanup_free) char *machine = xasprintf("%s/%s", machines, entry->d_name);

		loop_detach_all(machine);
	}
}

int leftovers_remove(const char *instance, const char *directory, struct error *err)
{
	CLEANUP(cleanup_free) char *machines = xasprintf("%s/machines", directory);
	char prefix[32];

	if (check_instance(instance, err) != 0)
		return -1;
	(void)snprintf(prefix, sizeof(prefix), "hcs-%s-", instance);
	if (!machine_cgroup_remove_all(prefix))
		return error_set(err, ERR_TIMEOUT,
				 "processes of earlier machines of instance %s do not end",
				 instance);
	remove_named(SPACE_DIRECTORY, prefix, space_remove);
	remove_named(BOOT_PROPAGATE_DIRECTORY, prefix, boot_clean);
	detach_loops(machines);
	return fs_remove_all(AT_FDCWD, machines, err);
}
