/* Empties a directory that a hostile script filled: of any depth, with any names and modes, following
 * no link. Directories found below are lifted to the top before they are emptied, so neither the
 * stack nor the descriptors grow with the depth, and no path gets too long. */
#pragma once

#include "base/error.h"

/* dir_fd stays the caller's. */
MUST_CHECK int empty_directory(int dir_fd, struct error *err);
