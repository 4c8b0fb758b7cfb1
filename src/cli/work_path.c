#include "cli/work_path.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

#define DEFAULT_NAME "root"

/* The part of an absolute path below `directory`, or NULL. */
static const char *below(const char *directory, const char *path)
{
	size_t bytes = strlen(directory);

	if (strncmp(path, directory, bytes) != 0)
		return NULL;
	if (bytes > 0 && directory[bytes - 1] == '/')
		return path + bytes;
	if (path[bytes] == '\0')
		return path + bytes;
	return path[bytes] == '/' ? path + bytes + 1 : NULL;
}

static bool is_component(const char *text, size_t bytes, const char *component)
{
	return strlen(component) == bytes && memcmp(text, component, bytes) == 0;
}

/* Drops the last component of `text`, remembering the longest path that was dropped. */
static void step_up(char *text, char **traversed)
{
	char *slash = strrchr(text, '/');

	if (!*traversed || strlen(*traversed) < strlen(text)) {
		free(*traversed);
		*traversed = xstrdup(text);
	}
	*(slash ? slash : text) = '\0';
}

/* False when `path` climbs above its start. */
static bool flatten(const char *path, char *out, char **traversed)
{
	size_t used = 0;

	out[0] = '\0';
	while (*path) {
		size_t bytes = strcspn(path, "/");

		if (is_component(path, bytes, "..")) {
			if (used == 0)
				return false;
			step_up(out, traversed);
			used = strlen(out);
		} else if (bytes > 0 && !is_component(path, bytes, ".")) {
			if (used > 0)
				out[used++] = '/';
			memcpy(out + used, path, bytes);
			used += bytes;
			out[used] = '\0';
		}
		path += bytes + (path[bytes] == '/');
	}
	return true;
}

/* The last component that is a name. */
static char *last_name(const char *path)
{
	const char *end = path + strlen(path);

	while (end > path) {
		const char *start = end;

		while (start > path && start[-1] != '/')
			start--;
		if (start < end && !is_component(start, (size_t)(end - start), ".") &&
		    !is_component(start, (size_t)(end - start), ".."))
			return xstrndup(start, (size_t)(end - start));
		end = start > path ? start - 1 : start;
	}
	return xstrdup(DEFAULT_NAME);
}

void work_path_resolve(const char *directory, const char *path, struct work_path *ret)
{
	CLEANUP(cleanup_free) char *relative = xcalloc(1, strlen(path) + 2);
	const char *local = path;

	*ret = (struct work_path){.respelled = path[0] == '/'};
	if (path[0] == '/')
		local = below(directory, path);
	ret->inside = local && flatten(local, relative, &ret->traversed);
	if (ret->inside) {
		ret->relative = TAKE_PTR(relative);
		return;
	}
	ret->respelled = true;
	free(ret->traversed);
	ret->traversed = NULL;
	ret->relative = last_name(path);
}

void work_path_release(struct work_path *path)
{
	free(path->relative);
	free(path->traversed);
	*path = (struct work_path){0};
}
