#include "sandbox/volume.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/loop.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/log.h"
#include "base/spawn.h"
#include "base/str.h"

#define LOOP_ATTEMPTS 16
/* ext4 keeps up to 2 %, at most 4096 blocks, for itself: as good as full is full. */
#define FULL_PART	25
#define FULL_BLOCKS_MAX 4096

static int make_file_system(const char *image, uint64_t bytes, struct error *err)
{
	CLEANUP(cleanup_fd) int fd = open(image, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0 || ftruncate(fd, (off_t)bytes) < 0)
		return error_set_errno(err, ERR_INTERNAL, errno, "cannot create %s", image);
	/* No journal: nothing in it outlives the worker. */
	const char *argv[] = {"mkfs.ext4",
			      "-q",
			      "-F",
			      "-O",
			      "^has_journal",
			      "-m",
			      "0",
			      "-E",
			      "lazy_itable_init=1,nodiscard",
			      image,
			      NULL};
	struct spawn_options options = {
		.argv = argv, .stdin_fd = -1, .stdout_fd = -1, .stderr_fd = -1};
	struct buf output;
	int status;
	buf_init(&output, 4096);
	int result = spawn_wait(&options, &output, &status, err);
	if (result == 0 && status != 0)
		result = error_set(err, ERR_INTERNAL, "mkfs.ext4 failed: %s", output.data);
	buf_release(&output);
	return result;
}

/* Binds the image to a free loop device, which the kernel frees with its last use. */
static int attach_loop(const char *image, char *ret_device, size_t size, struct error *err)
{
	CLEANUP(cleanup_fd) int control = open("/dev/loop-control", O_RDWR | O_CLOEXEC);
	CLEANUP(cleanup_fd) int image_fd = open(image, O_RDWR | O_CLOEXEC);
	if (control < 0 || image_fd < 0)
		return error_set_errno(err, ERR_UNAVAILABLE, errno, "cannot use loop devices");
	for (int attempt = 0; attempt < LOOP_ATTEMPTS; attempt++) {
		int number = ioctl(control, LOOP_CTL_GET_FREE);
		if (number < 0)
			return error_set_errno(err, ERR_UNAVAILABLE, errno,
					       "no loop device is free");
		(void)snprintf(ret_device, size, "/dev/loop%d", number);
		CLEANUP(cleanup_fd) int loop = open(ret_device, O_RDWR | O_CLOEXEC);
		struct loop_config config = {.fd = (__u32)image_fd,
					     .info = {.lo_flags = LO_FLAGS_AUTOCLEAR}};
		if (loop >= 0 && ioctl(loop, LOOP_CONFIGURE, &config) == 0)
			return TAKE_FD(loop);
		if (errno != EBUSY)
			return error_set_errno(err, ERR_UNAVAILABLE, errno, "cannot use %s",
					       ret_device);
	}
	return error_set(err, ERR_UNAVAILABLE, "other processes keep taking the free loop devices");
}

static int mount_image(const char *mount_point, const char *image, uint64_t bytes,
		       struct error *err)
{
	char device[32];
	if (make_file_system(image, bytes, err) < 0)
		return -1;
	CLEANUP(cleanup_fd) int loop = attach_loop(image, device, sizeof(device), err);
	if (loop < 0)
		return -1;
	if (mount(device, mount_point, "ext4", MS_NOSUID | MS_NODEV | MS_NOATIME, "") < 0)
		return error_set_errno(err, ERR_UNAVAILABLE, errno, "cannot mount %s", device);
	/* The mount keeps the image; its name need not outlive us. */
	(void)unlink(image);
	return 0;
}

static int use_directory(const char *mount_point, const char *plain, struct error *err)
{
	if (fs_mkdir_all(plain, 0755, err) < 0)
		return -1;
	if (mount(plain, mount_point, NULL, MS_BIND, NULL) < 0)
		return error_set_errno(err, ERR_INTERNAL, errno, "cannot bind %s", plain);
	return 0;
}

int volume_open(const char *mount_point, const char *image, const char *plain, uint64_t bytes,
		struct volume *ret, struct error *err)
{
	if (fs_mkdir_all(mount_point, 0755, err) < 0)
		return -1;
	struct error why;
	bool has_quota = mount_image(mount_point, image, bytes, &why) == 0;
	if (!has_quota) {
		(void)unlink(image);
		if (use_directory(mount_point, plain, err) < 0)
			return -1;
	}
	int fd = open(mount_point, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0) {
		error_set_errno(err, ERR_INTERNAL, errno, "cannot open %s", mount_point);
		(void)umount2(mount_point, MNT_DETACH);
		return -1;
	}
	*ret = (struct volume){.mount_point = xstrdup(mount_point),
			       .has_quota = has_quota,
			       .bytes = bytes,
			       .fd = fd};
	return 0;
}

int volume_empty(struct volume *volume, uid_t uid, gid_t gid, struct error *err)
{
	int fd = openat(volume->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	CLEANUP(cleanup_dir) DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
	if (dir == NULL)
		return error_set_errno(err, ERR_INTERNAL, errno, "cannot list the work directory");
	for (const struct dirent *entry; (entry = readdir(dir)) != NULL;) {
		if (str_eq(entry->d_name, ".") || str_eq(entry->d_name, ".."))
			continue;
		if (fs_remove_all(volume->fd, entry->d_name, err) < 0)
			return error_wrap(err, "cannot empty the work directory");
	}
	if (fchown(volume->fd, uid, gid) < 0 || fchmod(volume->fd, 0755) < 0)
		return error_set_errno(err, ERR_INTERNAL, errno,
				       "cannot give the work directory away");
	return 0;
}

void volume_close(struct volume *volume)
{
	struct error err;

	if (volume->mount_point == NULL)
		return;
	/* A plain directory outlives us, with files that belong to ids of ours: whoever started us
	 * could not remove them. An image goes with its mount. */
	if (!volume->has_quota && volume_empty(volume, 0, 0, &err) < 0)
		log_warning("sandbox.not_emptied", F_ERROR(&err));
	cleanup_fd(&volume->fd);
	(void)umount2(volume->mount_point, MNT_DETACH);
	free(volume->mount_point);
	*volume = (struct volume){.fd = -1};
}

bool volume_is_full(const struct volume *volume)
{
	struct statvfs status;
	return volume->has_quota && fstatvfs(volume->fd, &status) == 0 &&
	       ((status.f_bavail <= status.f_blocks / FULL_PART &&
		 status.f_bavail <= FULL_BLOCKS_MAX) ||
		status.f_favail == 0);
}
