/* Where a local path stands in a job's work directory, which is to the script what the current
 * directory is here. Lexical: symbolic links are not resolved, so that a name keeps its spelling.
 */
#pragma once

#include <stdbool.h>

struct work_path {
	char *relative;	 /* clean, inside the work directory; "" for the directory itself. Owned */
	char *traversed; /* a directory that the spelling passes through ("sub" of sub/../x), or
			    NULL. Owned */
	bool inside;	 /* false: the path leads out; relative is the last component then */
	bool respelled;	 /* the path as spelled does not work in a job (it is absolute) */
};

/* `directory` is the absolute current directory. */
void work_path_resolve(const char *directory, const char *path, struct work_path *ret);
void work_path_release(struct work_path *path);
#define cleanup_work_path work_path_release
