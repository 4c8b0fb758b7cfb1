#include "hcloud/machine_netns_loop.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/loop.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fs.h"
#include "base/str.h"

#define NUMBERS_MAX	 64
#define RECORD_BYTES_MAX 4096

struct numbers {
	size_t count;
	uint64_t at[NUMBERS_MAX];
};

static bool has(const struct numbers *numbers, uint64_t number)
{
	for (size_t i = 0; i < numbers->count; i++) {
		if (numbers->at[i] == number)
			return true;
	}
	return false;
}

static void add(struct numbers *numbers, uint64_t number)
{
	if (numbers->count < NUMBERS_MAX && !has(numbers, number))
		numbers->at[numbers->count++] = number;
}

/* What the machine wrote is not believed where it would be this computer's own file system. */
static void read_record(const char *directory, struct numbers *ret)
{
	CLEANUP(cleanup_free) char *path = xasprintf("%s/platform/" LOOP_RECORD, directory);
	CLEANUP(cleanup_buf) struct buf text;
	struct stat host;
	struct error err;

	ret->count = 0;
	buf_init(&text, RECORD_BYTES_MAX);
	if (stat(directory, &host) != 0 || fs_read(AT_FDCWD, path, &text, &err) != 0)
		return;
	for (char *rest = text.data, *line; (line = strsep(&rest, "\n")) != NULL;) {
		uint64_t number;

		if (parse_u64(line, 1, UINT32_MAX, &number, &err) == 0 && number != host.st_dev)
			add(ret, number);
	}
}

/* Detaches it if its image is on one of `numbers`; whatever lay on the device is then, too. */
static void detach_if_ours(const char *name, struct numbers *numbers)
{
	char path[64];
	struct loop_info64 info;
	struct stat device;

	if (snprintf(path, sizeof(path), "/dev/%s", name) >= (int)sizeof(path))
		return;
	CLEANUP(cleanup_fd) int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);

	if (fd < 0 || fstat(fd, &device) != 0 || ioctl(fd, LOOP_GET_STATUS64, &info) != 0 ||
	    !has(numbers, info.lo_device))
		return;
	(void)ioctl(fd, LOOP_CLR_FD, 0);
	add(numbers, device.st_rdev);
}

/* A device that is attached has a directory "loop". */
static bool is_attached(const char *name)
{
	char path[64];

	return str_has_prefix(name, "loop") &&
	       snprintf(path, sizeof(path), "/sys/block/%s/loop", name) < (int)sizeof(path) &&
	       access(path, F_OK) == 0;
}

void loop_detach_all(const char *directory)
{
	struct numbers numbers;
	size_t before;

	read_record(directory, &numbers);
	if (numbers.count == 0)
		return;
	/* Again while that shows more: an image may lie on a device that is a later one's. */
	do {
		CLEANUP(cleanup_dir) DIR *blocks = opendir("/sys/block");
		const struct dirent *entry;

		before = numbers.count;
		while (blocks != NULL && (entry = readdir(blocks)) != NULL) {
			if (is_attached(entry->d_name))
				detach_if_ours(entry->d_name, &numbers);
		}
	} while (numbers.count > before);
}
