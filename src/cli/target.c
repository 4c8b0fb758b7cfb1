#include "cli/target.h"

#include "base/str.h"
#include "core/id.h"

bool target_is_batch(const char *id)
{
	return str_has_prefix(id, id_kind_prefix(ID_BATCH));
}

const char *target_collection(const char *id)
{
	return target_is_batch(id) ? "batches" : "jobs";
}
