#include "base/error.h"

#include <errno.h>

#include "base/check.h"

static const struct {
	const char *name;
	int http_status;
	int exit_code;
	bool retryable;
} code_table[ERR_MAX] = {
	[ERR_NONE] = {"none", 200, 0, false},
#define X(name_, http_, exit_, retryable_) [ERR_##name_] = {#name_, http_, exit_, retryable_},
#include "base/errors.def"
#undef X
};
