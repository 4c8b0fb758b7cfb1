#include "core/id.h"

#include <stddef.h>

#include "base/check.h"
#include "base/encode.h"
#include "base/error.h"
#include "base/str.h"

static const char *const kind_prefixes[ID_KIND_MAX] = {
	[ID_JOB] = "job_",	   [ID_BATCH] = "batch_", [ID_WORKER] = "worker_",
	[ID_PROJECT] = "project_", [ID_KEY] = "key_",
};

const char *id_kind_prefix(enum id_kind kind)
{
	CHECK(kind > 0);
	CHECK(kind < ID_KIND_MAX);
	return kind_prefixes[kind];
}

const char *id_format(enum id_kind kind, int64_t id, char out[ID_TEXT_BYTES])
{
	char digits[BASE32_U64_CHARS + 1];

	CHECK(id >= 0);
	base32_from_u64((uint64_t)id, digits);
	(void)snprintf(out, ID_TEXT_BYTES, "%s%s", id_kind_prefix(kind), digits); /* always fits */
	return out;
}

bool id_parse(enum id_kind kind, const char *text, int64_t *ret_low, int64_t *ret_high)
{
	const char *prefix = id_kind_prefix(kind);
	const char *digits = str_has_prefix(text, prefix) ? text + strlen(prefix) : text;
	uint64_t low;
	uint64_t high;
	unsigned open_bits;

	if (!base32_prefix_to_u64(digits, &low, &open_bits))
		return false;
	CHECK(open_bits < 64);
	high = low | ((UINT64_C(1) << open_bits) - 1);
	/* The sign bit is never part of an id; low and high agree on it as long as a digit is
	 * given. */
	if (high > INT64_MAX)
		return false;
	*ret_low = (int64_t)low;
	*ret_high = (int64_t)high;
	return true;
}
