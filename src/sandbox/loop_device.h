/* A file as a block device. The kernel lets go of it by itself when its last user does (the mount,
 * or our descriptor), so a killed worker leaves none behind. */
#pragma once

#include "base/error.h"

#define LOOP_PATH_BYTES 32

/* The descriptor of the device, which keeps it attached until it is mounted; its path is written to
 * ret_path. */
MUST_CHECK int loop_device_attach(const char *image, int *ret_fd, char ret_path[LOOP_PATH_BYTES],
				  struct error *err);
