#include "cli/glob.h"

#include <dirent.h>
#include <fnmatch.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/fs.h"
#include "base/str.h"

#define DEPTH_MAX 128

void path_list_release(struct path_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		free(list->items[i]);
	free(list->items);
	*list = (struct path_list){0};
}

void path_list_add(struct path_list *list, const char *path)
{
	if (list->count == list->capacity) {
		list->capacity = list->capacity ? list->capacity * 2 : 64;
		list->items = xreallocarray(list->items, list->capacity, sizeof(list->items[0]));
	}
	list->items[list->count++] = xstrdup(path);
}

bool glob_is_pattern(const char *text)
{
	return strpbrk(text, "*?[") != NULL;
}

size_t glob_fixed_bytes(const char *pattern)
{
	size_t wildcard = strcspn(pattern, "*?[");

	if (pattern[wildcard] == '\0') {
		const char *slash = strrchr(pattern, '/');

		return slash ? (size_t)(slash + 1 - pattern) : 0;
	}
	while (wildcard > 0 && pattern[wildcard - 1] != '/')
		wildcard--;
	return wildcard;
}

/* NOLINTBEGIN(misc-no-recursion): DEPTH_MAX bounds it. */
static int expand(const char *prefix, const char *pattern, unsigned depth, struct path_list *list,
		  struct error *err);

static bool is_directory(const char *path, bool follow)
{
	struct stat status;

	return (follow ? stat(path, &status) : lstat(path, &status)) == 0 &&
	       S_ISDIR(status.st_mode);
}

/* `prefix` is complete: keep it if it is a regular file. */
static int take(const char *prefix, struct path_list *list, struct error *err)
{
	struct stat status;

	if (stat(prefix, &status) != 0 || !S_ISREG(status.st_mode))
		return 0;
	if (list->count == GLOB_MATCHES_MAX)
		return error_set(err, ERR_TOO_LARGE, "the pattern matches more than %d files",
				 GLOB_MATCHES_MAX);
	path_list_add(list, prefix);
	return 0;
}

/* One entry of the directory `prefix` against the component; `rest` follows it. */
static int expand_entry(const char *prefix, const char *name, const char *component,
			const char *rest, unsigned depth, struct path_list *list, struct error *err)
{
	CLEANUP(cleanup_free) char *path = xasprintf("%s%s", prefix, name);
	CLEANUP(cleanup_free) char *inner = NULL;
	bool deep = str_eq(component, "**");

	if (str_eq(name, ".") || str_eq(name, ".."))
		return 0;
	if (deep ? name[0] == '.' : fnmatch(component, name, FNM_PERIOD) != 0)
		return 0;
	if (*rest == '\0' && !deep)
		return take(path, list, err);
	if (!is_directory(path, !deep))
		return 0;
	inner = xasprintf("%s/", path);
	if (!deep)
		return expand(inner, rest, depth + 1, list, err);
	/* Further directories below; `rest` is tried in each by expand. */
	CLEANUP(cleanup_free) char *again = xasprintf("**/%s", rest);
	return expand(inner, again, depth + 1, list, err);
}

static int expand_directory(const char *prefix, const char *component, const char *rest,
			    unsigned depth, struct path_list *list, struct error *err)
{
	CLEANUP(cleanup_dir) DIR *directory = opendir(prefix[0] ? prefix : ".");
	const struct dirent *entry;

	/* What cannot be listed matches nothing, as in a shell. */
	while (directory && (entry = readdir(directory)) != NULL) {
		if (expand_entry(prefix, entry->d_name, component, rest, depth, list, err) != 0)
			return -1;
	}
	return 0;
}

static int expand(const char *prefix, const char *pattern, unsigned depth, struct path_list *list,
		  struct error *err)
{
	size_t bytes = strcspn(pattern, "/");
	CLEANUP(cleanup_free) char *component = xstrndup(pattern, bytes);
	const char *rest = pattern + bytes + strspn(pattern + bytes, "/");
	bool is_last = pattern[bytes] == '\0';

	if (depth > DEPTH_MAX)
		return 0;
	if (str_eq(component, "**")) {
		/* A trailing ** stands for all files below. */
		const char *below = *rest ? rest : "*";

		if (expand(prefix, below, depth + 1, list, err) != 0)
			return -1;
		return expand_directory(prefix, component, below, depth, list, err);
	}
	if (glob_is_pattern(component))
		return expand_directory(prefix, component, rest, depth, list, err);
	CLEANUP(cleanup_free)
	char *path = xasprintf("%s%s%s", prefix, component, is_last ? "" : "/");
	return is_last ? take(path, list, err) : expand(path, rest, depth + 1, list, err);
}

/* NOLINTEND(misc-no-recursion) */

static int compare(const void *a, const void *b)
{
	const char *const *first = a;
	const char *const *second = b;

	return strcmp(*first, *second);
}

int glob_files(const char *pattern, struct path_list *ret, struct error *err)
{
	CLEANUP(cleanup_path_list) struct path_list list = {0};
	size_t root = strspn(pattern, "/");
	size_t kept = 0;

	if (expand(root ? "/" : "", pattern + root, 0, &list, err) != 0)
		return -1;
	if (list.count > 0)
		qsort(list.items, list.count, sizeof(list.items[0]), compare);
	/* Two ** can lead to a file in several ways. */
	for (size_t i = 0; i < list.count; i++) {
		if (kept > 0 && str_eq(list.items[kept - 1], list.items[i]))
			free(list.items[i]);
		else
			list.items[kept++] = list.items[i];
	}
	list.count = kept;
	*ret = list;
	list = (struct path_list){0};
	return 0;
}
