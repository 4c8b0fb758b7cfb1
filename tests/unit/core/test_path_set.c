#include "core/path_set.h"

#include <stdlib.h>

#include "tap.h"

/* Names ending in '/' are directories. Order as given. */
static bool conflict(const char *const *paths, size_t *ret_fault, size_t *ret_other)
{
	struct path_entry entries[16];
	static char names[16][64];
	const struct path_entry *fault;
	const struct path_entry *other;
	size_t count = 0;

	for (; paths[count] != NULL; count++) {
		size_t bytes = strlen(paths[count]);
		bool is_directory = paths[count][bytes - 1] == '/';

		(void)snprintf(names[count], sizeof(names[count]), "%.*s",
			       (int)(bytes - is_directory), paths[count]);
		entries[count] = (struct path_entry){names[count], is_directory, count};
	}
	if (!path_set_conflict(entries, count, &fault, &other))
		return false;
	*ret_fault = fault->order;
	*ret_other = other->order;
	return true;
}

#define PATHS(...) ((const char *const[]){__VA_ARGS__, NULL})

TEST(different_paths_agree)
{
	size_t fault;
	size_t other;

	EXPECT(!conflict(PATHS("a"), &fault, &other));
	EXPECT(!conflict(PATHS("a", "b", "c/d", "c/e"), &fault, &other));
	EXPECT(!conflict(PATHS("a/b", "a-b", "a.b", "ab", "a0/b"), &fault, &other));
	EXPECT(!conflict(PATHS("a/", "a/b", "a/c/"), &fault, &other));
	EXPECT(!conflict(PATHS("a/b/", "a/"), &fault, &other));
}

TEST(the_later_of_two_equal_paths_is_at_fault)
{
	size_t fault;
	size_t other;

	EXPECT(conflict(PATHS("x", "a", "b", "a"), &fault, &other));
	EXPECT_INT(fault, 3);
	EXPECT_INT(other, 1);
	EXPECT(conflict(PATHS("a", "a/"), &fault, &other));
	EXPECT_INT(fault, 1);
	EXPECT(conflict(PATHS("a/", "a/"), &fault, &other));
}

TEST(nothing_lies_below_a_file)
{
	size_t fault;
	size_t other;

	EXPECT(conflict(PATHS("a/b", "a"), &fault, &other));
	EXPECT_INT(fault, 0);
	EXPECT_INT(other, 1);
	/* what sorts between the two by bytes must not hide them from each other */
	EXPECT(conflict(PATHS("a", "a b", "a!", "a-", "a.b", "a/b/c"), &fault, &other));
	EXPECT_INT(fault, 5);
	EXPECT_INT(other, 0);
	EXPECT(conflict(PATHS("a/b/c", "a/b/d/e", "a/b/d"), &fault, &other));
	EXPECT_INT(fault, 1);
	EXPECT(conflict(PATHS("a", "a/b/"), &fault, &other));
}

TEST(bytes_above_ascii_are_ordered_too)
{
	size_t fault;
	size_t other;

	EXPECT(!conflict(PATHS("\xc3\xa4/b", "a\xc3\xa4", "\xc3\xa4-"), &fault, &other));
	EXPECT(conflict(PATHS("\xc3\xa4", "\xc3\xa4-", "\xc3\xa4/b"), &fault, &other));
	EXPECT_INT(fault, 2);
}

/* Agreement with the obvious quadratic check on all sets of four small paths. */
TEST(agrees_with_comparing_every_pair)
{
	static const char *const names[] = {"a", "a/", "a/b", "a/b/", "a-", "a/b/c"};
	size_t total = 6 * 6 * 6 * 6;

	for (size_t n = 0; n < total; n++) {
		const char *paths[5] = {names[n % 6], names[n / 6 % 6], names[n / 36 % 6],
					names[n / 216 % 6], NULL};
		bool expected = false;
		size_t fault;
		size_t other;

		for (size_t i = 0; i < 4; i++) {
			size_t bytes = strlen(paths[i]);
			bool is_directory = paths[i][bytes - 1] == '/';

			bytes -= is_directory;
			for (size_t j = 0; j < 4; j++) {
				const char *rest = paths[j] + bytes;

				if (i == j || strncmp(paths[i], paths[j], bytes) != 0)
					continue;
				if (*rest == '\0' || strcmp(rest, "/") == 0 ||
				    (*rest == '/' && !is_directory))
					expected = true;
			}
		}
		EXPECT(conflict(paths, &fault, &other) == expected);
	}
}
