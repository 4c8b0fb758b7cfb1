/* The programs of other packages that workers on this machine need. Missing ones are named before
 * anything is started, with the package that has them. */
#pragma once

#include "base/error.h"

MUST_CHECK int programs_check(struct error *err);
