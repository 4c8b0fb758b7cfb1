/* What travels to the job: the script, the files that arguments name, and what --file adds. A file
 * in the current directory keeps its relative name, so that arguments stay as they are. One that
 * lies outside cannot: it becomes _inputs/NAME in the job and only that argument is changed, with a
 * note. Only regular files travel; a directory that an argument names is made, empty. The limits
 * are checked before anything is sent. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/hash.h"

#define INPUTS_OUTSIDE_DIRECTORY "_inputs"
#define INPUTS_NOTES_BYTES_MAX	 (64ULL * 1024)

struct input_file {
	char *path;   /* in the work directory */
	char *source; /* here */
	uint64_t size_bytes;
	uint8_t sha256[SHA256_BYTES];
	bool executable;
};

struct inputs {
	char *directory; /* the current one, absolute */
	struct input_file script;
	struct input_file *files;
	size_t file_count, file_capacity;
	char **directories;
	size_t directory_count, directory_capacity;
	struct buf notes; /* a line for each thing the user should know */
};

/* What an argument turned out to be. */
struct input_argument {
	char *text; /* as the job gets it */
	bool is_file;
	struct input_file file; /* if is_file; not yet hashed */
	char *directory;	/* to be made in the job, or NULL */
	char *note;		/* or NULL */
};
void input_argument_release(struct input_argument *argument);
#define cleanup_input_argument input_argument_release
void input_file_release(struct input_file *file);

void inputs_init(struct inputs *inputs, const char *directory);
void inputs_release(struct inputs *inputs);
#define cleanup_inputs inputs_release

/* Script first, then --file, then arguments: the first keeps its name. */
MUST_CHECK int inputs_set_script(struct inputs *inputs, const char *script, struct error *err);
/* A file, or a directory with all below it but version control's and rgrid's own directories. */
MUST_CHECK int inputs_add_path(struct inputs *inputs, const char *path, struct error *err);
/* Looks at one argument without adding it: "x.csv", "--in=x.csv", or anything else. */
MUST_CHECK int inputs_look_at(const struct inputs *inputs, const char *argument,
			      struct input_argument *ret, struct error *err);
/* Looks and adds. *ret_text is what the job gets, to be freed. */
MUST_CHECK int inputs_add_argument(struct inputs *inputs, const char *argument, char **ret_text,
				   struct error *err);
/* Reads script and files to name them by their content. */
MUST_CHECK int inputs_hash(struct inputs *inputs, struct error *err);
MUST_CHECK int input_file_hash(struct input_file *file, struct error *err);
