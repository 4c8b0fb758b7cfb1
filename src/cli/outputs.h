/* Outputs of jobs onto this disk. The server's word is not trusted: paths are checked, every
 * directory below the target is opened without following symbolic links, bytes are verified against
 * their SHA-256 and only then renamed into place, so that a file is the old one or the whole new
 * one.
 *
 * Layout of a batch below its output directory, NAME being the item's (see batch_items.h):
 *   NAME/…         the job's output files
 *   NAME.stdout    what it wrote, if anything
 *   NAME.stderr
 * Flat: the files directly in the output directory; one whose name another job of the batch has
 * taken becomes NAME-file, with '/' in NAME as '_'. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cli/api_client.h"
#include "cli/glob.h"

#define OUTPUTS_STDOUT_SUFFIX ".stdout"
#define OUTPUTS_STDERR_SUFFIX ".stderr"

struct outputs {
	struct api_client *api;
	char *directory;	  /* where files land; made when first needed */
	int directory_fd;	  /* -1 until then */
	struct path_list written; /* flat only: names taken, sorted */
	uint64_t file_count;
	uint64_t total_bytes;
};

void outputs_init(struct outputs *outputs, struct api_client *api, const char *directory);
void outputs_release(struct outputs *outputs);
#define cleanup_outputs outputs_release

/* The artifacts of the job's last attempt: an array of objects; a new reference. */
MUST_CHECK int outputs_list(struct api_client *api, const char *job_id, json_t **ret,
			    struct error *err);
/* All files of a job below `prefix` ("" for none), or only the one named `only`. */
MUST_CHECK int outputs_fetch(struct outputs *outputs, const char *job_id, const char *prefix,
			     const char *only, struct error *err);
/* As above, all in one directory; `name` is the item's. */
MUST_CHECK int outputs_fetch_flat(struct outputs *outputs, const char *job_id, const char *name,
				  struct error *err);
/* The logs of a job of a batch as NAME.stdout and NAME.stderr; an empty stream leaves no file. */
MUST_CHECK int outputs_fetch_logs(struct outputs *outputs, const json_t *job, const char *name,
				  struct error *err);
/* The last line of NAME.stderr as stored, cleaned of nothing; appends to `out`. */
void outputs_last_error_line(const struct outputs *outputs, const char *name, struct buf *out);
