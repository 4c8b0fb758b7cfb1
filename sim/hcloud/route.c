#include "hcloud/route.h"

#include <string.h>

#include "base/str.h"
#include "hcloud/resources.h"

#define ID_PLACE "{id}"

static size_t segment_bytes(const char *path)
{
	return strcspn(path, "/");
}

static int64_t read_id(const char *text, size_t bytes)
{
	CLEANUP(cleanup_free) char *copy = xstrndup(text, bytes);
	struct error err;
	int64_t id;

	return parse_i64(copy, 1, INT64_MAX, &id, &err) == 0 ? id : 0;
}

/* Both begin with '/' or are at their end. */
static bool matches(const char *pattern, const char *path, int64_t ids[CALL_IDS_MAX])
{
	size_t id_count = 0;

	while (*pattern == '/' && *path == '/') {
		pattern++;
		path++;
		size_t pattern_bytes = segment_bytes(pattern);
		size_t path_bytes = segment_bytes(path);

		if (pattern_bytes == strlen(ID_PLACE) &&
		    strncmp(pattern, ID_PLACE, pattern_bytes) == 0) {
			if (path_bytes == 0 || id_count == CALL_IDS_MAX)
				return false;
			ids[id_count++] = read_id(path, path_bytes);
		} else if (pattern_bytes != path_bytes || memcmp(pattern, path, path_bytes) != 0) {
			return false;
		}
		pattern += pattern_bytes;
		path += path_bytes;
	}
	return *pattern == '\0' && *path == '\0';
}

const struct route *route_find_in(const struct route *table, const char *method, const char *path,
				  bool *ret_known, int64_t ids[CALL_IDS_MAX])
{
	const struct route *found = NULL;
	bool found_has_id = false;

	for (const struct route *route = table; route->method; route++) {
		int64_t own_ids[CALL_IDS_MAX] = {0};
		bool has_id = strstr(route->path, ID_PLACE) != NULL;

		if (!matches(route->path, path, own_ids))
			continue;
		*ret_known = true;
		/* "/servers/actions" is not the server "actions". */
		if (!str_eq(route->method, method) || (found && (has_id || !found_has_id)))
			continue;
		found = route;
		found_has_id = has_id;
		memcpy(ids, own_ids, sizeof(own_ids));
	}
	return found;
}

const struct route *route_find(const char *method, const char *path, bool *ret_known,
			       int64_t ids[CALL_IDS_MAX])
{
	const struct route *found = NULL;

	*ret_known = false;
	for (size_t i = 0; !found && resource_routes(i); i++)
		found = route_find_in(resource_routes(i), method, path, ret_known, ids);
	return found;
}
