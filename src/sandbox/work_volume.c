#include "sandbox/work_volume.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/check.h"
#include "base/fs.h"
#include "base/spawn.h"
#include "core/limits.h"
#include "sandbox/empty_directory.h"
#include "sandbox/host_program.h"
#include "sandbox/loop_device.h"
#include "sandbox/mount_tree.h"

#define WORK "work"
#define BALLAST "ballast"
/* ext4's own tables take under a fiftieth; what is too much becomes ballast. */
#define OVERHEAD_FRACTION 20
#define OVERHEAD_BYTES (16 * MIB)
/* Beyond these a fresh file system is cheaper than removing file by file, and gives the image's
 * blocks back to the host. */
#define REFORMAT_FILES 20000
#define REFORMAT_BYTES GIB
/* Less than this is full: a write may need blocks for itself and for the tables. */
#define FULL_BYTES (64 * KIB)
#define PROBE_BYTES (4 * MIB)
#define OUTPUT_BYTES_MAX 4096

struct work_volume {
	char *image;
	char *plain;
	char *mount_point;
	char *work; /* path of the work directory */
	uint64_t disk_bytes_max;
	uint64_t capacity_bytes; /* free when empty and without ballast */
	uint64_t ballast_bytes;
	uid_t uid;
	gid_t gid;
	bool with_quota;
	bool mounted;
	int root_fd;
	int work_fd;
};

static uint64_t image_bytes(uint64_t disk_bytes_max)
{
	return disk_bytes_max + disk_bytes_max / OVERHEAD_FRACTION + OVERHEAD_BYTES;
}

static int format(const char *image, uint64_t bytes, struct error *err)
{
	/* A new file: the old one's device may be a moment from letting go. */
	(void)unlink(image);
	CLEANUP(cleanup_fd) int fd = open(image, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0 || ftruncate(fd, (off_t)bytes) < 0)
		return error_set_errno(err, ERR_INTERNAL, errno, "cannot make %s", image);
	CLEANUP(cleanup_free) char *program = host_program_find("mkfs.ext4");
	if (program == NULL)
		return error_set(err, ERR_NOT_FOUND, "mkfs.ext4 is not installed");
	/* No journal: what a crash leaves is thrown away. No reserved blocks: the job gets all. */
	const char *argv[] = {program, "-q", "-F", "-m", "0", "-O", "^has_journal", "-E",
			      "lazy_itable_init=1,nodiscard", image, NULL};
	struct spawn_options options = {.argv = argv, .stdin_fd = -1};
	CLEANUP(cleanup_buf) struct buf output;
	buf_init(&output, OUTPUT_BYTES_MAX);
	int status;
	if (spawn_wait(&options, &output, &status, err) < 0)
		return -1;
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
		return error_set(err, ERR_INTERNAL, "mkfs.ext4 failed: %s", output.data);
	return 0;
}

static int mount_image(const char *image, const char *mount_point, struct error *err)
{
	CLEANUP(cleanup_fd) int device = -1;
	char path[LOOP_PATH_BYTES];
	if (loop_device_attach(image, &device, path, err) < 0)
		return -1;
	/* noinit_itable: no thread that fills in tables nobody will read. */
	if (mount(path, mount_point, "ext4", MS_NOSUID | MS_NODEV | MS_NOATIME, "noinit_itable") <
	    0)
		return error_set_errno(err, ERR_FORBIDDEN, errno, "cannot mount %s", image);
	return 0;
}

int work_volume_probe(const struct work_volume_options *options, struct error *err)
{
	int result = format(options->image, PROBE_BYTES, err);
	if (result == 0)
		result = mount_image(options->image, options->mount_point, err);
	if (result == 0)
		(void)umount2(options->mount_point, 0);
	(void)unlink(options->image);
	return result;
}

static int volume_space(const struct work_volume *volume, struct statvfs *ret, struct error *err)
{
	if (fstatvfs(volume->root_fd, ret) < 0)
		return error_set_errno(err, ERR_INTERNAL, errno, "cannot measure %s",
				       volume->mount_point);
	return 0;
}

static int mount_volume(struct work_volume *volume, struct error *err)
{
	if (!volume->with_quota) {
		if (mkdir(volume->plain, 0700) < 0 && errno != EEXIST)
			return error_set_errno(err, ERR_INTERNAL, errno, "cannot make %s",
					       volume->plain);
		return mount_tree_bind(volume->plain, volume->mount_point,
				       MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV, err);
	}
	if (format(volume->image, image_bytes(volume->disk_bytes_max), err) < 0)
		return -1;
	return mount_image(volume->image, volume->mount_point, err);
}

/* A fresh work directory in the mounted volume. */
static int make_work(struct work_volume *volume, struct error *err)
{
	cleanup_fd(&volume->work_fd);
	volume->work_fd = -1;
	if (mkdirat(volume->root_fd, WORK, 0755) < 0 ||
	    fchownat(volume->root_fd, WORK, volume->uid, volume->gid, AT_SYMLINK_NOFOLLOW) < 0)
		return error_set_errno(err, ERR_INTERNAL, errno, "cannot make %s", volume->work);
	volume->work_fd =
		openat(volume->root_fd, WORK, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (volume->work_fd < 0 || fchmod(volume->work_fd, 0755) < 0) /* whatever the umask */
		return error_set_errno(err, ERR_INTERNAL, errno, "cannot open %s", volume->work);
	return 0;
}

static int mount_and_make(struct work_volume *volume, struct error *err)
{
	if (mount_volume(volume, err) < 0)
		return -1;
	volume->mounted = true;
	volume->root_fd =
		open(volume->mount_point, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (volume->root_fd < 0)
		return error_set_errno(err, ERR_INTERNAL, errno, "cannot open %s",
				       volume->mount_point);
	/* A plain directory may hold what an earlier worker left. */
	if (empty_directory(volume->root_fd, err) < 0)
		return -1;
	/* The job's user must get through to the work directory. */
	if (fchmod(volume->root_fd, 0755) < 0)
		return error_set_errno(err, ERR_INTERNAL, errno, "cannot open %s up",
				       volume->mount_point);
	if (make_work(volume, err) < 0)
		return -1;
	struct statvfs space;
	if (volume_space(volume, &space, err) < 0)
		return -1;
	volume->capacity_bytes = (uint64_t)space.f_bavail * space.f_frsize;
	volume->ballast_bytes = 0;
	return 0;
}

static void unmount(struct work_volume *volume)
{
	cleanup_fd(&volume->work_fd);
	cleanup_fd(&volume->root_fd);
	volume->work_fd = -1;
	volume->root_fd = -1;
	if (volume->mounted)
		(void)umount2(volume->mount_point, MNT_DETACH);
	volume->mounted = false;
}

int work_volume_open(const struct work_volume_options *options, bool with_quota,
		     struct work_volume **ret, struct error *err)
{
	struct work_volume *volume = xcalloc(1, sizeof(*volume));
	*volume = (struct work_volume){
		.image = xstrdup(options->image),
		.plain = xstrdup(options->plain),
		.mount_point = xstrdup(options->mount_point),
		.work = xasprintf("%s/" WORK, options->mount_point),
		.disk_bytes_max = options->disk_bytes_max,
		.uid = options->uid,
		.gid = options->gid,
		.with_quota = with_quota,
		.root_fd = -1,
		.work_fd = -1,
	};
	if (mount_and_make(volume, err) < 0) {
		work_volume_free(volume);
		return error_wrap(err, "the work directory's file system");
	}
	*ret = volume;
	return 0;
}

void work_volume_free(struct work_volume *volume)
{
	if (volume == NULL)
		return;
	struct error ignored;
	if (!volume->with_quota && volume->root_fd >= 0)
		(void)!empty_directory(volume->root_fd, &ignored);
	unmount(volume);
	(void)unlink(volume->image);
	(void)rmdir(volume->plain);
	free(volume->image);
	free(volume->plain);
	free(volume->mount_point);
	free(volume->work);
	free(volume);
}

static bool is_reformat_cheaper(const struct work_volume *volume)
{
	struct statvfs space;
	struct stat image;
	struct error ignored;
	if (!volume->with_quota || volume_space(volume, &space, &ignored) < 0)
		return false;
	return space.f_files - space.f_ffree > REFORMAT_FILES ||
	       (stat(volume->image, &image) == 0 &&
		(uint64_t)image.st_blocks * 512 > REFORMAT_BYTES);
}

int work_volume_empty(struct work_volume *volume, struct error *err)
{
	struct error unused;
	if (!is_reformat_cheaper(volume) && volume->work_fd >= 0) {
		if (empty_directory(volume->work_fd, &unused) == 0 &&
		    unlinkat(volume->root_fd, WORK, AT_REMOVEDIR) == 0)
			return make_work(volume, err);
		if (!volume->with_quota)
			return error_set(err, ERR_INTERNAL, "cannot empty %s: %s", volume->work,
					 unused.msg);
	}
	unmount(volume);
	return mount_and_make(volume, err) < 0 ? error_wrap(err, "cannot renew the volume") : 0;
}

int work_volume_fd(const struct work_volume *volume)
{
	return volume->work_fd;
}

const char *work_volume_path(const struct work_volume *volume)
{
	return volume->work;
}

int work_volume_limit(struct work_volume *volume, uint64_t disk_bytes, struct error *err)
{
	uint64_t ballast_bytes =
		volume->capacity_bytes > disk_bytes ? volume->capacity_bytes - disk_bytes : 0;
	if (!volume->with_quota || ballast_bytes == volume->ballast_bytes)
		return 0;
	CLEANUP(cleanup_fd)
	int fd = openat(volume->root_fd, BALLAST, O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC,
			0600);
	if (fd < 0)
		return error_set_errno(err, ERR_INTERNAL, errno, "cannot open the ballast");
	int result = ballast_bytes < volume->ballast_bytes
			     ? ftruncate(fd, (off_t)ballast_bytes)
			     : fallocate(fd, 0, (off_t)volume->ballast_bytes,
					 (off_t)(ballast_bytes - volume->ballast_bytes));
	/* Staged files in the way: there is less left than the limit, which holds even so. */
	if (result < 0 && errno != ENOSPC)
		return error_set_errno(err, ERR_INTERNAL, errno,
				       "cannot limit the work directory to %" PRIu64 " bytes",
				       disk_bytes);
	struct stat status;
	if (fstat(fd, &status) < 0)
		return error_set_errno(err, ERR_INTERNAL, errno, "cannot measure the ballast");
	volume->ballast_bytes = (uint64_t)status.st_size;
	return 0;
}

bool work_volume_is_full(const struct work_volume *volume)
{
	struct statvfs space;
	struct error ignored;
	if (!volume->with_quota || volume_space(volume, &space, &ignored) < 0)
		return false;
	return (uint64_t)space.f_bavail * space.f_frsize < FULL_BYTES || space.f_favail == 0;
}
