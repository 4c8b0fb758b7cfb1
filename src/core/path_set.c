#include "core/path_set.h"

#include <stdlib.h>
#include <string.h>

/* '/' sorts before every other character, so that what lies below "a" follows "a" at once, before
 * "a-b". */
static int rank(char c)
{
	if (c == '\0')
		return 0;
	return c == '/' ? 1 : (unsigned char)c + 2;
}

static int compare_paths(const char *a, const char *b)
{
	while (*a != '\0' && *a == *b) {
		a++;
		b++;
	}
	return rank(*a) - rank(*b);
}

static int compare_entries(const void *left, const void *right)
{
	const struct path_entry *a = left;
	const struct path_entry *b = right;
	int order = compare_paths(a->path, b->path);

	if (order != 0)
		return order;
	return a->order < b->order ? -1 : a->order > b->order;
}

static bool lies_below(const char *path, const char *ancestor)
{
	size_t bytes = strlen(ancestor);

	return strncmp(path, ancestor, bytes) == 0 && path[bytes] == '/';
}

bool path_set_conflict(struct path_entry *entries, size_t count,
		       const struct path_entry **ret_fault, const struct path_entry **ret_other)
{
	if (count < 2)
		return false;
	qsort(entries, count, sizeof(entries[0]), compare_entries);
	for (size_t i = 1; i < count; i++) {
		const struct path_entry *previous = &entries[i - 1];
		const struct path_entry *entry = &entries[i];
		bool same = strcmp(entry->path, previous->path) == 0;

		if (same || (!previous->is_directory && lies_below(entry->path, previous->path))) {
			*ret_fault = entry;
			*ret_other = previous;
			return true;
		}
	}
	return false;
}
