#include "sandbox/loop_device.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/loop.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* Others may take the free device between our question and our claim. */
#define ATTEMPTS_MAX 64

int loop_device_attach(const char *image, int *ret_fd, char ret_path[LOOP_PATH_BYTES],
		       struct error *err)
{
	CLEANUP(cleanup_fd) int backing = open(image, O_RDWR | O_CLOEXEC);
	if (backing < 0)
		return error_set_errno(err, ERR_INTERNAL, errno, "cannot open %s", image);
	CLEANUP(cleanup_fd) int control = open("/dev/loop-control", O_RDWR | O_CLOEXEC);
	if (control < 0)
		return error_set_errno(err, ERR_FORBIDDEN, errno, "cannot open /dev/loop-control");
	for (unsigned attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
		int number = ioctl(control, LOOP_CTL_GET_FREE);
		if (number < 0)
			return error_set_errno(err, ERR_FORBIDDEN, errno,
					       "cannot find a free loop device");
		(void)snprintf(ret_path, LOOP_PATH_BYTES, "/dev/loop%d", number);
		CLEANUP(cleanup_fd) int device = open(ret_path, O_RDWR | O_CLOEXEC);
		if (device < 0)
			return error_set_errno(err, ERR_FORBIDDEN, errno, "cannot open %s",
					       ret_path);
		struct loop_config config = {
			.fd = (uint32_t)backing,
			.info = {.lo_flags = LO_FLAGS_AUTOCLEAR},
		};
		if (ioctl(device, LOOP_CONFIGURE, &config) == 0) {
			*ret_fd = TAKE_FD(device);
			return 0;
		}
		if (errno != EBUSY)
			return error_set_errno(err, ERR_FORBIDDEN, errno, "cannot attach %s to %s",
					       image, ret_path);
	}
	return error_set(err, ERR_UNAVAILABLE, "no free loop device after %d attempts",
			 ATTEMPTS_MAX);
}
