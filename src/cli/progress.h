/* How far a batch is, in one line: a bar, counts, rate, time left. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/json.h"
#include "cli/eta.h"
#include "cli/terminal.h"

struct progress {
	uint64_t total;
	uint64_t completed;
	uint64_t failed;
	uint64_t cancelled;
	uint64_t running;
};

/* From a batch's "counts"; negative numbers count as 0. */
void progress_read(const json_t *batch, struct progress *ret);
uint64_t progress_done(const struct progress *progress);
/* For a terminal of `columns`: "12/40 ━━━╌╌  3 running  1 failed  2.1/s  13s left". */
void progress_line(const struct progress *progress, const struct eta *eta,
		   const struct terminal *terminal, unsigned columns, struct buf *out);
/* For a file: "12 of 40 done, 1 failed, 3 running, 2.1/s, 13s left". */
void progress_sentence(const struct progress *progress, const struct eta *eta, struct buf *out);
